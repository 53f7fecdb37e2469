using System.Globalization;
using Ingot.Training;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>All rules, in the order in which they are applied.</summary>
public static class RuleTable
{
    private const string Gopher = "Gopher", GopherRepetition = "Gopher, table A1", C4 = "C4";

    /// <summary>The rules.</summary>
    public static IReadOnlyList<Rule> All { get; } =
    [
        Reading("badRecords", "records that cannot be read; the option badRecords decides"),
        Reading("missing", "records without text; the option missing decides"),
        new()
        {
            Name = "encoding", Kind = RuleKind.Repair, Parameter = RuleParameter.Switch, InText = true, InWeb = true,
                Source = "WHATWG Encoding",
            Summary = "bytes that are not UTF-8: UTF-16 and Windows-1252 (Latin-1) are recognised, broken characters become U+FFFD; off: "
                + "an error",
        },
        Repair("mojibake", "UTF-8 that was read as Windows-1252: Ã© becomes é", Mojibake.Repair),
        Repair("htmlTags", "tags of HTML; scripts, styles and comments with their content", Html.RemoveTags),
        Repair("htmlEntities", "entities of HTML: &amp; becomes &", Html.DecodeEntities),
        Repair("unicode", "characters composed as Unicode's form NFC has them", UnicodeForm.Compose, source: "UAX #15"),
        Repair("controlCharacters", "control and invisible characters go, all line ends become LF", ControlCharacters.Clean),
        Repair("citations", "footnote marks: [1], [edit], [citation needed]", Lines.RemoveCitations, inText: false, source: C4),
        Mask("emails", "e-mail addresses become <EMAIL>", Masks.Emails),
        Mask("phoneNumbers", "telephone numbers become <PHONE>", Masks.PhoneNumbers),
        new()
        {
            Name = "longNumbers", Kind = RuleKind.Mask, Parameter = RuleParameter.Limit, DefaultLimit = 9,
            Summary = "numbers of at least so many digits become <NUMBER>",
            Repairs = static (string text, double limit, ref long count) => Masks.LongNumbers(text, (int)Math.Max(1, limit), ref count),
        },
        Repair("whitespace", "spaces at line ends, Unicode's other spaces, several empty lines", Whitespace.Clean),
        Repair("collapseSpaces", "several spaces and tabs in a line become one space", Whitespace.Collapse, inText: false, inWeb: false),
        Line("terminalPunctuation", null, "lines that do not end in . ! ? or a quotation mark", (line, _) => !Lines.EndsSentence(line),
            inWeb: false),
        Line("minLineWords", 3, "lines of fewer words", (line, limit) => Lines.CountWords(line, (int)Math.Ceiling(limit)) < limit,
            inWeb: false),
        Line("maxLineWordLength", 1000, "lines with a word of more characters", (line, limit) => Lines.HasWordLongerThan(line, (int)limit)),
        Line("javascriptLines", null, "lines that speak of JavaScript", (line, _) => Lines.SaysJavaScript(line)),
        Line("policyLines", null, "lines that speak of terms of use, privacy policy or cookies", (line, _) => Lines.SaysPolicy(line)),
        new()
        {
            Name = "duplicateLines", Kind = RuleKind.Line, Parameter = RuleParameter.Limit, DefaultLimit = 40, Source = "cf. CCNet",
            Summary = "lines of at least so many characters that stood in the input before",
        },
        Below("minCharacters", 1, "documents of fewer characters", (words, _) => words.Text.Length, "", inText: true),
        new()
        {
            Name = "language", Kind = RuleKind.Document, Parameter = RuleParameter.Text,
            Summary = "documents whose guessed language is not among these: language=en or language=en,de",
        },
        Above("replacementCharacters", 0.01, "share of characters that are U+FFFD", (words, _) => Quality.Replaced(words), "",
            inText: true),
        Below("minWords", 50, "documents of fewer words", (words, _) => words.Count, Gopher),
        Above("maxWords", 100_000, "documents of more words", (words, _) => words.Count, Gopher),
        Below("minMeanWordLength", 3, "mean length of words in characters", (words, _) => Quality.MeanWordLength(words), Gopher),
        Above("maxMeanWordLength", 10, "mean length of words in characters", (words, _) => Quality.MeanWordLength(words), Gopher),
        Above("symbolsPerWord", 0.1, "signs # and … for each word", (words, _) => Quality.SymbolsPerWord(words), Gopher),
        Above("bulletLines", 0.9, "share of lines that begin with a bullet", (words, _) => Quality.BulletLines(words), Gopher),
        Above("ellipsisLines", 0.3, "share of lines that end in an ellipsis", (words, _) => Quality.EllipsisLines(words), Gopher),
        Below("wordsWithLetter", 0.8, "share of words that have a letter", (words, _) => Quality.WordsWithLetter(words), Gopher),
        Below("stopWords", 2, "different ones of the, be, to, of, and, that, have, with (for English)",
            (words, _) => Quality.StopWords(words), Gopher),
        Below("minSentences", 3, "documents of fewer sentences", (words, _) => Quality.Sentences(words), C4),
        Above("loremIpsum", 0, "documents with the words lorem ipsum", (words, _) => Quality.Contains(words, "lorem ipsum"), C4),
        Above("curlyBrackets", 0, "documents with a {, which are code", (words, _) => Quality.Contains(words, "{"), C4, inWeb: false),
        Above("repeatedLines", 0.3, "share of lines that repeat an earlier one", (_, text) => text.Lines, GopherRepetition),
        Above("repeatedParagraphs", 0.3, "share of paragraphs that repeat an earlier one", (_, text) => text.Paragraphs, GopherRepetition),
        Above("repeatedLineCharacters", 0.2, "the same, as a share of characters", (_, text) => text.LineCharacters, GopherRepetition),
        Above("repeatedParagraphCharacters", 0.2, "the same, as a share of characters", (_, text) => text.ParagraphCharacters,
            GopherRepetition),
        TopNgram(2, 0.2), TopNgram(3, 0.18), TopNgram(4, 0.16),
        RepeatedNgrams(5, 0.15), RepeatedNgrams(6, 0.14), RepeatedNgrams(7, 0.13),
        RepeatedNgrams(8, 0.12), RepeatedNgrams(9, 0.11), RepeatedNgrams(10, 0.1),
        new()
        {
            Name = "contamination", Kind = RuleKind.Document, Parameter = RuleParameter.Limit, DefaultLimit = 13, InText = true,
                InWeb = true,
            Source = "GPT-3, appendix C", Summary = "documents that share so many words in a row with a file of the option decontaminate",
        },
        new()
        {
            Name = "duplicateDocuments", Kind = RuleKind.Document, Parameter = RuleParameter.Switch, InText = true, InWeb = true,
            Summary = "documents whose text came before",
        },
        new()
        {
            Name = "nearDuplicates", Kind = RuleKind.Document, Parameter = RuleParameter.Limit, DefaultLimit = 0.8, InText = true,
                InWeb = true,
            Source = "Broder 1997", Summary = "documents whose sets of 5 words in a row have at least this Jaccard similarity to those of "
                + "one before",
        },
    ];

