using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

/// <summary>Training of WordPiece and of whole words.</summary>
public class WordTrainersTests : FolderTests
{
    [Test]
    public void WordPieceIsWhatCountingAnewEachTimeLearns([Range(0, 19)] int seed)
    {
        var random = new Random(seed);
        var letters = "abcdé"[..random.Next(2, 6)];
        var words = Enumerable.Range(0, random.Next(1, 30))
            .Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => letters[random.Next(letters.Length)]))).ToArray();
        var options = new WordPieceTrainerOptions { VocabularySize = 5 + 10 + 12, MinFrequency = random.Next(1, 3) };
        var tokenizer = WordPieceTrainer.Train(words, options);
        var tokens = Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.IdToToken(id)!);
        Assert.That(tokens, Is.EqualTo(LearnByCounting(words, options)));
    }

    [Test]
    public void WordPieceHasBertsPipeline()
    {
        string[] text = ["The fox, the FOX and the Föxe.", "the foxes"];
        var options = new WordPieceTrainerOptions { Lowercase = true, VocabularySize = 60, MinFrequency = 1 };
        var tokenizer = WordPieceTrainer.Train(text, options);
        Assert.That(tokenizer.Tokenize("The föx").Tokens, Is.EqualTo(new[] { "[CLS]", "the", "fox", "[SEP]" }));
        Assert.That(tokenizer.Encode("zebra"), Is.EqualTo(new[] { tokenizer.UnkId }));
        Assert.That(tokenizer.Decode(tokenizer.Encode("the fox, the foxes.")), Is.EqualTo("the fox, the foxes."));
        Assert.That((tokenizer.PadId, tokenizer.UnkId, tokenizer.ClsId, tokenizer.SepId, tokenizer.MaskId), Is.EqualTo((0, 1, 2, 3, 4)));
        Assert.That(tokenizer.EndOfTextId, Is.EqualTo(3));

        tokenizer.Save(Folder);
        var loaded = Tokenizer.Load(Folder);
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(loaded.Roles, Is.EqualTo(tokenizer.Roles));

        var cased = WordPieceTrainer.Train(text, new WordPieceTrainerOptions { VocabularySize = 80, MinFrequency = 1 });
        Assert.That(cased.Tokenize("The FOX").Tokens, Is.EqualTo(new[] { "[CLS]", "The", "FOX", "[SEP]" }));
    }

    [Test]
    public void APrefixInTheTextItselfIsNoTrouble()
    {
        // BERT's pre-tokens cut at every #, so the trainer never sees one inside a word; the learner is told of the prefix only.
        var tokenizer = WordPieceTrainer.Train(["ab##b ##b #b"], new WordPieceTrainerOptions { VocabularySize = 40, MinFrequency = 1 });
        Assert.That(tokenizer.Encode("ab"), Has.Length.EqualTo(1));
        Assert.That(tokenizer.Encode("##b").Select(tokenizer.IdToToken), Is.EqualTo(new[] { "#", "#", "b" }));
    }

    [Test]
    public void RareCharactersMayBeLeftOutOfWordPiece()
    {
        string[] text = [.. Enumerable.Repeat("some common words", 100), "漢字"];
        var tokenizer = WordPieceTrainer.Train(text, new WordPieceTrainerOptions { CharacterCoverage = 0.999 });
        Assert.That(tokenizer.TokenToId("漢"), Is.Null);
        Assert.That(
            () => WordPieceTrainer.Train(text, new WordPieceTrainerOptions { VocabularySize = 12 }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("characters"));
        Assert.That(
            () => WordPieceTrainer.Train(text, new WordPieceTrainerOptions { CharacterCoverage = 1.5 }),
            Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => WordPieceTrainer.Train([" "]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no text"));
    }

    [Test]
    public void TheCommonestWordsAreTheVocabulary()
    {
        string[] text = ["b b b a a c!", "a a, b d d"];
        var tokenizer = WordLevelTrainer.Train(text, new WordLevelTrainerOptions { VocabularySize = 6, MinFrequency = 2 });
        Assert.That(
            Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.IdToToken),
            Is.EqualTo(new[] { "<pad>", "</s>", "<unk>", "a", "b", "d" }));
        Assert.That(tokenizer.Encode("a  b\nc"), Is.EqualTo(new[] { 3, 4, 2 }));
        Assert.That(tokenizer.Decode([3, 4]), Is.EqualTo("a b"));

        tokenizer.Save(Folder);
        Assert.That(Tokenizer.Load(Folder).Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(
            WordLevelTrainer.Train(text, new WordLevelTrainerOptions { VocabularySize = 100, MinFrequency = 3 }).VocabularySize,
            Is.EqualTo(5));
    }

    [Test]
    public void ChunksGiveTheWordsOfTheWhole([Range(0, 9)] int seed)
    {
        // Spaces between plain words, where chunks are cut, and whatever else stands beside them.
        var random = new Random(seed);
        string[] plain = ["The", "fox", "dog.", "дом", "漢字", "한국", "ὰ", "été", "ͺ", "\u0308x", "x\u0308", "!"];
        var text = string.Concat(Enumerable.Range(0, 400).Select(i =>
            random.Next(3) > 0 ? " " + plain[random.Next(plain.Length)] : RandomText.Next(random, 2)));
        var utf8 = System.Text.Encoding.UTF8.GetBytes(text);
        var chunks = new List<string>();
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = SpacedChunks.Next(utf8, start);
            chunks.Add(System.Text.Encoding.UTF8.GetString(utf8[start..end]));
        }

        Assert.That(string.Concat(chunks), Is.EqualTo(text));
        Assert.That(chunks, Has.Count.GreaterThan(40));
        Tokenizer[] tokenizers =
        [
            WordPieceTrainer.Train([text], new WordPieceTrainerOptions { VocabularySize = 4000, Lowercase = true }),
            WordPieceTrainer.Train([text], new WordPieceTrainerOptions { VocabularySize = 4000 }),
            UnigramTrainer.Train([text], new UnigramTrainerOptions { VocabularySize = 2000 }),
            WordLevelTrainer.Train([text]),
        ];
        foreach (var tokenizer in tokenizers)
        {
            var parts = ((PipelineTokenizer)tokenizer).Parts;
            var whole = new PipelineTokenizer(parts with { Normalizer = new WholeText(parts.Normalizer) });
            Assert.That(chunks.SelectMany(tokenizer.Encode), Is.EqualTo(whole.Encode(text)));
            Assert.That(tokenizer.Tokenize(text).Offsets, Is.EqualTo(whole.Tokenize(text).Offsets));
        }
    }

    // The definition: count all pairs, merge the commonest everywhere, begin again.
    private static List<string> LearnByCounting(string[] words, WordPieceTrainerOptions options)
    {
        var tokens = new List<string> { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
        tokens.AddRange(string.Concat(words).Distinct().Order().Select(c => c.ToString()));
        tokens.AddRange(words.SelectMany(word => word.Skip(1)).Distinct().Order().Select(c => $"##{c}"));
        var split = words.Select(word => word.Select((c, i) => tokens.IndexOf(i == 0 ? c.ToString() : $"##{c}")).ToList()).ToArray();
        while (tokens.Count < options.VocabularySize)
        {
            var counts = split.SelectMany(word => word.Zip(word.Skip(1))).CountBy(pair => pair)
                .Where(pair => pair.Value >= options.MinFrequency).ToList();
            if (counts.Count == 0)
            {
                break;
            }

            var (left, right) = counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First().Key;
            var token = tokens[left] + tokens[right][2..];
            if (!tokens.Contains(token))
            {
                tokens.Add(token);
            }

            var id = tokens.IndexOf(token);
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

        return tokens;
    }
}
