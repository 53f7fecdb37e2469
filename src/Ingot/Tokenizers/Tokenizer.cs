using System.Buffers;
using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// Text to token ids and back. Implementations are immutable and may be used by several threads at once.
/// For every text without lone surrogates <c>Decode(Encode(text)) == text</c>. A lone surrogate, which UTF-8 cannot write, counts as
/// U+FFFD, the replacement character.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>How many ids there are; they are 0 … VocabularySize − 1.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The id that ends a document, if the vocabulary has one.</summary>
    public abstract int? EndOfTextId { get; }

    /// <summary>
    /// A hash (SHA-256, 64 hexadecimal digits) of all that decides which ids a text gets. Files of tokens carry it.
    /// </summary>
    public abstract string Fingerprint { get; }

    /// <summary>Appends the ids of a text.</summary>
    /// <param name="utf8">Valid UTF-8.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public abstract void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids);

    /// <summary>Writes the text of some ids as UTF-8. Half a character at either end comes out as it is.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public abstract void DecodeUtf8(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8);

    /// <summary>
    /// Writes the tokenizer's files, in the form that Hugging Face's libraries read, into a folder, which is made if need be.
    /// </summary>
    public abstract void Save(string folder);

    /// <summary>The ids of a text.</summary>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public int[] Encode(ReadOnlySpan<char> text)
    {
        var ids = new List<int>();
        Encode(text, ids);
        return [.. ids];
    }

    /// <inheritdoc cref="Encode(ReadOnlySpan{char})"/>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode(text.AsSpan());
    }

    /// <summary>Appends the ids of a text.</summary>
    /// <exception cref="InvalidDataException">The text holds something that the vocabulary cannot write.</exception>
    public void Encode(ReadOnlySpan<char> text, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var buffer = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(text));
        try
        {
            var length = Encoding.UTF8.GetBytes(text, buffer);
            EncodeUtf8(buffer.AsSpan(0, length), ids);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The text of some ids. Bytes that are no whole character come out as U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var utf8 = new ArrayBufferWriter<byte>(Math.Max(16, 4 * ids.Length));
        DecodeUtf8(ids, utf8);
        return Encoding.UTF8.GetString(utf8.WrittenSpan);
    }

    /// <summary>
    /// Reads the tokenizer of a model folder: <c>tokenizer.json</c> (byte-level BPE as GPT-2 has it, or Ingot's character level), or
    /// else <c>vocab.json</c> with <c>merges.txt</c>.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder holds no tokenizer.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or of a kind that is not supported; the message names both.</exception>
    public static Tokenizer Load(string folder) => TokenizerFiles.Load(folder);

    /// <summary>The error for an id that the vocabulary lacks.</summary>
    private protected ArgumentOutOfRangeException UnknownId(int id) =>
        new(nameof(id), id, $"Token id {id} is not in the vocabulary, whose ids are 0 … {VocabularySize - 1}.");
}