    /// <summary>The place of a rule in the table.</summary>
    internal static int IndexOf(string name)
    {
        for (var i = 0; i < All.Count; i++)
        {
            if (All[i].Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return i;
        }

        return -1;
    }

    /// <summary>What is wrong with changes of rules, as sentences about the option rules.</summary>
    internal static IEnumerable<string> Check(IReadOnlyDictionary<string, string> changes)
    {
        foreach (var (name, value) in changes)
        {
            if (IndexOf(name) is var index && index < 0)
            {
                yield return $"names \"{name}\", which is no rule"
                    + (NearestName.Find(name, All.Select(rule => rule.Name)) is { } near ? $": did you mean {near}?"
                        : "; `ingot data rules` lists them");
            }
            else if (All[index].Parameter == RuleParameter.Option)
            {
                yield return $"cannot set {All[index].Name}: that is an option of its own, --{All[index].Name}";
            }
            else if (!TryRead(All[index], value, out _))
            {
                var accepted = All[index].Parameter switch
                {
                    RuleParameter.Switch => "on or off",
                    RuleParameter.Limit =>
                        $"a number that is not negative, on (which means {Rule.Number(All[index].DefaultLimit)}), or off",
                    _ => "codes of languages such as en or en,de, or off; known are " + string.Join(", ", LanguageGuess.All),
                };
                yield return $"sets {All[index].Name} to \"{value}\", but it must be {accepted}";
            }
        }
    }

    /// <summary>Reads a setting.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="text">on, off, true, false, a number, or a text.</param>
    /// <param name="limit">The limit; null if the rule is off, 1 if it is on and has none.</param>
    internal static bool TryRead(Rule rule, string text, out double? limit)
    {
        limit = null;
        switch (text.ToLowerInvariant())
        {
            case "off" or "false":
                return true;
            case "on" or "true" when rule.Parameter != RuleParameter.Text:
                limit = rule.DefaultLimit;
                return true;
        }

        if (rule.Parameter == RuleParameter.Text)
        {
            limit = 1;
            return text.Length > 0 && text.Split(',').All(code => LanguageGuess.All.Contains(code));
        }

        if (rule.Parameter != RuleParameter.Limit
            || !double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            || !double.IsFinite(number) || number < 0)
        {
            return false;
        }

        limit = number;
        return rule.Name switch
        {
            "nearDuplicates" => number is >= 0.3 and <= 1,
            "contamination" => number is >= 3 and <= 100 && number == Math.Floor(number),
            _ => true,
        };
    }

    private delegate string Counting(string text, ref long count);

    private static Rule Reading(string name, string summary) => new()
    {
        Name = name,
        Kind = RuleKind.Reading,
        Parameter = RuleParameter.Option,
        InText = true,
        InWeb = true,
        Summary = summary,
    };

    private static Rule Repair(
        string name, string summary, Counting repair, bool inText = true, bool inWeb = true, string source = "") => new()
        {
            Name = name,
            Kind = RuleKind.Repair,
            Parameter = RuleParameter.Switch,
            InText = inText,
            InWeb = inWeb,
            Summary = summary,
            Source = source,
            Repairs = (string text, double _, ref long count) => repair(text, ref count),
        };

    private static Rule Mask(string name, string summary, Counting mask) => new()
    {
        Name = name,
        Kind = RuleKind.Mask,
        Parameter = RuleParameter.Switch,
        InText = true,
        InWeb = true,
        Summary = summary,
        Repairs = (string text, double _, ref long count) => mask(text, ref count),
    };

    private static Rule Line(string name, double? limit, string summary, Rule.LineTest removes, bool inWeb = true) => new()
    {
        Name = name,
        Kind = RuleKind.Line,
        Parameter = limit is null ? RuleParameter.Switch : RuleParameter.Limit,
        DefaultLimit = limit ?? 1,
        InWeb = inWeb,
        Summary = summary,
        Source = C4,
        RemovesLine = removes,
    };

    private static Rule Below(
        string name, double limit, string summary, Rule.Measure measure, string source, bool inText = false, bool inWeb = true) => new()
        {
            Name = name,
            Kind = RuleKind.Document,
            Parameter = RuleParameter.Limit,
            DefaultLimit = limit,
            InText = inText,
            InWeb = inWeb,
            Summary = summary,
            Source = source,
            Measures = measure,
            RemovesBelow = true,
        };

    private static Rule Above(
        string name, double limit, string summary, Rule.Measure measure, string source, bool inText = false, bool inWeb = true) => new()
        {
            Name = name,
            Kind = RuleKind.Document,
            Parameter = RuleParameter.Limit,
            DefaultLimit = limit,
            InText = inText,
            InWeb = inWeb,
            Summary = summary,
            Source = source,
            Measures = measure,
        };

    private static Rule TopNgram(int n, double limit) => Above(
        $"top{n}Gram", limit, $"share of characters in the commonest {n} words in a row", (_, text) => text.Top(n), GopherRepetition,
        inText: true);

    private static Rule RepeatedNgrams(int n, double limit) => Above(
        $"repeated{n}Grams", limit, $"share of characters in {n} words in a row that came before", (_, text) => text.Repeated(n),
        GopherRepetition, inText: true);
}
