using System.IO.Compression;
using System.Reflection;
using System.Text;
using Ingot.Tokenizers;
using Microsoft.ML.Tokenizers;
using NUnit.Framework;
using Tokenizer = Ingot.Tokenizers.Tokenizer;

namespace Ingot.Tests.Tokenizers;

public class TiktokenFileTests : FolderTests
{
    [TestCase("cl100k_base", "Cl100kBase", 100277, 100257)]
    [TestCase("o200k_base", "O200kBase", 200019, 199999)]
    public void RanksGiveWhatMicrosoftsReaderGives(string name, string package, int size, int endOfText)
    {
        using (var deflate = new DeflateStream(Assembly.Load($"Microsoft.ML.Tokenizers.Data.{package}")
            .GetManifestResourceStream($"{name}.tiktoken.deflate")!, CompressionMode.Decompress))
        using (var reader = new StreamReader(deflate))
        {
            // The package says how many there are, and leaves out the ranks, which count up.
            var tokens = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1);
            Write($"{name}.tiktoken", string.Concat(tokens.Select((token, rank) => $"{token.Trim()} {rank}\n")));
        }

        var ours = Tokenizer.Load(Folder);
        var oracle = TiktokenTokenizer.CreateForEncoding(name);
        Assert.That((ours.VocabularySize, ours.EosId), Is.EqualTo((size, endOfText)));
        var random = new Random(2);
        string[] texts =
        [
            "hello world", "  don't  stop\n\n at 12345 DON'T", new string(' ', 300), new string('a', 500), "漢字かな交じり文 🦊👩\u200d👩",
            "x = [1, 2];\t//ok\r\n",
            .. Enumerable.Range(0, 60).Select(_ =>
                RandomText.ToBasicPlane(RandomText.Next(random, 20).Replace("<|endoftext|>", "", StringComparison.Ordinal))),
        ];
        foreach (var text in texts)
        {
            Assert.That(ours.Encode(text), Is.EqualTo(oracle.EncodeToIds(text)), text);
            Assert.That(ours.Tokenize(text).Ids, Is.EqualTo(oracle.EncodeToIds(text)), text);
            Assert.That(ours.Decode(ours.Encode(text)), Is.EqualTo(text));
        }

        Assert.That(ours.Encode("<|endofprompt|>"), Has.Length.EqualTo(1));
        if (name == "cl100k_base")
        {
            ours.Save(In("saved"));
            Assert.That(Tokenizer.Load(In("saved")).Fingerprint, Is.EqualTo(ours.Fingerprint));
        }
    }

    [Test]
    public void Gpt2sMergesComeBackFromItsRanks()
    {
        var gpt2 = (ByteLevelBpeTokenizer)ByteLevelBpeTokenizerTests.Gpt2();
        Write("gpt2.tiktoken", Ranks(gpt2.Tokens.Take(50256)));
        var ours = (ByteLevelBpeTokenizer)Tokenizer.Load(Folder);
        Assert.That(ours.Merges, Is.EqualTo(gpt2.Merges));
        Assert.That(ours.Encode("hello <|endoftext|>"), Is.EqualTo(new[] { 31373, 220, 50256 }));
        Assert.That(ours.EosId, Is.EqualTo(50256));
    }

    [Test]
    public void Llama3sModelIsOneOfRanks()
    {
        // As many tokens as Llama 3 has; those that no merge leads to are words of their own.
        var bytes = Enumerable.Range(0, 256).Select(b => new[] { (byte)b });
        var words = Enumerable.Range(0, 128_000 - 256).Select(i => Encoding.UTF8.GetBytes($"w{i:D6}"));
        Write("tokenizer.model", Ranks(bytes.Concat(words)));
        var ours = Tokenizer.Load(Folder);
        Assert.That(ours.VocabularySize, Is.EqualTo(128_256));
        Assert.That(ours.Tokenize("a<|eot_id|>").Ids, Is.EqualTo(new[] { 128_000, 'a', 128_009 }));
        Assert.That((ours.BosId, ours.EosId), Is.EqualTo((128_000, 128_001)));
        Assert.That(ours.TokenToId("<|reserved_special_token_250|>"), Is.EqualTo(128_255));
    }

    [Test]
    public void TheConfigurationMayNameTheSpecialTokens()
    {
        Write("cl100k_base.tiktoken", Ranks(Enumerable.Range(0, 256).Select(b => new[] { (byte)b })));
        const string token = """{"content": "<|x|>", "special": true}""";
        Write("tokenizer_config.json", $$"""{"added_tokens_decoder": {"258": {{token}}}, "eos_token": "<|x|>"}""");
        var ours = Tokenizer.Load(Folder);
        Assert.That(ours.EosId, Is.EqualTo(258));
        Assert.That(ours.IdToToken(257), Is.EqualTo("<|reserved_257|>"));
    }

    [TestCase("IQ==", "Line 1")]
    [TestCase("IQ== 0\nI! 1", "Line 2")]
    [TestCase("IQ== 0\nIg== -1", "Line 2")]
    [TestCase("IQ== 0\nIg== 99999999999", "Line 2")]
    [TestCase("IQ== 0\n 1", "Line 2")]
    [TestCase("IQ== 0\nIg== 0", "the rank 0 stands twice")]
    [TestCase("IQ== 0\nIQ== 1", "the token stands twice")]
    [TestCase("IQ== 0\nIg== 2147483647", "have no token")]
    [TestCase("IQ== 0\nIg== 1", "no token")]
    [TestCase("", "no tokens")]
    public void ABrokenFileIsNamedWithItsLine(string content, string named)
    {
        Write("r50k_base.tiktoken", content);
        Assert.That(
            () => Tokenizer.Load(Folder),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(In("r50k_base.tiktoken")).And.Message.Contains(named));
    }

    [Test]
    public void WhatTheRanksAreForMustBeKnown()
    {
        Write("mine.tiktoken", Ranks(Enumerable.Range(0, 256).Select(b => new[] { (byte)b })));
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("cl100k_base"));
        File.Move(In("mine.tiktoken"), In("gpt2.tiktoken"));
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("50,000"));
        Write("gpt2.tiktoken", Ranks(Enumerable.Range(1, 50_256).Select(i => BitConverter.GetBytes(i))));
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("byte 0x00"));
    }

    private static string Ranks(IEnumerable<byte[]> tokens) =>
        string.Concat(tokens.Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}\n"));
}
