using System.Text;
using System.Text.Json.Nodes;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class TokenizerFilesTests : FolderTests
{
    [Test]
    public void ABpeComesBack()
    {
        var tokenizer = BpeTrainer.Train(["the theme of \"themes\" \\ 漢字 漢字"], 300, specialTokens: ["<|endoftext|>", "<|特|>"]);
        tokenizer.Save(Folder);
        Assert.That(
            Directory.GetFiles(Folder).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt" }));

        var loaded = Tokenizer.Load(Folder);
        Assert.That(loaded, Is.TypeOf<ByteLevelBpeTokenizer>());
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(loaded.EndOfTextId, Is.Zero);
        Assert.That(loaded.Encode("the <|特|>themes"), Is.EqualTo(tokenizer.Encode("the <|特|>themes")));
    }

    [Test]
    public void TheOlderPairOfFilesIsEnough()
    {
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        tokenizer.Save(Folder);
        File.Delete(In("tokenizer.json"));
        File.Delete(In("tokenizer_config.json"));
        Assert.That(Tokenizer.Load(Folder).Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [Test]
    public void Gpt2ComesBack()
    {
        var tokenizer = ByteLevelBpeTokenizerTests.Gpt2();
        tokenizer.Save(Folder);
        Assert.That(Tokenizer.Load(Folder).Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(File.ReadAllText(In("merges.txt")), Is.EqualTo(File.ReadAllText(TestData.PathOf("gpt2/merges.txt"))));
    }

    [Test]
    public void MergesMayBePairs()
    {
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        Change(tokenizer, root =>
        {
            var pairs = root["model"]!["merges"]!.AsArray().Select(merge => new JsonArray([.. merge!.GetValue<string>().Split(' ')]));
            root["model"]!["merges"] = new JsonArray([.. pairs]);
        });
        Assert.That(Tokenizer.Load(Folder).Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [Test]
    public void TheConfigurationNamesTheEndOfText()
    {
        BpeTrainer.Train(["text"], 300, specialTokens: ["<a>", "<b>"]).Save(Folder);
        Write("tokenizer_config.json", """{"eos_token": {"content": "<b>"}}""");
        Assert.That(Tokenizer.Load(Folder).EndOfTextId, Is.EqualTo(1));
    }

    [Test]
    public void CharactersComeBack()
    {
        var tokenizer = CharacterTokenizer.Train("The \"quick\" \\ brown\r\n\t漢字 🦊 \0\u2028\u007f");
        tokenizer.Save(Folder);
        var loaded = Tokenizer.Load(Folder);
        Assert.That(loaded, Is.TypeOf<CharacterTokenizer>());
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [TestCase("""{"normalizer": {"type": "NFC"}}""", "normalizer", "NFC")]
    [TestCase("""{"pre_tokenizer": {"type": "Metaspace"}}""", "pre_tokenizer", "Metaspace")]
    [TestCase("""{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true}}""", "add_prefix_space", "true")]
    [TestCase("""{"post_processor": {"type": "TemplateProcessing"}}""", "post_processor", "TemplateProcessing")]
    [TestCase("""{"decoder": null}""", "decoder", "null")]
    [TestCase("""{"model": {"type": "Unigram"}}""", "model", "Unigram")]
    [TestCase("""{"model": {"type": "WordPiece"}}""", "model", "WordPiece")]
    [TestCase("""{"model": {"type": "WordLevel", "vocab": {}}}""", "pre_tokenizer", "Split")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}""", "lacks the byte", "0x00")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 1}, "merges": []}}""", "ids", "\"a\"")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}""", "\"a\"", "-1")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}""", "\"a\"", "b")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}}""", "\"a\"", "twice")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"漢": 0}, "merges": []}}""", "漢", "byte symbols")]
    [TestCase("""{"model": {"type": "BPE", "merges": []}}""", "vocab", "missing")]
    [TestCase("""{"model": {"type": "BPE", "vocab": [], "merges": []}}""", "vocabulary", "object")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {}, "merges": {}}}""", "tokenizer.json", "not a tokenizer")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a x"]}}""", "\"x\"", "not in the vocabulary")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}""", "\"a\"", "two tokens")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}""", "\"a\"", "two tokens")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", null]]}}""", "\"a \"", "two tokens")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [7]}}""", "\"7\"", "two tokens")]
    [TestCase("""{"added_tokens": [{"id": -1, "content": "<|endoftext|>"}]}""", "<|endoftext|>", "-1")]
    [TestCase("""{"added_tokens": [{"id": 5, "content": "<|endoftext|>"}]}""", "<|endoftext|>", "5")]
    [TestCase("""{"added_tokens": [{"id": 0, "content": "<|endoftext|>", "lstrip": true}]}""", "<|endoftext|>", "lstrip")]
    public void WhatIsNotSupportedIsNamed(string change, string what, string value)
    {
        // The change replaces members of a file that loads.
        BpeTrainer.Train(["the the"], 300, specialTokens: []).Save(Folder);
        var text = File.ReadAllText(In("tokenizer.json"));
        var root = JsonNode.Parse(text)!.AsObject();
        var members = change[1..^1];
        foreach (var name in new[] { "normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "added_tokens" })
        {
            if (members.StartsWith($"\"{name}\"", StringComparison.Ordinal))
            {
                root.Remove(name);
            }
        }

        Write("tokenizer.json", "{" + members + "," + root.ToJsonString()[1..]);
        Assert.That(
            () => Tokenizer.Load(Folder),
            Throws.TypeOf<InvalidDataException>()
                .With.Message.Contains(In("tokenizer.json")).And.Message.Contains(what).And.Message.Contains(value));
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("null")]
    [TestCase("\"\\ud800\"")]
    public void ADamagedFileIsNamed(string content)
    {
        Write("tokenizer.json", content);
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains(In("tokenizer.json")));
    }

    [Test]
    public void ARandomlyDamagedFileIsAnErrorOrStillATokenizer()
    {
        ByteLevelBpeTokenizerTests.Trained().Save(Folder);
        var good = File.ReadAllBytes(In("tokenizer.json"));
        var random = new Random(7);
        var errors = 0;
        for (var i = 0; i < 1000; i++)
        {
            // A changed byte, a swapped pair of lines, or an end cut off.
            var bad = (byte[])good.Clone();
            var at = random.Next(bad.Length);
            switch (i % 3)
            {
                case 0:
                    bad[at] = (byte)random.Next(256);
                    break;
                case 1:
                    var lines = Encoding.UTF8.GetString(good).Split('\n');
                    var (a, b) = (random.Next(lines.Length), random.Next(lines.Length));
                    (lines[a], lines[b]) = (lines[b], lines[a]);
                    bad = Encoding.UTF8.GetBytes(string.Join('\n', lines));
                    break;
                default:
                    bad = bad[..at];
                    break;
            }

            Write("tokenizer.json", bad);
            try
            {
                var tokenizer = Tokenizer.Load(Folder);
                Assert.That(tokenizer.Decode(tokenizer.Encode("the quick brown")), Is.EqualTo("the quick brown"));
            }
            catch (InvalidDataException e)
            {
                Assert.That(e.Message, Does.Contain(In("tokenizer.json")));
                errors++;
            }
        }

        Assert.That(errors, Is.GreaterThan(400));
    }

    [Test]
    public void AFolderWithoutATokenizerSaysWhatWasLookedFor()
    {
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("tokenizer.json"));
        Assert.That(() => Tokenizer.Load(In("absent")), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("absent"));
    }

    private void Change(Tokenizer tokenizer, Action<JsonNode> change)
    {
        tokenizer.Save(Folder);
        var root = JsonNode.Parse(File.ReadAllText(In("tokenizer.json")))!;
        change(root);
        Write("tokenizer.json", root.ToJsonString());
    }
}
