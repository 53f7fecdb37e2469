using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// Cuts text before single spaces, where nearly every tokenizer begins a new word: a chunk ends behind a plain character, and the next one
/// begins with one space and a plain character. Plain are characters that no normalizer joins with a space beside them and that become no
/// white space. What is <see cref="Normalizers.Normalizer.GoesByChunks"/> makes of a text what it makes of its chunks, one after another;
/// so the chunks that come again and again need to be looked at once only.
/// </summary>
internal static class SpacedChunks
{
    /// <summary>Where the chunk that begins at <paramref name="start"/> ends in valid UTF-8.</summary>
    public static int Next(ReadOnlySpan<byte> utf8, int start)
    {
        for (var at = start + 1; at < utf8.Length; at++)
        {
            var next = utf8[at..].IndexOf((byte)' ');
            if (next < 0)
            {
                break;
            }

            at += next;
            if (IsPlainBefore(utf8[..at]) && IsPlainBehind(utf8[(at + 1)..]))
            {
                return at;
            }
        }

        return utf8.Length;
    }

    private static bool IsPlainBefore(ReadOnlySpan<byte> utf8)
    {
        if (utf8[^1] < 0x80)
        {
            return utf8[^1] is > 0x20 and < 0x7F;
        }

        Rune.DecodeLastFromUtf8(utf8, out var rune, out _);
        return IsPlain(rune.Value);
    }

    private static bool IsPlainBehind(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length == 0 || utf8[0] < 0x80)
        {
            return utf8.Length > 0 && utf8[0] is > 0x20 and < 0x7F;
        }

        Rune.DecodeFromUtf8(utf8, out var rune, out _);
        return IsPlain(rune.Value);
    }

    // Letters of Latin, Greek, Cyrillic, kana, ideographs and Hangul syllables: none combines, and none decomposes into a space.
    private static bool IsPlain(int codePoint) =>
        codePoint is (>= 0xC0 and <= 0x24F) or (>= 0x388 and <= 0x3FF) or (>= 0x400 and <= 0x481) or (>= 0x48A and <= 0x52F)
            or (>= 0x3041 and <= 0x3096) or (>= 0x30A1 and <= 0x30FA) or (>= 0x4E00 and <= 0x9FFF) or (>= 0xAC00 and <= 0xD7A3);
}
