using System.Text;
using System.Text.RegularExpressions;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class UnigramTrainerTests : FolderTests
{
    [Test]
    public void ExpectationsAreThoseOfAllWaysToWriteAWord([Range(0, 19)] int seed)
    {
        // All ways are written down one by one, with probabilities in place of logarithms.
        var random = new Random(seed);
        var pieces = new List<string> { "a", "b", "é" };
        for (var i = 0; i < 10; i++)
        {
            var piece = Word(random, random.Next(2, 5));
            pieces.AddRange(pieces.Contains(piece) ? [] : [piece]);
        }

        var probabilities = pieces.Select(_ => random.NextDouble()).ToArray();
        var word = Word(random, random.Next(1, 9));
        var expected = new double[pieces.Count];
        var all = 0.0;
        var best = (Probability: 0.0, Way: Array.Empty<int>());
        Write(word, 1, []);

        var lattice = Lattice(pieces, probabilities);
        var found = new double[pieces.Count];
        var logarithm = lattice.AddExpected(Encoding.UTF8.GetBytes(word), 3, found);
        Assert.That(logarithm, Is.EqualTo(Math.Log(all)).Within(1e-12));
        for (var i = 0; i < found.Length; i++)
        {
            Assert.That(found[i], Is.EqualTo(3 * expected[i] / all).Within(1e-12), pieces[i]);
        }

        var way = new List<int>();
        lattice.Best(Encoding.UTF8.GetBytes(word), withWhole: true, way);
        Assert.That(way, Is.EqualTo(best.Way.Reverse()));

        void Write(string rest, double probability, int[] way)
        {
            if (rest.Length == 0)
            {
                all += probability;
                best = probability > best.Probability ? (probability, way) : best;
                foreach (var piece in way)
                {
                    expected[piece] += probability;
                }
            }

            foreach (var (i, piece) in pieces.Index())
            {
                if (rest.StartsWith(piece, StringComparison.Ordinal))
                {
                    Write(rest[piece.Length..], probability * probabilities[i], [.. way, i]);
                }
            }
        }
    }

    [Test]
    public void WithoutTheWholeAWordIsWrittenInParts()
    {
        var lattice = Lattice(["a", "b", "ab"], [0.1, 0.1, 0.8]);
        var way = new List<int>();
        lattice.Best("ab"u8, withWhole: false, way);
        Assert.That(way, Is.EqualTo(new[] { 1, 0 }));
    }

    [Test]
    public void SeedsAreTheSubstringsThatCountingFinds([Range(0, 19)] int seed)
    {
        var random = new Random(seed);
        var words = Enumerable.Range(0, random.Next(1, 30)).Select(_ => Word(random, random.Next(1, 25))).Distinct().ToArray();
        var counts = words.Select(_ => (long)random.Next(1, 4)).ToArray();

        // By substring: how often it comes, and what follows it.
        var substrings = new Dictionary<string, (long Count, HashSet<string> Followers)>();
        foreach (var (word, count) in words.Zip(counts))
        {
            for (var start = 0; start < word.Length; start++)
            {
                for (var length = 1; length <= Math.Min(UnigramSeeds.Longest, word.Length - start); length++)
                {
                    var key = word.Substring(start, length);
                    var (total, followers) = substrings.GetValueOrDefault(key, (0, []));

                    // At the length where comparing stops, places differ although their characters do not.
                    followers.Add(length == UnigramSeeds.Longest || start + length == word.Length
                        ? $"{word} {start}"
                        : word[start + length].ToString());
                    substrings[key] = (total + count, followers);
                }
            }
        }

        var expected = substrings
            .Where(substring => substring.Key.Length == 1 || substring.Value.Followers.Count > 1
                || (substring.Value.Count > 1 && words.Contains(substring.Key)))
            .ToDictionary(substring => substring.Key, substring => (double)substring.Value.Count * substring.Key.Length);
        var found = UnigramSeeds.Find([.. words.Select(Encoding.UTF8.GetBytes)], counts, int.MaxValue, CancellationToken.None);
        Assert.That(found.ToDictionary(piece => Encoding.UTF8.GetString(piece.Piece), piece => piece.Score), Is.EquivalentTo(expected));

        var few = UnigramSeeds.Find([.. words.Select(Encoding.UTF8.GetBytes)], counts, 3, CancellationToken.None);
        var longer = expected.Where(piece => piece.Key.Length > 1).Select(piece => piece.Value).OrderDescending();
        Assert.That(
            few.Where(piece => Encoding.UTF8.GetString(piece.Piece).Length > 1).Select(piece => piece.Score),
            Is.EqualTo(longer.Take(3)));
    }

    [TestCase(1, -0.57721566490153286)]
    [TestCase(0.5, -1.9635100260214235)]
    [TestCase(10, 2.2517525890667211)]
    [TestCase(1e6, 13.815510057964191)]
    public void DigammaIsThatOfTheTables(double x, double value) =>
        Assert.That(UnigramTrainer.Digamma(x), Is.EqualTo(value).Within(1e-9));

    [Test]
    public void WordsThatComeOftenAreTokens()
    {
        var tokenizer = UnigramTrainer.Train(Text(), new UnigramTrainerOptions { VocabularySize = 42 });
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(42));
        Assert.That((tokenizer.PadId, tokenizer.EosId, tokenizer.UnkId), Is.EqualTo((0, 1, 2)));
        Assert.That(tokenizer.TokenToId("▁the"), Is.Not.Null);
        Assert.That(tokenizer.Decode(tokenizer.Encode("the  fox jumps\nover a dog")), Is.EqualTo("the fox jumps over a dog"));
        Assert.That(tokenizer.Tokenize("the fox").Ids[^1], Is.EqualTo(1));
        Assert.That(tokenizer.Encode("漢"), Does.Contain(2));
        Assert.That(tokenizer.Encode("ＦＯＸ"), Is.EqualTo(tokenizer.Encode("FOX")));
    }

    [Test]
    public void TheResultComesBackFromItsFiles()
    {
        var options = new UnigramTrainerOptions { VocabularySize = 400, ByteFallback = true, Lowercase = true };
        var tokenizer = UnigramTrainer.Train(Text(), options);
        tokenizer.Save(Folder);
        var loaded = Tokenizer.Load(Folder);
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(loaded.Roles, Is.EqualTo(tokenizer.Roles));
        Assert.That(loaded.Decode(loaded.Encode("The 漢 fox 🦊")), Is.EqualTo("the 漢 fox 🦊"));
    }

    [Test]
    public void NeitherThreadsNorTheCutOfTheTextChangeTheResult()
    {
        var options = new UnigramTrainerOptions { VocabularySize = 100 };
        var whole = UnigramTrainer.Train([string.Concat(Text()).TrimEnd()], options);
        var pieces = Regex.Split(string.Concat(Text()), @"(?=\s)").Where(piece => piece.Length > 1).Reverse();
        for (var i = 0; i < 3; i++)
        {
            Assert.That(UnigramTrainer.Train(pieces, options).Fingerprint, Is.EqualTo(whole.Fingerprint));
        }
    }

    [Test]
    public void RareCharactersMayBeLeftOut()
    {
        string[] text = [.. Text(), "the 漢 字"];
        var tokenizer = UnigramTrainer.Train(text, new UnigramTrainerOptions { VocabularySize = 100, CharacterCoverage = 0.999 });
        Assert.That(tokenizer.TokenToId("漢"), Is.Null);
        Assert.That(tokenizer.TokenToId("▁"), Is.Not.Null);
        Assert.That(
            UnigramTrainer.Train(text, new UnigramTrainerOptions { VocabularySize = 100 }).TokenToId("漢"), Is.Not.Null);
    }

    [Test]
    public void SpecialTokensAreNoPartOfTheText()
    {
        var text = Text().Select(line => line + "<mark>");
        var tokenizer = UnigramTrainer.Train(text, new UnigramTrainerOptions { VocabularySize = 100, SpecialTokens = ["<mark>"] });
        Assert.That(tokenizer.TokenToId("<mark>"), Is.EqualTo(3));
        Assert.That(tokenizer.TokenToId("<"), Is.Null);
    }

    [Test]
    public void WhatCannotBeTrainedIsAnError()
    {
        Assert.That(
            () => UnigramTrainer.Train(Text(), new UnigramTrainerOptions { VocabularySize = 10 }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("characters").And.Message.Contains("10"));
        Assert.That(() => UnigramTrainer.Train([""]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no text"));
        Assert.That(() => UnigramTrainer.Train(["\u0001"]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no text"));
        Assert.That(
            () => UnigramTrainer.Train(Text(), new UnigramTrainerOptions { CharacterCoverage = 0 }),
            Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => UnigramTrainer.Train(Text(), new UnigramTrainerOptions { SpecialTokens = ["</s>"] }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("twice"));
        Assert.That(
            () => UnigramTrainer.Train(Text(), cancellationToken: new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void OneLongWordIsNoTrouble()
    {
        var word = string.Concat(Enumerable.Range(0, 20_000).Select(i => (char)('a' + (i * i % 7))));
        var tokenizer = UnigramTrainer.Train([word], new UnigramTrainerOptions { VocabularySize = 60 });
        Assert.That(tokenizer.Encode(word), Has.Length.LessThan(20_000 / 8));
    }

    private static string Word(Random random, int length) =>
        string.Concat(Enumerable.Range(0, length).Select(_ => "abé"[random.Next(3)]));

    // Words of which the first come most often.
    private static IEnumerable<string> Text()
    {
        string[] words = ["the", "fox", "jumps", "over", "a", "dog", "lazily", "Quick", "brown", "foxes", "jumping", "dogs", "overtakes"];
        var random = new Random(5);
        return Enumerable.Range(0, 60).Select(_ =>
            string.Join(' ', Enumerable.Range(0, 12).Select(_ => words[(int)(words.Length * Math.Pow(random.NextDouble(), 2))])) + "\n");
    }

    private static UnigramLattice Lattice(List<string> pieces, double[] probabilities) =>
        new(new ByteTrie([.. pieces.Select(Encoding.UTF8.GetBytes)]), [.. probabilities.Select(p => Math.Log(p))]);
}
