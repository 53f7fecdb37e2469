using System.Buffers;
using System.Globalization;
using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>
/// Strings and numbers as Python, in which templates think, has them: indexed by code points, and written as it writes them.
/// </summary>
internal static class PythonText
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\u001C\u001D\u001E\u0085\u2028\u2029");

    /// <summary>Python's <c>str.isspace</c> of one character.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    /// <summary>Where the text ends without the white space at its end.</summary>
    public static int EndWithoutSpace(ReadOnlySpan<char> text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
        {
            end--;
        }

        return end;
    }

    /// <summary><c>str.strip</c>, <c>lstrip</c> and <c>rstrip</c>: of white space, or of the characters of a string.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        int from = 0;
        int to = text.Length;
        while (start && from < to && IsStripped(text[from], characters))
        {
            from++;
        }

        while (end && to > from && IsStripped(text[to - 1], characters))
        {
            to--;
        }

        return text[from..to];
    }

    /// <summary>How many code points there are.</summary>
    public static int Length(string text) => HasPairs(text) ? text.EnumerateRunes().Count() : text.Length;

    /// <summary>Whether code points and UTF-16 units differ.</summary>
    public static bool HasPairs(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0;

    /// <summary>The text's code points, each as a string.</summary>
    public static string[] CodePoints(string text)
    {
        if (!HasPairs(text))
        {
            return Array.ConvertAll(text.ToCharArray(), c => c.ToString());
        }

        return [.. text.EnumerateRunes().Select(rune => rune.ToString())];
    }

    /// <summary>Python's <c>str.splitlines</c>.</summary>
    public static List<string> SplitLines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        int start = 0;
        while (start < text.Length)
        {
            int end = text.AsSpan(start).IndexOfAny(LineEnds);
            if (end < 0)
            {
                lines.Add(text[start..]);
                break;
            }

            end += start;
            int next = end + (text.AsSpan(end).StartsWith("\r\n") ? 2 : 1);
            lines.Add(text[start..(keepEnds ? next : end)]);
            start = next;
        }

        return lines;
    }

    /// <summary><c>str.title</c>: of every run of letters the first is upper case, the others lower case.</summary>
    public static string Title(string text)
    {
        var title = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char c in text)
        {
            title.Append(inWord ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inWord = char.IsLetter(c);
        }

        return title.ToString();
    }

    /// <summary><c>str.capitalize</c>.</summary>
    public static string Capitalize(string text) =>
        text.Length == 0 ? text : string.Concat(text[..1].ToUpperInvariant(), text[1..].ToLowerInvariant());

    /// <summary>A string between quotes, as <c>repr</c> writes it.</summary>
    public static void AppendQuoted(StringBuilder output, string text)
    {
        char quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        output.Append(quote);
        foreach (char c in text)
        {
            switch (c)
            {
                case '\n':
                    output.Append("\\n");
                    break;
                case '\r':
                    output.Append("\\r");
                    break;
                case '\t':
                    output.Append("\\t");
                    break;
                case '\\':
                    output.Append("\\\\");
                    break;
                case < ' ' or (>= '\x7F' and <= '\xA0') or '\xAD':
                    output.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
                    break;
                default:
                    output.Append(c == quote ? "\\" : "").Append(c);
                    break;
            }
        }

        output.Append(quote);
    }

    /// <summary>A floating-point number as <c>repr</c> writes it: the fewest digits that read back as the same number.</summary>
    public static string OfDouble(double value)
    {
        if (double.IsNaN(value))
        {
            return "nan";
        }

        if (double.IsInfinity(value))
        {
            return value > 0 ? "inf" : "-inf";
        }

        if (value == 0)
        {
            return double.IsNegative(value) ? "-0.0" : "0.0";
        }

        // Python writes an exponent from 1e16 on and below 1e-4; C# elsewhere. Both write the same digits.
        string shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int mark = shortest.IndexOf('E', StringComparison.Ordinal);
        string number = mark < 0 ? shortest : shortest[..mark];
        int point = number.IndexOf('.', StringComparison.Ordinal);
        int exponent = (mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign))
            + (point < 0 ? number.Length : point) - 1;
        string all = number.Replace(".", "", StringComparison.Ordinal);
        string digits = all.TrimStart('0');
        exponent -= all.Length - digits.Length;
        digits = digits.TrimEnd('0');

        string sign = value < 0 ? "-" : "";
        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        return exponent < 0 ? $"{sign}0.{new string('0', -exponent - 1)}{digits}"
            : digits.Length <= exponent + 1 ? $"{sign}{digits.PadRight(exponent + 1, '0')}.0"
            : $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    private static bool IsStripped(char c, string? characters) =>
        characters is null ? IsSpace(c) : characters.Contains(c, StringComparison.Ordinal);
}
