using System.Buffers;
using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// Decodes token by token, as text is generated: a character whose bytes are spread over several tokens appears with the last of them.
/// </summary>
public sealed class IncrementalDecoder(Tokenizer tokenizer)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>The characters that this token completes, often one word, sometimes none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        _bytes.ResetWrittenCount();
        tokenizer.DecodeUtf8([id], _bytes);
        return Convert(flush: false);
    }

    /// <summary>What is left at the end: U+FFFD if the last character is not whole, or else nothing.</summary>
    public string Finish()
    {
        _bytes.ResetWrittenCount();
        return Convert(flush: true);
    }

    private string Convert(bool flush)
    {
        var characters = new char[_decoder.GetCharCount(_bytes.WrittenSpan, flush)];
        _decoder.GetChars(_bytes.WrittenSpan, characters, flush);
        return new string(characters);
    }
}
