using System.Buffers;
using System.Text;
using Ingot.Tokenizers;

namespace Ingot.Explain;

/// <summary>
/// Single tokens as people read them: the text that they stand for, with the space before a word if the token has one, and not as
/// vocabularies write it ("Ġword", "▁word", "##ing"). Bytes that are no whole character are "\xE4\xBD".
/// </summary>
internal sealed class TokenTexts
{
    private readonly Tokenizer _tokenizer;
    private readonly HashSet<int> _special;
    private readonly int? _before;

    public TokenTexts(Tokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _special = [.. tokenizer.AddedTokens.Where(token => token.Special).Select(token => token.Id)];
        // What stands first in a text may lose its space: tokens that need neighbours are decoded behind a letter.
        if (!tokenizer.DecodesByToken)
            _before = tokenizer.TokenToId("▁a") ?? tokenizer.TokenToId("a") ?? tokenizer.TokenToId("▁the") ?? tokenizer.TokenToId("the");
    }

    /// <summary>Whether a token is a special one.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>A token's text.</summary>
    public string this[int id]
    {
        get
        {
            // A model may have more ids than its tokenizer: rows that were added to round the size of the table.
            if (id >= _tokenizer.VocabularySize)
                return $"<{id}>";
            if (IsSpecial(id))
                return _tokenizer.IdToToken(id) ?? $"<{id}>";
            var bytes = Bytes([id]);
            if (_before is { } before && Bytes([before]) is var first && Bytes([before, id]) is var both
                && both.Length > first.Length && both.AsSpan().StartsWith(first))
                bytes = both[first.Length..];
            var text = Encoding.UTF8.GetString(bytes);
            if (text.Length == 0)
                return _tokenizer.IdToToken(id) ?? "";
            return text.Contains('\ufffd') && !bytes.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(text))
                ? string.Concat(bytes.Select(b => $"\\x{b:X2}"))
                : text;
        }
    }

    private byte[] Bytes(int[] ids)
    {
        var utf8 = new ArrayBufferWriter<byte>();
        _tokenizer.DecodeUtf8(ids, utf8);
        return utf8.WrittenSpan.ToArray();
    }
}
