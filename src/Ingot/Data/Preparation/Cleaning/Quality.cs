using System.Buffers;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Measures of a document that the rules of Gopher (Rae et al. 2021, A1.1) and C4 (Raffel et al. 2020, 2.2) set limits
/// to.</summary>
internal static class Quality
{
    private static readonly ulong[] StopWordTerms =
        [.. new[] { "the", "be", "to", "of", "and", "that", "have", "with" }.Select(word => WordList.TermHash(word))];

    private static readonly SearchValues<char> SentenceEnds = SearchValues.Create(".!?。！？");

    /// <summary>Characters of a word, on average.</summary>
    public static double MeanWordLength(WordList words) => words.Count == 0 ? 0 : words.Characters / (double)words.Count;

    /// <summary>Signs # and … (or ...) for each word.</summary>
    public static double SymbolsPerWord(WordList words)
    {
        var text = words.Text.AsSpan();
        var symbols = text.Count('#') + text.Count('…') + text.Count("...");
        return words.Count == 0 ? 0 : symbols / (double)words.Count;
    }

    /// <summary>Share of the lines that begin with a bullet.</summary>
    public static double BulletLines(WordList words) =>
        ShareOfLines(words.Text, line => line[0] is '•' or '●' or '○' or '▪' or '‣' or '*' or '-' or '–' or '·' or '■');

    /// <summary>Share of the lines that end in an ellipsis.</summary>
    public static double EllipsisLines(WordList words) => ShareOfLines(words.Text, line => line[^1] == '…' || line.EndsWith("..."));

    /// <summary>Share of the words that have a letter.</summary>
    public static double WordsWithLetter(WordList words) => words.Count == 0 ? 0 : words.WithLetter / (double)words.Count;

    /// <summary>How many different ones of the, be, to, of, and, that, have, with there are.</summary>
    public static double StopWords(WordList words)
    {
        var found = 0;
        foreach (var term in words.Terms)
        {
            var which = StopWordTerms.AsSpan().IndexOf(term);
            if (which >= 0)
                found |= 1 << which;
            if (found == (1 << StopWordTerms.Length) - 1)
                break;
        }

        return int.PopCount(found);
    }

    /// <summary>Sentences: full stops, exclamation and question marks with a space, a quotation mark or the end behind them.</summary>
    public static double Sentences(WordList words)
    {
        var count = 0;
        var rest = words.Text.AsSpan();
        while (rest.IndexOfAny(SentenceEnds) is var end and >= 0)
        {
            var next = end + 1 < rest.Length ? rest[end + 1] : ' ';
            count += char.IsWhiteSpace(next) || next is '"' or '\'' or '”' or '’' or ')' or '»' || rest[end] >= '\u3000' ? 1 : 0;
            rest = rest[(end + 1)..];
        }

        return count;
    }

    /// <summary>How often a phrase stands in a text, whatever its case.</summary>
    public static double Contains(WordList words, string phrase) => words.Text.Contains(phrase, StringComparison.OrdinalIgnoreCase) ? 1 : 0;

    /// <summary>Share of the characters that are U+FFFD, which stands for what could not be read.</summary>
    public static double Replaced(WordList words) =>
        words.Text.Length == 0 ? 0 : words.Text.AsSpan().Count('\ufffd') / (double)words.Text.Length;

    private static double ShareOfLines(ReadOnlySpan<char> text, LineTest test)
    {
        var (all, some) = (0, 0);
        foreach (var range in text.Split('\n'))
        {
            var line = text[range].Trim();
            if (line.IsEmpty)
                continue;
            all++;
            some += test(line) ? 1 : 0;
        }

        return all == 0 ? 0 : some / (double)all;
    }

    private delegate bool LineTest(ReadOnlySpan<char> line);
}
