using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Normalizers;

/// <summary>
/// SentencePiece's character map: a double-array trie (Darts) over UTF-8 whose values are places in a list of replacements. The blob is
/// the trie's size in bytes (uint32), the trie's units (uint32), and the replacements, each with a zero byte behind it.
/// As in Hugging Face's libraries it is asked for whole grapheme clusters of less than six bytes first, then for single characters, and
/// the shortest key that the question begins with answers.
/// </summary>
internal sealed class Precompiled : Normalizer
{
    private const int LongestGrapheme = 5;

    private readonly byte[] _blob;
    private readonly uint[] _units;
    private readonly int _replacements;

    /// <exception cref="FormatException">The blob's parts do not fit together.</exception>
    public Precompiled(byte[] blob)
    {
        _blob = blob;
        var size = blob.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(blob) : 0;
        if (size == 0 || size % 4 != 0 || size > blob.Length - 4)
        {
            throw new FormatException(
                $"The character map of {blob.Length} bytes does not hold the trie of {size} bytes that it begins with.");
        }

        _replacements = 4 + (int)size;
        _units = new uint[size / 4];
        for (var i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob.AsSpan(4 + (4 * i)));
        }

        if (!System.Text.Unicode.Utf8.IsValid(blob.AsSpan(_replacements)))
        {
            throw new FormatException("The replacements of the character map are not UTF-8.");
        }
    }

    public override string Type => "Precompiled";

    public override bool GoesByChunks => true;

    public static Precompiled Read(JsonPart json)
    {
        var map = json.Required("precompiled_charsmap");
        try
        {
            return new Precompiled(Convert.FromBase64String(map.AsText()));
        }
        catch (FormatException e)
        {
            throw map.Error(e.Message.TrimEnd('.'));
        }
    }

    public override AlignedText Apply(AlignedText text)
    {
        var result = new List<(int, int)>(text.Length);
        Span<byte> utf8 = stackalloc byte[8];
        for (var start = 0; start < text.Length;)
        {
            var end = GraphemeEnd(text, start);
            var bytes = Utf8(text, start, end, utf8);
            if (bytes <= LongestGrapheme && Find(utf8[..bytes]) is { } replacement)
            {
                Add(replacement, start, end);
            }
            else
            {
                for (var i = start; i < end; i++)
                {
                    if (Find(utf8[..Utf8(text, i, i + 1, utf8)]) is { } single)
                    {
                        Add(single, i, i + 1);
                    }
                    else
                    {
                        result.Add((text[i], i));
                    }
                }
            }

            start = end;
        }

        return text.With(result);

        // Characters stand for each other one by one; those that are too many come from the last.
        void Add(ReadOnlySpan<byte> replacement, int start, int end)
        {
            for (var at = start; replacement.Length > 0; at++)
            {
                Rune.DecodeFromUtf8(replacement, out var rune, out var length);
                result.Add((rune.Value, Math.Min(at, end - 1)));
                replacement = replacement[length..];
            }
        }
    }

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteBase64String("precompiled_charsmap", _blob);

    private static int GraphemeEnd(AlignedText text, int start)
    {
        // Two printable characters of ASCII never belong together.
        if (start + 1 >= text.Length || (text[start] is >= 0x20 and < 0x7F && text[start + 1] is >= 0x20 and < 0x7F))
        {
            return start + 1;
        }

        var window = "";
        var length = 0;
        for (var size = 8; length == window.Length && (size == 8 || start + (size / 4) < text.Length); size *= 4)
        {
            window = CodePoints.ToText(text.CodePoints[start..Math.Min(text.Length, start + size)]);
            length = StringInfo.GetNextTextElementLength(window);
        }

        var end = start;
        for (var chars = 0; chars < length; end++)
        {
            chars += text[end] > 0xFFFF ? 2 : 1;
        }

        return end;
    }

    // As many bytes as the characters have; only the first few are written.
    private static int Utf8(AlignedText text, int start, int end, Span<byte> utf8)
    {
        var count = 0;
        for (var i = start; i < end; i++)
        {
            var rune = new Rune(text[i]);
            if (count + rune.Utf8SequenceLength <= utf8.Length)
            {
                rune.EncodeToUtf8(utf8[count..]);
            }

            count += rune.Utf8SequenceLength;
        }

        return count;
    }

    private byte[]? Find(ReadOnlySpan<byte> key)
    {
        var node = Offset(_units[0]);
        foreach (var b in key)
        {
            node ^= b;
            if (node >= (uint)_units.Length || b == 0)
            {
                return null;
            }

            // A unit's label is its low byte, and bit 31 if it is a value.
            var unit = _units[node];
            if ((unit & 0x8000_00FF) != b)
            {
                return null;
            }

            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 1)
            {
                return node < (uint)_units.Length ? Replacement(_units[node] & 0x7FFF_FFFF) : null;
            }
        }

        return null;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & (1 << 9)) >> 6);

    private byte[]? Replacement(uint place)
    {
        var list = _blob.AsSpan(_replacements);
        if (place >= (uint)list.Length)
        {
            return null;
        }

        var rest = list[(int)place..];
        var length = rest.IndexOf((byte)0);
        return (length < 0 ? rest : rest[..length]).ToArray();
    }
}
