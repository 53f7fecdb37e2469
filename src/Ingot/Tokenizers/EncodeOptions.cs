namespace Ingot.Tokenizers;

/// <summary>The side at which something is cut or filled up.</summary>
public enum TextSide
{
    /// <summary>The end.</summary>
    Right,

    /// <summary>The beginning.</summary>
    Left,
}

/// <summary>Which text of a pair is cut if both together are too long.</summary>
public enum TruncationStrategy
{
    /// <summary>The longer one, until both are equally long; then both.</summary>
    LongestFirst,

    /// <summary>The first.</summary>
    OnlyFirst,

    /// <summary>The second.</summary>
    OnlySecond,
}

/// <summary>Cutting of texts that are too long.</summary>
/// <param name="MaxLength">Tokens that an encoding may have, special tokens included.</param>
public sealed record TruncationOptions(int MaxLength)
{
    /// <summary>Which text of a pair is cut.</summary>
    public TruncationStrategy Strategy { get; init; }

    /// <summary>How many tokens the pieces in <see cref="TokenEncoding.Overflowing"/> repeat of the one before them.</summary>
    public int Stride { get; init; }

    /// <summary>Which end is cut off.</summary>
    public TextSide Side { get; init; }
}

/// <summary>Filling up of encodings that are too short.</summary>
public sealed record PaddingOptions
{
    /// <summary>Length to fill up to; null for that of the longest in the batch.</summary>
    public int? Length { get; init; }

    /// <summary>Makes the length a multiple of this.</summary>
    public int? MultipleOf { get; init; }

    /// <summary>Which end is filled up.</summary>
    public TextSide Side { get; init; }

    /// <summary>The token to fill up with; null for the tokenizer's <see cref="Tokenizer.PadId"/>.</summary>
    public int? PadId { get; init; }

    /// <summary>Token type of what is filled up.</summary>
    public int PadTypeId { get; init; }
}

/// <summary>How texts are encoded.</summary>
public sealed record EncodeOptions
{
    /// <summary>Puts the special tokens around the text that the tokenizer's post-processor says.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>Cuts texts that are too long; null for never.</summary>
    public TruncationOptions? Truncation { get; init; }

    /// <summary>Fills up encodings that are too short; null for never.</summary>
    public PaddingOptions? Padding { get; init; }
}
