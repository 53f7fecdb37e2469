using System.Text;
using Ingot.Tokenizers;
using Ingot.Tokenizers.Models;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class BpeTrainerTests
{
    [Test]
    public void LearnsTheVocabularyOfThePublishedTrainer()
    {
        // The vector of Hugging Face's BpeTrainer.
        (string Word, long Count)[] words =
        [
            ("roses", 1), ("are", 2), ("red", 1), ("voilets", 1), ("blue", 1), ("BERT", 1), ("is", 2), ("big", 1), ("and", 1), ("so", 1),
            ("GPT-2", 1),
        ];
        const string alphabet = "-2BEGPRTabdegilnorstuv";
        var learner = Learner(alphabet, words, minFrequency: 2);
        learner.Learn(30000, () => { }, CancellationToken.None);

        var expected = alphabet.Select(c => c.ToString()).Concat(["re", "are", "is"]);
        Assert.That(learner.Tokens.Select(Encoding.UTF8.GetString), Is.EqualTo(expected));
        Assert.That(learner.Merges, Is.EqualTo(new BpeMerge[] { new(17, 11, 22), new(8, 22, 23), new(13, 18, 24) }));
    }

    [Test]
    public void LearnsTheMergesOfTheTextbookExample()
    {
        // minbpe's: "aaabdaaabac" in three merges is [258, 100, 258, 97, 99].
        var learner = Learner(new string([.. Enumerable.Range(0, 256).Select(b => (char)b)]), [("aaabdaaabac", 1)], minFrequency: 1);
        learner.Learn(259, () => { }, CancellationToken.None);

        var ids = new List<int>();
        new BpeWordEncoder([.. Enumerable.Range(0, 256)], new BpeMerges(learner.Merges)).Encode("aaabdaaabac"u8, ids);
        Assert.That(ids, Is.EqualTo(new[] { 258, 100, 258, 97, 99 }));
    }

    [Test]
    public void LearnsWhatCountingAnewEachTimeLearns([Range(0, 59)] int seed)
    {
        var random = new Random(seed);
        var letters = "abcdef"[..random.Next(2, 7)];
        var words = Enumerable.Range(0, random.Next(1, 40))
            .Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => letters[random.Next(letters.Length)])))
            .Distinct()
            .Select(word => (word, (long)random.Next(1, 6)))
            .ToArray();
        var minFrequency = random.Next(1, 4);

        var learner = Learner(letters, words, minFrequency);
        learner.Learn(60, () => { }, CancellationToken.None);
        Assert.That(learner.Merges, Is.EqualTo(LearnByCounting(letters, words, minFrequency, 60)));
    }

    [Test]
    public void VocabularyBeginsWithSpecialTokensAndBytesInSymbolOrder()
    {
        var tokenizer = BpeTrainer.Train(["hello hello hello"], 300, specialTokens: ["<|endoftext|>", "<|pad|>"]);
        Assert.That(tokenizer.EndOfTextId, Is.Zero);
        Assert.That(tokenizer.SpecialTokens, Is.EqualTo(new Dictionary<int, string> { [0] = "<|endoftext|>", [1] = "<|pad|>" }));
        Assert.That(tokenizer.Tokens[2], Is.EqualTo("!"u8.ToArray()));
        Assert.That(tokenizer.Tokens[2 + 255], Is.EqualTo(new byte[] { 0xAD }));
        Assert.That(tokenizer.Encode("hello"), Has.Length.EqualTo(1));
    }

    [Test]
    public void TooLittleTextGivesASmallerVocabulary()
    {
        var tokenizer = BpeTrainer.Train(["aa aa ab"], 50_000);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(257 + 1)); // "Ġa", twice; then "Ġaa", "aa" and "Ġab" come once each.
        Assert.That(tokenizer.Merges, Has.Count.EqualTo(1));
    }

    [Test]
    public void SpecialTokensAreNotCounted()
    {
        var tokenizer = BpeTrainer.Train([string.Concat(Enumerable.Repeat("<|endoftext|>", 50))], 300);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(257));
    }

    [Test]
    public void PiecesAndThreadsDoNotChangeTheResult()
    {
        var text = TestData.JargonFile();
        var whole = BpeTrainer.Train([text.AsMemory()], 2000);
        var pieces = new List<ReadOnlyMemory<byte>>();
        for (var rest = text.AsMemory(); rest.Length > 0;)
        {
            var cut = rest.Length > 10_000 ? Gpt2PreTokenizer.LastCut(rest.Span[..10_000]) : rest.Length;
            pieces.Add(rest[..cut]);
            rest = rest[cut..];
        }

        var cutUp = BpeTrainer.Train(pieces, 2000);
        Assert.That(pieces, Has.Count.GreaterThan(100));
        Assert.That(cutUp.VocabularySize, Is.EqualTo(2000));
        Assert.That(cutUp.Fingerprint, Is.EqualTo(whole.Fingerprint));
    }

    [Test]
    public void AVeryLongWordIsNoTrouble()
    {
        var random = new Random(3);
        var word = string.Concat(Enumerable.Range(0, 1 << 18).Select(_ => (char)('a' + random.Next(26))));
        var tokenizer = BpeTrainer.Train([word, new string('-', 1 << 18)], 1000);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(1000));
        Assert.That(tokenizer.Decode(tokenizer.Encode(word)), Is.EqualTo(word));
    }

    [Test]
    public void BadRequestsAreErrors()
    {
        Assert.That(() => BpeTrainer.Train(["text"], 256), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("257"));
        Assert.That(() => BpeTrainer.Train(["text"], 300, minFrequency: 0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => BpeTrainer.Train(Array.Empty<string>(), 300), ThrowsInvalidData("no text"));
        Assert.That(() => BpeTrainer.Train([""], 300), ThrowsInvalidData("no text"));
        Assert.That(() => BpeTrainer.Train(["text"], 300, specialTokens: ["<a>", "<a>"]), ThrowsInvalidData("<a>"));
        Assert.That(() => BpeTrainer.Train(["text"], 300, specialTokens: ["a b"]), ThrowsInvalidData("white space"));

        static NUnit.Framework.Constraints.IResolveConstraint ThrowsInvalidData(string message) =>
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(message);
    }

    [Test]
    public void CanBeCancelled()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.That(
            () => BpeTrainer.Train(["text"], 300, cancellationToken: cancelled.Token),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void AnErrorInTheTextComesOutAsItIs()
    {
        static IEnumerable<string> Failing()
        {
            yield return "some text";
            throw new InvalidDataException("broken.txt: broken");
        }

        Assert.That(
            () => BpeTrainer.Train(Failing(), 300),
            Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("broken.txt: broken"));
    }

    private static BpeMergeLearner Learner(string alphabet, (string Word, long Count)[] words, long minFrequency)
    {
        var map = new ByteStringMap();
        foreach (var (word, _) in words)
        {
            map.FindOrAdd(Encoding.Latin1.GetBytes(word), out _);
        }

        var idOfByte = new int[256];
        for (var id = 0; id < alphabet.Length; id++)
        {
            idOfByte[alphabet[id]] = id;
        }

        return new BpeMergeLearner(
            alphabet.Select(c => new[] { (byte)c }),
            (word, symbols) =>
            {
                foreach (var b in word)
                {
                    symbols.Add(idOfByte[b]);
                }
            },
            map,
            [.. words.Select(word => word.Count)],
            minFrequency);
    }

    // The definition: count all pairs, merge the commonest everywhere, begin again.
    private static List<BpeMerge> LearnByCounting(string alphabet, (string Word, long Count)[] words, long minFrequency, int vocabularySize)
    {
        var tokens = alphabet.Select(c => c.ToString()).ToList();
        var split = words.Select(word => word.Word.Select(c => alphabet.IndexOf(c)).ToList()).ToArray();
        var merges = new List<BpeMerge>();
        while (tokens.Count < vocabularySize)
        {
            var counts = new Dictionary<(int Left, int Right), long>();
            for (var w = 0; w < words.Length; w++)
            {
                foreach (var pair in split[w].Zip(split[w].Skip(1)))
                {
                    counts[pair] = counts.GetValueOrDefault(pair) + words[w].Count;
                }
            }

            var common = counts.Where(pair => pair.Value >= minFrequency).ToList();
            if (common.Count == 0)
            {
                break;
            }

            var (left, right) = common.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First().Key;
            var token = tokens[left] + tokens[right];
            if (!tokens.Contains(token))
            {
                tokens.Add(token);
            }

            var id = tokens.IndexOf(token);
            if (!merges.Contains(new BpeMerge(left, right, id)))
            {
                merges.Add(new BpeMerge(left, right, id));
            }

            foreach (var word in split)
            {
                for (var i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == left && word[i + 1] == right)
                    {
                        word[i] = id;
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }

        return merges;
    }
}
