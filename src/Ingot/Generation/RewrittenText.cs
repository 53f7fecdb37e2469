namespace Ingot.Generation;

/// <summary>A text that an encoder-decoder wrote of another: a translation, a summary.</summary>
/// <param name="Source">What it read.</param>
/// <param name="Text">What it wrote; empty where the source has nothing but white space, which the model is not asked about.</param>
public sealed record RewrittenText(string Source, string Text)
{
    /// <summary>Code of the source's language, where it was told by the text.</summary>
    public string? SourceLanguage { get; init; }

    /// <summary>Tokens of the source, with the special ones, those included that were cut off.</summary>
    public int SourceTokens { get; init; }

    /// <summary>Whether the source was longer than the model reads, and lost its end.</summary>
    public bool IsTruncated { get; init; }

    /// <summary>Tokens that were written, without the one that ends texts.</summary>
    public int NewTokens { get; init; }

    /// <summary>Why it ended.</summary>
    public FinishReason FinishReason { get; init; }

    /// <summary>Beam search's log-probability / length^lengthPenalty; null without beam search.</summary>
    public double? Score { get; init; }
}
