using System.Buffers;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Tests of single lines, those of C4 (Raffel et al. 2020, 2.2). Empty lines are not tested.</summary>
internal static class Lines
{
    private static readonly SearchValues<string> PolicyPhrases = SearchValues.Create(
        ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"],
        StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a line ends as a sentence does: in . ! ? or a closing quotation mark, and not in an ellipsis.</summary>
    public static bool EndsSentence(ReadOnlySpan<char> line)
    {
        line = line.TrimEnd();
        return line.Length > 0 && line[^1] is '.' or '!' or '?' or '"' or '”' or '’' or '\'' or '»' or '。' or '！' or '？' or '」'
            && !line.EndsWith("...");
    }

    /// <summary>How many words a line has; not more than asked for are counted.</summary>
    public static int CountWords(ReadOnlySpan<char> line, int enough)
    {
        var count = 0;
        for (var i = 0; i < line.Length && count < enough; i++)
            count += !char.IsWhiteSpace(line[i]) && (i == 0 || char.IsWhiteSpace(line[i - 1]) || line[i] is >= '\u3040' and <= '\u9fff')
                ? 1 : 0;
        return count;
    }

    /// <summary>Whether a line has a word of more characters.</summary>
    public static bool HasWordLongerThan(ReadOnlySpan<char> line, int most)
    {
        if (line.Length <= most)
            return false;
        foreach (var range in line.SplitAny(" \t"))
        {
            if (range.End.Value - range.Start.Value > most)
                return true;
        }

        return false;
    }

    /// <summary>Whether a line speaks of JavaScript, which pages ask one to switch on.</summary>
    public static bool SaysJavaScript(ReadOnlySpan<char> line) => line.Contains("javascript", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a line speaks of terms of use, privacy or cookies.</summary>
    public static bool SaysPolicy(ReadOnlySpan<char> line) => line.ContainsAny(PolicyPhrases);

    /// <summary>Removes the marks of Wikipedia's footnotes: [1], [edit], [citation needed]. Counts them.</summary>
    public static string RemoveCitations(string text, ref long count)
    {
        System.Text.StringBuilder? cleaned = null;
        var done = 0;
        for (var at = text.IndexOf('[', StringComparison.Ordinal); at >= 0; at = at + 1 < text.Length ? text.IndexOf('[', at + 1) : -1)
        {
            var rest = text.AsSpan(at, Math.Min(20, text.Length - at));
            var end = rest.IndexOf(']');
            if (end < 1)
                continue;
            var inside = rest[1..end];
            if (!(inside is "edit" or "citation needed" || (inside.Length is >= 1 and <= 3 && !inside.ContainsAnyExceptInRange('0', '9'))))
                continue;
            (cleaned ??= new System.Text.StringBuilder(text.Length)).Append(text, done, at - done);
            done = at + end + 1;
            at = done - 1;
            count++;
        }

        return cleaned is null ? text : cleaned.Append(text, done, text.Length - done).ToString();
    }
}
