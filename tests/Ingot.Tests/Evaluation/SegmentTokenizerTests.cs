using System.Text;
using System.Text.RegularExpressions;
using Ingot.Evaluation;
using Ingot.Evaluation.Segmentation;
using NUnit.Framework;

namespace Ingot.Tests.Evaluation;

/// <summary>The tokenizers against the substitutions that define them, on strings made of the characters that they treat.</summary>
public sealed class SegmentTokenizerTests
{
    private static readonly string[] Pieces =
    [
        "a", "Zz", "5", "42", ".", ",", "-", "'", "&amp;", "&quot;", "&lt;", "<skipped>", " ", "!", "(", "/", "@", "~", "é", "²", "٣", "。", "“",
        "…", "中", "文", "，", "€", "½", "\u00A0", "\t", "😀", "ⅷ", "ﬀ", "—",
    ];

    [TestCase("13a", "Hello, world! It costs $5.99 (in all 1,000-2,000).", "Hello , world ! It costs $ 5.99 ( in all 1,000 - 2,000 ) .")]
    [TestCase("13a", "don't stop-it \"now\" &quot;x&quot; &amp;lt;", "don't stop-it \" now \" \" x \" <")]
    [TestCase("13a", "a..b ,.5 5., 3-4 .5", "a . . b , .5 5 . , 3 - 4 . 5")]
    [TestCase("zh", "中文,abc 1.5元。“好”", "中 文 , abc 1.5 元 。 “ 好 ”")]
    [TestCase("zh", "end 5.", "end 5.")]
    [TestCase("intl", "“Hallo” – 1,5 €! 2020.", "“ Hallo ” – 1,5 € ! 2020.")]
    [TestCase("char", "a b😀", "a b 😀")]
    [TestCase("none", " a.b  c, ", "a.b c,")]
    public void Examples(string tokenizer, string text, string expected) => Assert.That(Tokens(tokenizer, text), Is.EqualTo(expected));

    [TestCase("13a")]
    [TestCase("zh")]
    [TestCase("intl")]
    public void RandomStringsAreCutAsTheSubstitutionsCutThem(string tokenizer)
    {
        var random = new Random(7);
        for (var i = 0; i < 20000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Pieces[random.Next(Pieces.Length)]));
            var expected = tokenizer switch
            {
                "13a" => Reference13a(text),
                "zh" => ReferenceZh(text),
                _ => ReferenceIntl(text),
            };
            Assert.That(Tokens(tokenizer, text), Is.EqualTo(expected), text);
        }
    }

    [Test]
    public void AnUnknownNameIsAnErrorWithTheNearest()
    {
        var error = Assert.Throws<ArgumentException>(() => SegmentTokenizer.Create("13b"));
        Assert.That(error!.Message, Does.Contain("did you mean 13a?").And.Contain("13a, intl, zh, char, none"));
    }

    private static string Tokens(string tokenizer, string text)
    {
        var separated = SegmentTokenizer.Create(tokenizer).Separate(PythonText.TrimEnd(text), new CharBuffer());
        var words = new List<string>();
        while (PythonText.NextWord(ref separated, out var word))
            words.Add(word.ToString());
        return string.Join(' ', words);
    }

    private static string Reference13a(string text)
    {
        text = text.TrimEnd().Replace("<skipped>", "", StringComparison.Ordinal);
        text = text.Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal)
            .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal);
        return Western($" {text} ");
    }

    private static string ReferenceZh(string text)
    {
        var apart = new StringBuilder();
        foreach (var c in text.Trim())
        {
            var chinese = c is (> '\u2000' and <= '\u2A6D') or (>= '\u3000' and <= '\u303F') or (>= '\u4E00' and <= '\u9FBB')
                or (>= '\uFF00' and <= '\uFFEF');
            apart.Append(chinese ? $" {c} " : c.ToString());
        }

        return Western(apart.ToString());
    }

    private static string Western(string text)
    {
        text = Regex.Replace(text, @"([\{-\~\[-\` -\&\(-\+\:-\@\/])", " $1 ");
        text = Regex.Replace(text, @"([^0-9])([\.,])", "$1 $2 ");
        text = Regex.Replace(text, @"([\.,])([^0-9])", " $1 $2");
        text = Regex.Replace(text, @"([0-9])(-)", "$1 $2 ");
        return Squeeze(text);
    }

    // Regular expressions here see the two units of 😀 apart; neither is a number or punctuation.
    private static string ReferenceIntl(string text)
    {
        text = Regex.Replace(text.TrimEnd(), @"(\P{N})(\p{P})", "$1 $2 ");
        text = Regex.Replace(text, @"(\p{P})(\P{N})", " $1 $2");
        return Squeeze(Regex.Replace(text, @"(\p{S}|😀)", " $1 "));
    }

    private static string Squeeze(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
