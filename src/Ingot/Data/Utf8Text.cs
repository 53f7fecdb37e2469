namespace Ingot.Data;

/// <summary>Counting characters in valid UTF-8.</summary>
internal static class Utf8Text
{
    /// <summary>How many code points there are: one for each byte that does not continue another.</summary>
    public static long CountCharacters(ReadOnlySpan<byte> utf8)
    {
        var count = 0L;
        foreach (var b in utf8)
        {
            count += IsContinuation(b) ? 0 : 1;
        }

        return count;
    }

    /// <summary>Where the code point number <paramref name="characters"/>, counted from 0, begins, which must be in the text.</summary>
    public static int OffsetOfCharacter(ReadOnlySpan<byte> utf8, long characters)
    {
        for (var i = 0; i < utf8.Length; i++)
        {
            if (!IsContinuation(utf8[i]) && characters-- == 0)
            {
                return i;
            }
        }

        return utf8.Length;
    }

    private static bool IsContinuation(byte b) => (b & 0xC0) == 0x80;
}
