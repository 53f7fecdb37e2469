using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// One id a character (Unicode code point), in the order of the code points, as in nanoGPT's character-level data. A text with a character
/// that the training text lacks cannot be encoded.
/// </summary>
public sealed class CharacterTokenizer : Tokenizer
{
    private readonly int[] _codePoints;
    private readonly int[] _idOfCodePoint;
    private readonly byte[][] _utf8;

    /// <summary>Makes a tokenizer of distinct code points in ascending order.</summary>
    internal CharacterTokenizer(int[] codePoints)
    {
        _codePoints = codePoints;
        _utf8 = [.. codePoints.Select(codePoint => Encoding.UTF8.GetBytes(char.ConvertFromUtf32(codePoint)))];
        _idOfCodePoint = new int[codePoints[^1] + 1];
        Array.Fill(_idOfCodePoint, -1);
        for (var id = 0; id < codePoints.Length; id++)
        {
            _idOfCodePoint[codePoints[id]] = id;
        }

        var text = string.Concat(codePoints.Select(char.ConvertFromUtf32));
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("characters\n" + text)));
    }

    /// <inheritdoc/>
    public override int VocabularySize => _codePoints.Length;

    /// <inheritdoc/>
    /// <remarks>Always null: documents follow each other without a mark.</remarks>
    public override int? EndOfTextId => null;

    /// <inheritdoc/>
    public override string Fingerprint { get; }

    /// <summary>The characters by id.</summary>
    internal IReadOnlyList<int> CodePoints => _codePoints;

    /// <summary>Takes the distinct characters of a text as the vocabulary.</summary>
    /// <param name="utf8Pieces">The text as valid UTF-8, in pieces of whole characters.</param>
    /// <param name="cancellationToken">Stops the work between two pieces.</param>
    /// <exception cref="InvalidDataException">There is no text.</exception>
    public static CharacterTokenizer Train(IEnumerable<ReadOnlyMemory<byte>> utf8Pieces, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(utf8Pieces);
        var seen = new bool[0x110000];
        foreach (var piece in utf8Pieces)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (var rest = piece.Span; rest.Length > 0;)
            {
                Rune.DecodeFromUtf8(rest, out var rune, out var length);
                seen[rune.Value] = true;
                rest = rest[length..];
            }
        }

        int[] codePoints = [.. Enumerable.Range(0, seen.Length).Where(codePoint => seen[codePoint])];
        return codePoints.Length > 0
            ? new CharacterTokenizer(codePoints)
            : throw new InvalidDataException("There is no text to take a character vocabulary from.");
    }

    /// <inheritdoc cref="Train(IEnumerable{ReadOnlyMemory{byte}}, CancellationToken)"/>
    public static CharacterTokenizer Train(string text) => Train([Encoding.UTF8.GetBytes(text)]);

    /// <inheritdoc/>
    public override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        for (var at = 0; at < utf8.Length;)
        {
            Rune.DecodeFromUtf8(utf8[at..], out var rune, out var length);
            var id = rune.Value < _idOfCodePoint.Length ? _idOfCodePoint[rune.Value] : -1;
            if (id < 0)
            {
                throw new InvalidDataException(
                    $"The character {Describe(rune)} is not among the {VocabularySize} of the character vocabulary. " +
                    "Leave it out, or train a vocabulary on text that holds it; a BPE vocabulary can write every text.");
            }

            ids.Add(id);
            at += length;
        }
    }

    /// <inheritdoc/>
    public override void DecodeUtf8(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)_utf8.Length)
            {
                throw UnknownId(id);
            }

            utf8.Write(_utf8[id]);
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The files: tokenizer.json, a word-level model whose words are single characters, and tokenizer_config.json.
    /// </remarks>
    public override void Save(string folder) => TokenizerFiles.Save(this, folder);

    private static string Describe(Rune rune) =>
        Rune.IsControl(rune) || Rune.IsWhiteSpace(rune) ? $"U+{rune.Value:X4}" : $"\"{rune}\" (U+{rune.Value:X4})";
}
