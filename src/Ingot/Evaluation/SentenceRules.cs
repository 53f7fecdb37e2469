using System.Buffers;

namespace Ingot.Evaluation;

/// <summary>
/// Cuts running text into sentences by rules: behind . ! ? and closing marks, where white space and no small letter follow, but not behind
/// initials and common abbreviations; behind 。！？ in any case. rouge_score has NLTK's trained Punkt for this; the two differ now and then.
/// </summary>
internal static class SentenceRules
{
    private static readonly HashSet<string> Abbreviations = new(StringComparer.OrdinalIgnoreCase)
    {
        "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "vs", "etc", "e.g", "i.e", "cf", "al", "fig", "no", "inc", "ltd", "co", "corp",
        "gen", "gov", "sen", "rep", "u.s", "u.k", "a.m", "p.m",
    };

    private static readonly SearchValues<char> BeforeWords = SearchValues.Create(" \t\n(\"'");

    /// <summary>Where the sentences are; white space around them belongs to none.</summary>
    public static IEnumerable<Range> Split(string text)
    {
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (!IsEnd(text[i]))
                continue;
            var mark = i;
            while (i + 1 < text.Length && (IsEnd(text[i + 1]) || text[i + 1] is '"' or '\'' or ')' or ']' or '”' or '’' or '»' or '」'))
                i++;
            if (!EndsSentence(text, start, mark, i + 1))
                continue;
            yield return start..(i + 1);
            start = i + 1;
            while (start < text.Length && char.IsWhiteSpace(text[start]))
                start++;
        }

        if (start < text.Length)
            yield return start..text.Length;
    }

    private static bool IsEnd(char c) => c is '.' or '!' or '?' or '。' or '！' or '？';

    private static bool EndsSentence(string text, int start, int mark, int end)
    {
        if (text[mark] is '。' or '！' or '？')
            return true;
        var next = end;
        while (next < text.Length && char.IsWhiteSpace(text[next]))
            next++;
        if (next < text.Length && (next == end || char.IsLower(text[next])))
            return false;
        if (text[mark] != '.' || next == text.Length)
            return true;
        var word = text.AsSpan(start, mark - start);
        word = word[(word.LastIndexOfAny(BeforeWords) + 1)..];
        return !(word.Length == 1 && char.IsUpper(word[0])) && !Abbreviations.Contains(word.ToString());
    }
}
