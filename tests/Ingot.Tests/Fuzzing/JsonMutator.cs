using System.Text;

namespace Ingot.Tests.Fuzzing;

/// <summary>
/// Changes JSON a little: single bytes, and, because random bytes hardly ever get past a parser, whole numbers, strings and values, which
/// it replaces by ones that break readers, by others of the same text, or by ones of another text.
/// </summary>
internal sealed class JsonMutator(FuzzRandom random, params string[] words)
{
    private const int LongestText = 4096;

    private static readonly byte[][] Numbers =
    [
        .. new[]
        {
            "0", "1", "2", "-1", "-0", "7", "8", "255", "256", "65536", "2147483647", "2147483648", "4294967295", "4294967296",
            "9223372036854775807", "9223372036854775808", "18446744073709551614", "18446744073709551615", "18446744073709551616",
            "340282366920938463463374607431768211456", "1e3", "1E400", "-1e-400", "0.5", "1.0", "00", "01", "1e", "+1", "0x10", ".5",
            "99999999999999999999999999999999999999999999999999999999999999999999",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    private static readonly byte[][] Values =
    [
        .. new[]
        {
            "null", "true", "false", "[]", "{}", "\"\"", "[[]]", "{\"\":0}", "nul", "NaN", "Infinity", "\"\\ud800\"", "\"\\u0000\"",
            "\"\\x\"", "\"a\":1", ",", "/*", "//\n", "[1,2,3]", "\"\\uD83D\\uDE00\"", "\"../../x\"", "\"..\"",
        }.Select(Encoding.UTF8.GetBytes),
        [(byte)'"', 0xff, (byte)'"'], [(byte)'"', 0xc3, 0x28, (byte)'"'], [0xef, 0xbb, 0xbf], [0],
    ];

    private readonly byte[][] _words = [.. words.Select(word => Encoding.UTF8.GetBytes($"\"{word}\""))];
    private readonly List<(int Start, int End)> _tokens = [];

    /// <summary>The text with one change, or up to four; <paramref name="other"/> lends its parts.</summary>
    public byte[] Mutate(byte[] text, byte[] other)
    {
        for (var i = random.Next(2) * random.Next(4); i >= 0; i--)
            text = MutateOnce(text, other);
        return text.Length <= LongestText ? text : text[..LongestText];
    }

    private byte[] MutateOnce(byte[] text, byte[] other)
    {
        FindTokens(text);
        if (_tokens.Count == 0)
            return other;
        var (start, end) = _tokens[random.Next(_tokens.Count)];
        switch (random.Next(14))
        {
            case 0:
                var changed = text.ToArray();
                changed[random.Next(text.Length)] ^= (byte)(1 << random.Next(8));
                return changed;
            case 1:
                return Replace(text, random.Next(text.Length + 1), 0, [(byte)random.Next(256)]);
            case 2:
                return text[..random.Next(text.Length + 1)];
            case 3: // Without a part.
                var from = random.Next(text.Length);
                return Replace(text, from, Math.Min(1 + random.Next(16), text.Length - from), []);
            case 4: // A part twice.
                var begin = random.Next(text.Length);
                return Replace(text, begin, 0, text.AsSpan(begin, Math.Min(1 + random.Next(100), text.Length - begin)));
            case 5:
                return Replace(text, start, end - start, random.Of(Values));
            case 6 or 7:
                return Replace(text, start, end - start, _words.Length > 0 && text[start] == '"' ? random.Of(_words) : random.Of(Numbers));
            case 8: // A token of the same text in its place.
                var (s, e) = _tokens[random.Next(_tokens.Count)];
                return Replace(text, start, end - start, text.AsSpan(s, e - s));
            case 9: // Deep inside.
                var depth = 1 << random.Next(9);
                var (open, close) = random.Next(2) == 0 ? ("[", ']') : ("{\"a\":", '}');
                var before = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(open, depth)));
                var after = Encoding.UTF8.GetBytes(new string(close, depth));
                return Replace(text, start, end - start, [.. before, .. text.AsSpan(start, end - start), .. after]);
            case 10: // The number before or after.
                return IsNumber(text, start, end, out var value)
                    ? Replace(text, start, end - start, Encoding.UTF8.GetBytes($"{(random.Next(2) == 0 ? value + 1 : value - 1)}"))
                    : Replace(text, start, end - start, random.Of(Values));
            case 11 or 12: // One more of a list.
                return Replace(text, start, 0, [.. text.AsSpan(start, end - start), (byte)',']);
            default: // Half of another text.
                var cut = random.Next(other.Length + 1);
                return [.. text.AsSpan(0, start), .. other.AsSpan(cut)];
        }
    }

    private static bool IsNumber(byte[] text, int start, int end, out Int128 value) =>
        Int128.TryParse(text.AsSpan(start, end - start), null, out value);

    private static byte[] Replace(byte[] text, int start, int count, ReadOnlySpan<byte> part) =>
        [.. text.AsSpan(0, start), .. part, .. text.AsSpan(start + count)];

    /// <summary>Strings, numbers and words, also of a text that is no JSON any more.</summary>
    private void FindTokens(byte[] text)
    {
        _tokens.Clear();
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            if (text[i] == '"')
            {
                for (i++; i < text.Length && text[i] != '"'; i++)
                {
                    if (text[i] == '\\')
                        i++;
                }

                i = Math.Min(i + 1, text.Length);
                _tokens.Add((start, i));
            }
            else if (IsWord(text[i]))
            {
                while (i < text.Length && IsWord(text[i]))
                    i++;
                _tokens.Add((start, i));
            }
            else
            {
                i++;
            }
        }
    }

    private static bool IsWord(byte b) => char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'+' or (byte)'.';
}
