namespace Ingot.Tokenizers;

/// <summary>A token that is looked for in the text itself, before the model sees it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">What is looked for.</param>
public sealed record AddedToken(int Id, string Content)
{
    /// <summary>Only where no word character stands before or behind it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Takes the white space before it.</summary>
    public bool LStrip { get; init; }

    /// <summary>Takes the white space behind it.</summary>
    public bool RStrip { get; init; }

    /// <summary>Is looked for in the normalized text, and is normalized itself; otherwise verbatim in the text as it is.</summary>
    public bool Normalized { get; init; }

    /// <summary>Is left out by <see cref="Tokenizer.Decode(ReadOnlySpan{int}, bool)"/> if special tokens are skipped.</summary>
    public bool Special { get; init; }
}
