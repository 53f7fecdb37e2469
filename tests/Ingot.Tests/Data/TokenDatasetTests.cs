using System.Text;
using Ingot.Data;
using Ingot.Tests.Tokenizers;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Data;

public class TokenDatasetTests : FolderTests
{
    private string Cache => In("cache");

    [Test]
    public void TinyshakespeareIsSplitAsInNanoGpt()
    {
        var path = TestData.PathOf("tinyshakespeare.txt");
        var source = TextSource.Open(path);
        var tokenizer = CharacterTokenizer.Train(source.ReadUtf8());
        using var dataset = TokenDataset.Prepare(source, tokenizer, Cache, 0.1);
        Assert.That(dataset.Train.TokenCount, Is.EqualTo(1_003_854));
        Assert.That(dataset.Validation!.TokenCount, Is.EqualTo(111_540));
        Assert.That(Text(dataset.Train, tokenizer) + Text(dataset.Validation, tokenizer), Is.EqualTo(File.ReadAllText(path)));
        Assert.That(dataset.Validation.TextBytes, Is.EqualTo(111_540));
    }

    [Test]
    public void RealTextComesBackAndTheSecondRunFindsItReady()
    {
        var text = Encoding.UTF8.GetString(TestData.JargonFile());
        var source = TextSource.Open(Write("jargon.txt", text));
        var tokenizer = BpeTrainer.Train(source.ReadUtf8(), 1000);
        var characters = text.EnumerateRunes().Count();
        foreach (var again in new[] { false, true })
        {
            using var dataset = TokenDataset.Prepare(source, tokenizer, Cache, 0.25);
            Assert.That(dataset.FromCache, Is.EqualTo(again));
            var (train, validation) = (Text(dataset.Train, tokenizer), Text(dataset.Validation!, tokenizer));
            Assert.That(train + validation, Is.EqualTo(text + "<|endoftext|>"));
            Assert.That(train.EnumerateRunes().Count(), Is.EqualTo((int)(characters * 0.75)));
            Assert.That(dataset.Train.TextBytes, Is.EqualTo(Encoding.UTF8.GetByteCount(train)));
            Assert.That(dataset.Train.TextBytes + dataset.Validation!.TextBytes, Is.EqualTo(Encoding.UTF8.GetByteCount(text)));
        }
    }

    [Test]
    public void TokensAreThoseOfTheWholeTextWhateverThePieces()
    {
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        var text = "text " + new string([.. RandomText.Next(new Random(12), 100_000).Where(c => c is not '\0' and not '\r')]);
        var path = Write("a.txt", text);
        using var dataset = TokenDataset.Prepare(TextSource.Open(path, pieceSize: 999), tokenizer, Cache, 0);
        Assert.That(Ids(dataset.Train), Is.EqualTo(tokenizer.Encode(text).Append(tokenizer.EndOfTextId!.Value)));
    }

    [Test]
    public void DocumentsEndWithTheirTokenAndAreFound()
    {
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        Write("texts/a.txt", "first");
        Write("texts/b.txt", "\ufeff");
        Write("texts/c.txt", "third");
        using var dataset = TokenDataset.Prepare(TextSource.Open(In("texts")), tokenizer, Cache, 0);
        Assert.That(Text(dataset.Train, tokenizer), Is.EqualTo("first<|endoftext|><|endoftext|>third<|endoftext|>"));
        Assert.That(dataset.Validation, Is.Null);

        var starts = Enumerable.Range(0, 3).Select(document => (int)dataset.Train.DocumentStart(document)).ToArray();
        Assert.That(dataset.Train.DocumentCount, Is.EqualTo(3));
        Assert.That(Ids(dataset.Train)[..starts[1]], Is.EqualTo(tokenizer.Encode("first").Append(0)));
        Assert.That(Ids(dataset.Train)[starts[2]..], Is.EqualTo(tokenizer.Encode("third").Append(0)));
    }

    [TestCase(0.375, "aaaa<>b", "bbb<>")] // Inside the second document.
    [TestCase(0.5, "aaaa<>", "bbbb<>")] // Between the two.
    [TestCase(0.8, "a", "aaa<>bbbb<>")]
    public void TheSplitIsByCharacters(double fraction, string train, string validation)
    {
        var tokenizer = BpeTrainer.Train(["x"], 257);
        Write("texts/a.txt", "aaaa");
        Write("texts/b.txt", "bbbb");
        using var dataset = TokenDataset.Prepare(TextSource.Open(In("texts")), tokenizer, Cache, fraction);
        Assert.That(Text(dataset.Train, tokenizer), Is.EqualTo(train.Replace("<>", "<|endoftext|>", StringComparison.Ordinal)));
        Assert.That(Text(dataset.Validation!, tokenizer), Is.EqualTo(validation.Replace("<>", "<|endoftext|>", StringComparison.Ordinal)));
    }

