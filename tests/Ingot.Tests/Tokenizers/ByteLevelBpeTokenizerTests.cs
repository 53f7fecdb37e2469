using System.Text;
using Ingot.Tokenizers;
using Microsoft.ML.Tokenizers;
using NUnit.Framework;
using Tokenizer = Ingot.Tokenizers.Tokenizer;

namespace Ingot.Tests.Tokenizers;

public class ByteLevelBpeTokenizerTests
{
    [TestCase("hello world", new[] { 31373, 995 })]
    [TestCase("hello <|endoftext|>", new[] { 31373, 220, 50256 })]
    [TestCase("0", new[] { 15 })]
    [TestCase("00", new[] { 405 })]
    [TestCase("000", new[] { 830 })]
    [TestCase("0000", new[] { 2388 })]
    [TestCase("00000", new[] { 20483 })]
    [TestCase("000000", new[] { 10535 })]
    [TestCase("0000000", new[] { 24598 })]
    [TestCase("00000000", new[] { 8269 })]
    [TestCase("000000000", new[] { 10535, 830 })]
    [TestCase("0000000000", new[] { 8269, 405 })]
    [TestCase("00000000000", new[] { 8269, 830 })]
    [TestCase("000000000000", new[] { 8269, 2388 })]
    [TestCase("0000000000000", new[] { 8269, 20483 })]
    [TestCase("00000000000000", new[] { 8269, 10535 })]
    [TestCase("000000000000000", new[] { 8269, 24598 })]
    [TestCase("0000000000000000", new[] { 25645 })]
    [TestCase("00000000000000000", new[] { 8269, 10535, 830 })]
    [TestCase("", new int[0])]
    public void Gpt2GivesThePublishedIds(string text, int[] ids)
    {
        // tiktoken's vectors.
        var tokenizer = Gpt2();
        Assert.That(tokenizer.Encode(text), Is.EqualTo(ids));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo(text));
    }

    [Test]
    public void Gpt2HasItsSizeAndEndOfText()
    {
        var tokenizer = Gpt2();
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(50257));
        Assert.That(tokenizer.EndOfTextId, Is.EqualTo(50256));
    }

    [Test]
    public void Gpt2AgreesWithMicrosoftMLTokenizersOnRealText()
    {
        var tokenizer = Gpt2();
        var options = new BpeOptions(TestData.PathOf("gpt2/vocab.json"), TestData.PathOf("gpt2/merges.txt"))
        {
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(Gpt2PreTokenizerTests.Gpt2(), specialTokens: null),
        };
        var oracle = BpeTokenizer.Create(options);
        foreach (var utf8 in new[] { TestData.JargonFile(), File.ReadAllBytes(TestData.PathOf("translation/eng-cmn.tsv")) })
        {
            var text = Encoding.UTF8.GetString(utf8);
            Assert.That(tokenizer.Encode(text), Is.EqualTo(oracle.EncodeToIds(text)));
        }
    }

    [Test]
    public void EveryTextComesBack()
    {
        var tokenizer = Trained();
        var random = new Random(5);
        for (var i = 0; i < 2000; i++)
        {
            var text = RandomText.Next(random, random.Next(60));
            Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(text));
        }
    }

    [Test]
    public void IdsAreThoseOfTheDefinition()
    {
        // The earliest learnt merge of those that apply, everywhere from left to right, until none does.
        var tokenizer = Trained();
        var idOfByte = Enumerable.Range(1, 256).ToDictionary(id => tokenizer.Tokens[id][0]);
        var random = new Random(6);
        for (var i = 0; i < 300; i++)
        {
            var text = RandomText.Next(random, random.Next(40)).Replace("<|endoftext|>", "", StringComparison.Ordinal);
            var utf8 = Encoding.UTF8.GetBytes(text);
            var expected = new List<int>();
            for (int start = 0, end; start < utf8.Length; start = end)
            {
                end = Gpt2PreTokenizer.Next(utf8, start);
                var word = utf8[start..end].Select(b => idOfByte[b]).ToList();
                foreach (var merge in tokenizer.Merges)
                {
                    for (var j = 0; j + 1 < word.Count; j++)
                    {
                        if (word[j] == merge.Left && word[j + 1] == merge.Right)
                        {
                            word[j] = merge.Result;
                            word.RemoveAt(j + 1);
                        }
                    }
                }

                expected.AddRange(word);
            }

            Assert.That(tokenizer.Encode(text), Is.EqualTo(expected));
        }
    }

    [Test]
    public void LoneSurrogatesCountAsTheReplacementCharacter()
    {
        var tokenizer = Trained();
        Assert.That(tokenizer.Decode(tokenizer.Encode("a\ud800b\udc00")), Is.EqualTo("a\ufffdb\ufffd"));
    }

    [Test]
    public void ALongRunWithoutWhiteSpaceIsNoTrouble()
    {
        var tokenizer = Trained();
        foreach (var text in new[] { new string('a', 1 << 18), string.Concat(Enumerable.Repeat("漢字", 1 << 16)), new string(' ', 1 << 18) })
        {
            Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(text));
        }
    }

    [Test]
    public void MoreWordsThanTheCacheHoldsComeOutRight()
    {
        var tokenizer = Trained();
        var text = string.Concat(Enumerable.Range(0, 290_000).Select(i => $" {i:d21}{i * 7919L:d21}{i:d21}"));
        Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(text));
    }

    [Test]
    public void ThreadsShareATokenizer()
    {
        var tokenizer = Trained();
        var random = new Random(8);
        var texts = Enumerable.Range(0, 200).Select(_ => RandomText.Next(random, 200)).ToArray();
        var expected = texts.Select(text => tokenizer.Encode(text)).ToArray();
        Parallel.For(0, 2000, i => Assert.That(tokenizer.Encode(texts[i % 200]), Is.EqualTo(expected[i % 200])));
    }

    [Test]
    public void TheLongestSpecialTokenAtTheFirstPlaceIsTaken()
    {
        var tokenizer = BpeTrainer.Train(["text"], 300, specialTokens: ["<a", "<a><b>", "<c>"]);
        Assert.That(tokenizer.Encode("<a><b><a><c>"), Is.EqualTo(new[] { 1, 0, tokenizer.Encode(">")[0], 2 }));
        Assert.That(tokenizer.EndOfTextId, Is.Null);
    }

    [TestCase(-1)]
    [TestCase(300)]
    public void AnIdOutsideTheVocabularyIsAnError(int id)
    {
        var tokenizer = Trained();
        Assert.That(() => tokenizer.Decode([id]), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains($"{id}"));
    }

    [Test]
    public void TextComesTokenByToken()
    {
        var tokenizer = BpeTrainer.Train(["x"], 257);
        const string text = "aé漢🇩🇪!";
        var decoder = new IncrementalDecoder(tokenizer);
        var parts = tokenizer.Encode(text).Select(decoder.Append).ToArray();
        Assert.That(string.Concat(parts) + decoder.Finish(), Is.EqualTo(text));
        Assert.That(parts[1], Is.Empty);
        Assert.That(parts[2], Is.EqualTo("é"));

        decoder.Append(tokenizer.Encode("漢")[0]);
        Assert.That(decoder.Finish(), Is.EqualTo("\ufffd"));
    }

    internal static Tokenizer Gpt2()
    {
        TestData.PathOf("gpt2/merges.txt");
        return Tokenizer.Load(Path.GetDirectoryName(TestData.PathOf("gpt2/vocab.json"))!);
    }

    internal static ByteLevelBpeTokenizer Trained() =>
        BpeTrainer.Train(["the quick brown fox, the lazy dog's 'aaaa' aaaaaaa 漢字 漢字 ... 1234 12345 --- the quicker"], 300);
}
