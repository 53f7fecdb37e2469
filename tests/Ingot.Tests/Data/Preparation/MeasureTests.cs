using Ingot.Data.Preparation.Cleaning;
using NUnit.Framework;

namespace Ingot.Tests.Data.Preparation;

/// <summary>The measures that rules set limits to, counted by hand or by plain code over strings.</summary>
public class MeasureTests
{
    [Test]
    public void WordsAreWhatStandsBetweenSpacesAndChineseCharacters()
    {
        var words = Read("Don't stop,  漢字 e-mail! 12 --");
        Assert.That(words.Words.ToArray().Select(word => words.Text.Substring(word.Start, word.Length)),
            Is.EqualTo(new[] { "Don't", "stop,", "漢", "字", "e-mail!", "12", "--" }));
        Assert.That(words.TermCount, Is.EqualTo(6), "-- has nothing to compare");
        Assert.That(words.WithLetter, Is.EqualTo(5));
        Assert.That(words.Terms[0], Is.EqualTo(WordList.TermHash("dont")));
        Assert.That(words.TextOfTerms(1, 3), Is.EqualTo("stop,  漢字"));
    }

    [TestCase("minWords", "one two three", 3)]
    [TestCase("minMeanWordLength", "one three", 4)]
    [TestCase("symbolsPerWord", "# a … b ... c", 3 / 6.0)]
    [TestCase("bulletLines", "• a\n- b\n\nc\n* d", 0.75)]
    [TestCase("ellipsisLines", "a...\nb…\nc", 2 / 3.0)]
    [TestCase("wordsWithLetter", "a 1 b2 --", 0.5)]
    [TestCase("stopWords", "The of THE and.", 3)]
    [TestCase("minSentences", "One. Two! \"Three?\" v1.2 four", 3)]
    [TestCase("loremIpsum", "Some Lorem Ipsum here", 1)]
    [TestCase("curlyBrackets", "no", 0)]
    [TestCase("replacementCharacters", "a\ufffdbc", 0.25)]
    [TestCase("minCharacters", "", 0)]
    [TestCase("repeatedLines", "a\nb\na\n\na", 0.5)]
    [TestCase("repeatedLineCharacters", "abc\nb\nabc", 3 / 7.0)]
    [TestCase("repeatedParagraphs", "a\nb\n\nc\n\na\nb", 1 / 3.0)]
    [TestCase("repeatedParagraphCharacters", "ab\n\nc\n\nab", 2 / 5.0)]
    public void Measures(string rule, string text, double expected) => Assert.That(Measure(rule, text), Is.EqualTo(expected).Within(1e-12));

    [Test]
    public void NgramsAreCountedAsGopherDoes()
    {
        var random = new Random(3);
        for (var round = 0; round < 30; round++)
        {
            var words = Enumerable.Range(0, random.Next(50, 400)).Select(_ => new string('x', random.Next(1, 6)) + random.Next(8)).ToArray();
            var text = string.Join(' ', words);
            var total = words.Sum(word => word.Length);
            foreach (var n in new[] { 2, 3, 4 })
            {
                var grams = Enumerable.Range(0, words.Length - n + 1).Select(i => string.Join(' ', words[i..(i + n)]))
                    .GroupBy(gram => gram).Select(gram => (Count: gram.Count(), Length: gram.Key.Replace(" ", "").Length)).ToList();
                var most = grams.Max(gram => gram.Count);
                var expected = most == 1 ? 0 : Math.Min(1, most * grams.Where(gram => gram.Count == most).Max(gram => gram.Length) / (double)total);
                Assert.That(Measure($"top{n}Gram", text), Is.EqualTo(expected).Within(1e-12));
            }

            foreach (var n in new[] { 5, 6, 7, 8, 9, 10 })
            {
                var seen = new HashSet<string>();
                var repeated = new bool[words.Length];
                for (var i = 0; i + n <= words.Length; i++)
                {
                    if (!seen.Add(string.Join(' ', words[i..(i + n)])))
                        Array.Fill(repeated, true, i, n);
                }

                var expected = words.Where((_, i) => repeated[i]).Sum(word => word.Length) / (double)total;
                Assert.That(Measure($"repeated{n}Grams", text), Is.EqualTo(expected).Within(1e-12));
            }
        }
    }

    [Test]
    public void LongRepeatsAreFound()
    {
        // word0 … word19 come again: 110 of 580 characters.
        var words = Enumerable.Range(0, 80).Select(i => $"word{i}").ToList();
        words.AddRange(words.Take(20).ToList());
        Assert.That(Measure("repeated10Grams", string.Join(' ', words)), Is.EqualTo(110 / 580.0).Within(1e-12));
    }

    private static WordList Read(string text)
    {
        var words = new WordList();
        words.Read(text);
        return words;
    }

    private static double Measure(string rule, string text)
    {
        var words = Read(text);
        var repetition = new Repetition();
        repetition.Read(words);
        return RuleTable.All[RuleTable.IndexOf(rule)].Measures!(words, repetition);
    }
}
