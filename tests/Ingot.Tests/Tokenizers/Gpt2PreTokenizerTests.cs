using System.Text;
using System.Text.RegularExpressions;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public partial class Gpt2PreTokenizerTests
{
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    internal static partial Regex Gpt2();

    [Test]
    public void CutsAsThePublishedExample()
    {
        // The vector of Hugging Face's ByteLevel pre-tokenizer.
        Assert.That(Cut("Hello my friend, how is your day going?"), Is.EqualTo(new[]
        {
            "Hello", " my", " friend", ",", " how", " is", " your", " day", " going", "?",
        }));
    }

    [TestCase("", new string[0])]
    [TestCase(" ", new[] { " " })]
    [TestCase("  a", new[] { " ", " a" })]
    [TestCase("a  ", new[] { "a", "  " })]
    [TestCase("a\n\nb", new[] { "a", "\n", "\n", "b" })]
    [TestCase("a \n b", new[] { "a", " \n", " b" })]
    [TestCase("it's I'LL 'tis", new[] { "it", "'s", " I", "'", "LL", " '", "tis" })]
    [TestCase("x12½ -- y", new[] { "x", "12½", " --", " y" })]
    [TestCase("𝒜b 𝟘", new[] { "𝒜b", " 𝟘" })]
    public void Cuts(string text, string[] expected) => Assert.That(Cut(text), Is.EqualTo(expected));

    [Test]
    public void IsTheRegularExpressionOnRandomText()
    {
        var random = new Random(1);
        for (var i = 0; i < 3000; i++)
        {
            var text = RandomText.Next(random, random.Next(30));
            var pieces = Cut(text);
            Assert.That(string.Concat(pieces), Is.EqualTo(text));

            var expected = Gpt2().Matches(RandomText.ToBasicPlane(text)).Select(match => match.Value);
            Assert.That(pieces.Select(RandomText.ToBasicPlane), Is.EqualTo(expected), () => $"{i}: {text}");
        }
    }

    [Test]
    public void ClassifiesEveryCodePointAsTheRegularExpressionDoes()
    {
        for (var codePoint = 1; codePoint <= 0xFFFF; codePoint++)
        {
            if (codePoint is < 0xD800 or > 0xDFFF)
            {
                var text = $"a{(char)codePoint}1";
                Assert.That(Cut(text), Is.EqualTo(Gpt2().Matches(text).Select(match => match.Value)), () => $"U+{codePoint:X4}");
            }
        }
    }

    [Test]
    public void ACutTextHasTheSamePreTokens()
    {
        var random = new Random(2);
        var cuts = 0;
        for (var i = 0; i < 3000; i++)
        {
            var utf8 = Encoding.UTF8.GetBytes(RandomText.Next(random, random.Next(30)));
            var cut = Gpt2PreTokenizer.LastCut(utf8);
            if (cut > 0)
            {
                cuts++;
                var whole = Cut(Encoding.UTF8.GetString(utf8));
                var halves = Cut(Encoding.UTF8.GetString(utf8[..cut])).Concat(Cut(Encoding.UTF8.GetString(utf8[cut..])));
                Assert.That(halves, Is.EqualTo(whole), () => $"{i}");
            }
        }

        Assert.That(cuts, Is.GreaterThan(1000));
    }

    [TestCase("no_white_space", 0)]
    [TestCase("  leading", 0)]
    [TestCase("one two", 3)]
    [TestCase("one two \n", 7)]
    [TestCase("one two \nthree", 7)]
    public void FindsTheLastCut(string text, int cut) =>
        Assert.That(Gpt2PreTokenizer.LastCut(Encoding.UTF8.GetBytes(text)), Is.EqualTo(cut));

    [Test]
    public void GetsPastBytesThatAreNotUtf8()
    {
        byte[] bytes = [0xC3, 0x28, 0xFF, 0xE2, 0x82];
        var at = 0;
        while (at < bytes.Length)
        {
            var end = Gpt2PreTokenizer.Next(bytes, at);
            Assert.That(end, Is.GreaterThan(at).And.LessThanOrEqualTo(bytes.Length));
            at = end;
        }
    }

    private static List<string> Cut(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        for (var start = 0; start < utf8.Length;)
        {
            var end = Gpt2PreTokenizer.Next(utf8, start);
            pieces.Add(Encoding.UTF8.GetString(utf8, start, end - start));
            start = end;
        }

        return pieces;
    }
}
