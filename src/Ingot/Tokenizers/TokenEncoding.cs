namespace Ingot.Tokenizers;

/// <summary>A text, or a pair of texts, as tokens. All lists have the same length.</summary>
public sealed class TokenEncoding
{
    internal TokenEncoding(int count) =>
        (Ids, TypeIds, AttentionMask, SpecialTokensMask, Offsets, WordIds, SequenceIds, Tokens) =
            (new int[count], new int[count], new int[count], new int[count],
                new (int, int)[count], new int?[count], new int?[count], new string[count]);

    /// <summary>Ids.</summary>
    public int[] Ids { get; }

    /// <summary>Token types: which text of a pair a token belongs to, as the model counts.</summary>
    public int[] TypeIds { get; }

    /// <summary>1 for tokens, 0 for padding.</summary>
    public int[] AttentionMask { get; }

    /// <summary>1 for special tokens that were added and for padding, 0 for tokens of the text.</summary>
    public int[] SpecialTokensMask { get; }

    /// <summary>
    /// Where each token comes from in its text, in chars: <c>text[start..end]</c>. Bytes of one character all have the whole character;
    /// (0, 0) for tokens that are not from the text.
    /// </summary>
    public (int Start, int End)[] Offsets { get; }

    /// <summary>Number of the word (pre-token) in its text; null for tokens that are not from the text.</summary>
    public int?[] WordIds { get; }

    /// <summary>0 for tokens of the text, 1 for those of its pair, null for others.</summary>
    public int?[] SequenceIds { get; }

    /// <summary>The tokens as the vocabulary writes them.</summary>
    public string[] Tokens { get; }

    /// <summary>The rest of a text that was cut, in encodings of the same kind.</summary>
    public IReadOnlyList<TokenEncoding> Overflowing { get; internal set; } = [];
}
