using System.Text;
using System.Text.Unicode;

namespace Ingot.Data.Preparation.Readers;

/// <summary>
/// Bytes to text, whatever encoding they are in: UTF-8; UTF-16 by its mark or by its zeros; and where neither fits, Windows-1252 (which
/// Latin-1 is a part of, as the Encoding Standard of WHATWG has it). A text that is mostly UTF-8 gets U+FFFD in place of bytes that are
/// not.
/// </summary>
internal static class EncodingRepair
{
    // What Windows-1252 has in place of Latin-1's control characters 0x80 … 0x9F; five are not assigned and stay what they are.
    private const string Windows1252 =
        "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

    /// <summary>The character of a byte of Windows-1252.</summary>
    public static char FromWindows1252(byte value) => value is >= 0x80 and < 0xA0 ? Windows1252[value - 0x80] : (char)value;

    /// <summary>The byte of Windows-1252 for a character; -1 if it has none.</summary>
    public static int ToWindows1252(char character) =>
        character is < '\u0080' or (>= '\u00a0' and <= '\u00ff') ? character
        : Windows1252.IndexOf(character, StringComparison.Ordinal) is var at and >= 0 ? 0x80 + at : -1;

    /// <summary>The kind of UTF-16 that a file begins as; null if it is something else.</summary>
    public static Encoding? FindUtf16(ReadOnlySpan<byte> start)
    {
        if (start is [0xFF, 0xFE, ..])
            return Encoding.Unicode;
        if (start is [0xFE, 0xFF, ..])
            return Encoding.BigEndianUnicode;
        // Without a mark: text in European languages has a zero in nearly every second byte, and none in the others.
        var (even, odd) = (0, 0);
        for (var i = 0; i + 1 < start.Length; i += 2)
        {
            even += start[i] == 0 ? 1 : 0;
            odd += start[i + 1] == 0 ? 1 : 0;
        }

        var pairs = start.Length / 2;
        return pairs < 4 ? null
            : even == 0 && odd > 0.7 * pairs ? Encoding.Unicode
            : odd == 0 && even > 0.7 * pairs ? Encoding.BigEndianUnicode
            : null;
    }

    /// <summary>The text of bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="repair">Whether what is not UTF-8 is repaired; otherwise it is an error.</param>
    /// <param name="repaired">Whether it was.</param>
    /// <exception cref="BadRecordException">The bytes are not UTF-8, and that is an error.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, bool repair, out bool repaired)
    {
        repaired = !Utf8.IsValid(bytes);
        if (!repaired)
            return Encoding.UTF8.GetString(bytes);
        if (!repair)
            throw new BadRecordException("the text is not UTF-8; the rule encoding=on would repair it");
        var (whole, broken) = Count(bytes);
        // A few characters that are cut in two do not make a UTF-8 text one of Windows-1252.
        return whole > broken ? Encoding.UTF8.GetString(bytes) : string.Create(bytes.Length, bytes, static (text, source) =>
        {
            for (var i = 0; i < text.Length; i++)
                text[i] = FromWindows1252(source[i]);
        });
    }

    // Characters of several bytes, and places where there is none though a byte says so.
    private static (int Whole, int Broken) Count(ReadOnlySpan<byte> bytes)
    {
        var (whole, broken) = (0, 0);
        while (bytes.IndexOfAnyExceptInRange((byte)0, (byte)0x7F) is var next and >= 0)
        {
            bytes = bytes[next..];
            if (Rune.DecodeFromUtf8(bytes, out _, out var length) == System.Buffers.OperationStatus.Done)
                whole++;
            else
                broken++;
            bytes = bytes[length..];
        }

        return (whole, broken);
    }
}