    [Test]
    public void ValidationMayBeATextOfItsOwn()
    {
        var tokenizer = BpeTrainer.Train(["x"], 257);
        var (train, validation) = (TextSource.Open(Write("a.txt", "aaaa")), TextSource.Open(Write("b.txt", "bb")));
        using var dataset = TokenDataset.Prepare(train, tokenizer, Cache, 0.5, validation);
        Assert.That(Text(dataset.Train, tokenizer), Is.EqualTo("aaaa<|endoftext|>"));
        Assert.That(Text(dataset.Validation!, tokenizer), Is.EqualTo("bb<|endoftext|>"));
    }

    [Test]
    public void WhatDecidesTheTokensMakesThemAnew()
    {
        var path = Write("a.txt", "aaaa bbbb");
        var tokenizer = BpeTrainer.Train(["x"], 257);
        Assert.That(FromCache(tokenizer, 0.5), Is.False);
        Assert.That(FromCache(tokenizer, 0.5), Is.True);
        Assert.That(FromCache(tokenizer, 0.4), Is.False);
        Assert.That(FromCache(BpeTrainer.Train(["xx xx"], 258), 0.5), Is.False);
        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.That(FromCache(tokenizer, 0.5), Is.False);
        Assert.That(FromCache(tokenizer, 0.5), Is.True);

        bool FromCache(Tokenizer tokenizer, double fraction)
        {
            using var dataset = TokenDataset.Prepare(TextSource.Open(path), tokenizer, Cache, fraction);
            return dataset.FromCache;
        }
    }

    [Test]
    public void ADamagedCacheIsMadeAnew()
    {
        var source = TextSource.Open(Write("a.txt", "aaaa bbbb"));
        var tokenizer = BpeTrainer.Train(["x"], 257);
        TokenDataset.Prepare(source, tokenizer, Cache, 0.5).Dispose();
        foreach (var file in Directory.GetFiles(Cache, "*.tokens", SearchOption.AllDirectories))
        {
            File.WriteAllBytes(file, File.ReadAllBytes(file)[..^1]);
            using (var dataset = TokenDataset.Prepare(source, tokenizer, Cache, 0.5))
            {
                Assert.That(dataset.FromCache, Is.False);
                Assert.That(Text(dataset.Train, tokenizer), Is.EqualTo("aaaa"));
            }

            File.Delete(file);
            TokenDataset.Prepare(source, tokenizer, Cache, 0.5).Dispose();
        }
    }

    [Test]
    public void BadInputLeavesNothingBehind()
    {
        Write("texts/a.txt", new string('a', 3_000_000) + " \n");
        var odd = Write("texts/b.txt", "aaaa €");
        var broken = Write("broken.txt", [.. "aaaa "u8, 0xFF]);
        var characters = CharacterTokenizer.Train("a \n");
        Assert.That(
            () => TokenDataset.Prepare(TextSource.Open(In("texts")), characters, Cache, 0),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(odd).And.Message.Contains("U+20AC"));
        Assert.That(
            () => TokenDataset.Prepare(TextSource.Open(broken), characters, Cache, 0),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(broken).And.Message.Contains("byte 5"));
        Assert.That(
            () => TokenDataset.Prepare(TextSource.Open(Write("one.txt", "a")), characters, Cache, 0.1),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("1 characters are too few"));
        foreach (var fraction in new[] { -0.1, 1, double.NaN })
        {
            Assert.That(
                () => TokenDataset.Prepare(TextSource.Open(In("one.txt")), characters, Cache, fraction),
                Throws.TypeOf<ArgumentOutOfRangeException>());
        }

        Assert.That(Directory.GetFiles(Cache, "*", SearchOption.AllDirectories), Is.Empty);
    }

    [Test]
    public void CanBeCancelledAndReports()
    {
        var source = TextSource.Open(Write("a.txt", string.Concat(Enumerable.Repeat("some text ", 400_000))));
        var tokenizer = BpeTrainer.Train(["x"], 257);
        using var cancellation = new CancellationTokenSource();
        var cancelling = new Reports(_ => cancellation.Cancel());
        Assert.That(
            () => TokenDataset.Prepare(source, tokenizer, Cache, 0.1, progress: cancelling, cancellationToken: cancellation.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFiles(Cache, "*", SearchOption.AllDirectories), Is.Empty);

        var reports = new List<TokenDatasetProgress>();
        TokenDataset.Prepare(source, tokenizer, Cache, 0.1, progress: new Reports(reports.Add)).Dispose();
        Assert.That(reports[^1], Is.EqualTo(new TokenDatasetProgress(4_000_000, 4_000_000, 4_000_001)));
    }

    private static int[] Ids(TokenFile file)
    {
        var ids = new int[file.TokenCount];
        file.Read(0, ids);
        return ids;
    }

    private static string Text(TokenFile file, Tokenizer tokenizer) => tokenizer.Decode(Ids(file));

    private sealed class Reports(Action<TokenDatasetProgress> report) : IProgress<TokenDatasetProgress>
    {
        public void Report(TokenDatasetProgress value) => report(value);
    }
}
