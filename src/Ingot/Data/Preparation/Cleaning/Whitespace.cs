using System.Buffers;
using System.Text;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// Plain white space: Unicode's other spaces become a space, spaces at line ends go, as do empty lines at the beginning and at the end, and
/// several empty lines become one. Spaces and tabs inside a line stay, which indentation and tables need.
/// </summary>
internal static class Whitespace
{
    private static readonly SearchValues<char> OtherSpaces = SearchValues.Create(
        "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000");

    /// <summary>Cleans a text; counts lines that changed or went.</summary>
    public static string Clean(string text, ref long count)
    {
        StringBuilder? cleaned = null;
        var before = count;
        var rest = text.AsSpan();
        var empty = 0; // Empty lines that have been passed and not written.
        var written = 0; // Characters that the result has.
        var isFirst = true;
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf('\n');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            var spaces = line.IndexOfAny(OtherSpaces) >= 0;
            var trimmed = spaces ? line.TrimEnd() : line.TrimEnd(" \t");
            if (spaces || trimmed.Length < line.Length)
                Begin(text, written, ref cleaned);
            if (trimmed.IsEmpty)
            {
                count += isFirst || empty > 0 ? 1 : 0;
                empty++;
                if (isFirst || empty > 1)
                    Begin(text, written, ref cleaned);
                continue;
            }

            var gap = isFirst ? 0 : empty > 0 ? 2 : 1;
            cleaned?.Append('\n', gap).Append(trimmed);
            if (spaces)
            {
                for (var i = cleaned!.Length - trimmed.Length; i < cleaned.Length; i++)
                {
                    if (OtherSpaces.Contains(cleaned[i]))
                        cleaned[i] = ' ';
                }
            }

            count += spaces || trimmed.Length < line.Length ? 1 : 0;
            written += gap + trimmed.Length;
            empty = 0;
            isFirst = false;
        }

        if (cleaned is null && written == text.Length)
            return text;
        count += count == before ? 1 : 0; // Line ends at the end.
        return cleaned?.ToString() ?? text[..written];
    }

    // Up to here the text was as it should be.
    private static void Begin(string text, int written, ref StringBuilder? cleaned) =>
        cleaned ??= new StringBuilder(text.Length).Append(text, 0, written);

    /// <summary>Makes one space of several spaces and tabs inside a line; counts stretches.</summary>
    public static string Collapse(string text, ref long count)
    {
        StringBuilder? cleaned = null;
        var done = 0;
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] is not (' ' or '\t'))
                continue;
            var end = at + 1;
            while (end < text.Length && text[end] is ' ' or '\t')
                end++;
            if (end - at > 1 || text[at] == '\t')
            {
                (cleaned ??= new StringBuilder(text.Length)).Append(text, done, at - done).Append(' ');
                done = end;
                count++;
            }

            at = end - 1;
        }

        return cleaned is null ? text : cleaned.Append(text, done, text.Length - done).ToString();
    }
}
