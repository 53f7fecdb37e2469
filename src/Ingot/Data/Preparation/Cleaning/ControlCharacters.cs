using System.Buffers;
using System.Text;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// One kind of line end, and nothing invisible: CR LF, CR, form feeds and Unicode's separators become LF; other control characters (C0,
/// C1),
/// soft hyphens, zero-width spaces, byte-order marks, direction marks and non-characters go. Tabs stay, and so do the joiners U+200C and
/// U+200D, which scripts and emoji need.
/// </summary>
internal static class ControlCharacters
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\r\v\f\u0085\u2028\u2029");
    private static readonly SearchValues<char> Touched = SearchValues.Create(string.Concat(
        Enumerable.Range(0, char.MaxValue + 1).Select(value => (char)value).Where(c => LineEnds.Contains(c) || IsRemoved(c))));

    /// <summary>Cleans a text; counts characters.</summary>
    public static string Clean(string text, ref long count)
    {
        var next = text.AsSpan().IndexOfAny(Touched);
        if (next < 0)
            return text;
        var cleaned = new StringBuilder(text.Length);
        var rest = text.AsSpan();
        while (next >= 0)
        {
            cleaned.Append(rest[..next]);
            var character = rest[next];
            if (LineEnds.Contains(character))
            {
                cleaned.Append('\n');
                next += character == '\r' && next + 1 < rest.Length && rest[next + 1] == '\n' ? 1 : 0;
            }

            count++;
            rest = rest[(next + 1)..];
            next = rest.IndexOfAny(Touched);
        }

        return cleaned.Append(rest).ToString();
    }

    private static bool IsRemoved(char c) =>
        (char.IsControl(c) && c is not ('\n' or '\t'))
        || c is '\u00ad' or '\u200b' or '\u200e' or '\u200f' or '\ufeff' or '\ufffe' or '\uffff'
            or (>= '\u202a' and <= '\u202e') or (>= '\u2060' and <= '\u206f') or (>= '\ufff9' and <= '\ufffb')
            or (>= '\ufdd0' and <= '\ufdef');
}
