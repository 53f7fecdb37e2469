using System.Buffers;
using System.Text;
using Ingot.Data.Preparation.Readers;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// UTF-8 that was once read as Windows-1252 and written again: "cafÃ©" was "café", "donâ€™t" was "don’t". A stretch of characters is turned
/// back into the bytes that they stand for; where these are UTF-8, the character that they mean takes their place.
/// </summary>
internal static class Mojibake
{
    // Bytes that begin a character of several bytes, as Windows-1252 shows them: 0xC2 … 0xF4.
    private static readonly SearchValues<char> Leads =
        SearchValues.Create(string.Concat(Enumerable.Range(0xC2, 0xF4 - 0xC2 + 1).Select(value => (char)value)));

    // Leads that hardly stand before such characters for another reason: Latin-1 letters and signs, punctuation, emoji.
    private const string SureLeads = "\u00c2\u00c3\u00e2\u00f0";
    private const int RunOfOthers = 3; // So many in a row are needed of the others: "É»" at the end of a quotation is no accident of bytes.

    /// <summary>Repairs a text, twice where it was broken twice.</summary>
    public static string Repair(string text, ref long count)
    {
        for (var pass = 0; pass < 2; pass++)
        {
            var before = count;
            text = RepairOnce(text, ref count);
            if (count == before)
                break;
        }

        return text;
    }

    private static string RepairOnce(string text, ref long count)
    {
        StringBuilder? repaired = null;
        var done = 0;
        for (var at = 0; at < text.Length;)
        {
            var lead = text.AsSpan(at).IndexOfAny(Leads);
            if (lead < 0)
                break;
            at += lead;
            // All broken characters that follow one another.
            var end = at;
            var run = 0;
            var sure = false;
            var characters = new StringBuilder();
            while (end < text.Length && Decode(text.AsSpan(end), out var length) is { } rune)
            {
                sure |= SureLeads.Contains(text[end], StringComparison.Ordinal);
                characters.Append(rune.ToString());
                end += length;
                run++;
            }

            if (run > 0 && (sure || run >= RunOfOthers))
            {
                repaired ??= new StringBuilder(text.Length);
                repaired.Append(text, done, at - done).Append(characters);
                count += run;
                done = end;
            }

            at = Math.Max(end, at + 1);
        }

        return repaired is null ? text : repaired.Append(text, done, text.Length - done).ToString();
    }

    private static Rune? Decode(ReadOnlySpan<char> text, out int length)
    {
        length = text[0] switch
        {
            >= '\u00c2' and <= '\u00df' => 2,
            >= '\u00e0' and <= '\u00ef' => 3,
            >= '\u00f0' and <= '\u00f4' => 4,
            _ => 0,
        };
        if (length == 0 || length > text.Length)
            return null;
        Span<byte> bytes = stackalloc byte[length];
        for (var i = 0; i < length; i++)
        {
            var value = EncodingRepair.ToWindows1252(text[i]);
            if (value < 0)
                return null;
            bytes[i] = (byte)value;
        }

        return Rune.DecodeFromUtf8(bytes, out var rune, out var used) == OperationStatus.Done && used == length ? rune : null;
    }
}
