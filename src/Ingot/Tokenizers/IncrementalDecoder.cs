using System.Buffers;
using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// Decodes token by token, as text is generated: a character whose bytes are spread over several tokens appears with the last of them.
/// </summary>
public sealed class IncrementalDecoder(Tokenizer tokenizer)
{
    // Where a decoder looks at neighbours, as at the space before a word, the last tokens are decoded with and without the new one. Bytes
    // that do not become a character within so many tokens never will.
    private const int LongestCharacter = 16;

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly List<int> _last = [];
    private int _written; // How many of the last tokens are written.

    /// <summary>The characters that this token completes, often one word, sometimes none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        if (!tokenizer.DecodesByToken)
        {
            return AppendWithNeighbours(id);
        }

        _bytes.ResetWrittenCount();
        tokenizer.DecodeUtf8([id], _bytes);
        return Convert(flush: false);
    }

    /// <summary>What is left at the end: U+FFFD if the last character is not whole, or else nothing.</summary>
    public string Finish()
    {
        _bytes.ResetWrittenCount();
        return tokenizer.DecodesByToken ? Convert(flush: true) : TakeNew();
    }

    private string AppendWithNeighbours(int id)
    {
        _last.Add(id);
        var isOpen = tokenizer.Decode([.. _last]).EndsWith('\ufffd') && _last.Count - _written < LongestCharacter;
        return isOpen ? "" : TakeNew();
    }

    private string TakeNew()
    {
        var before = tokenizer.Decode([.. _last[.._written]]);
        var after = tokenizer.Decode([.. _last]);
        _last.RemoveRange(0, _written);
        _written = _last.Count;
        return after.Length > before.Length ? after[before.Length..] : "";
    }

    private string Convert(bool flush)
    {
        var characters = new char[_decoder.GetCharCount(_bytes.WrittenSpan, flush)];
        _decoder.GetChars(_bytes.WrittenSpan, characters, flush);
        return new string(characters);
    }
}
