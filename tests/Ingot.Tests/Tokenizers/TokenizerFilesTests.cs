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
        Assert.That(loaded.Tokenize("quick 漢").Ids, Is.EqualTo(tokenizer.Encode("quick 漢")));
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [TestCase("""{"normalizer": {"type": "Typo"}}""", "$.normalizer", "\"Typo\"")]
    [TestCase("""{"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "X"}]}}""", "$.normalizer.normalizers[1]", "\"X\"")]
    [TestCase("""{"normalizer": {"type": "NFC", "extra": 1}}""", "$.normalizer", "\"extra\"")]
    [TestCase("""{"normalizer": {"type": "Lowercase", "type": 7}}""", "$.normalizer.type", "7")]
    [TestCase("""{"normalizer": {"type": "Replace", "pattern": {"Regex": "(a"}, "content": ""}}""", "$.normalizer", "( without its )")]
    [TestCase("""{"normalizer": {"type": "Replace", "pattern": {"Regex": "a\\1"}, "content": ""}}""", "$.normalizer", "\\1")]
    [TestCase("""{"normalizer": {"type": "Replace", "pattern": {"Regex": "\\p{Klingon}"}, "content": ""}}""", "$.normalizer", "Klingon")]
    [TestCase("""{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}""", "$.normalizer.precompiled_charsmap", "trie")]
    [TestCase("""{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "////////"}}""", "$.normalizer.precompiled_charsmap", "trie")]
    [TestCase("""{"pre_tokenizer": {"type": "ByteLevel", "use_regex": "yes"}}""", "$.pre_tokenizer.use_regex", "true or false")]
    [TestCase("""{"pre_tokenizer": {"type": "Split", "pattern": {}, "behavior": "Isolated"}}""", "$.pre_tokenizer.pattern", "Regex")]
    [TestCase("""{"pre_tokenizer": {"type": "Punctuation", "behavior": "Removes"}}""", "$.pre_tokenizer.behavior", "\"Removes\"")]
    [TestCase("""{"pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": "ab"}}""", "$.pre_tokenizer.delimiter", "\"ab\"")]
    [TestCase("""{"pre_tokenizer": {"type": "FixedLength", "length": 0}}""", "$.pre_tokenizer.length", "1 or more")]
    [TestCase("""{"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "last"}}""", "$.pre_tokenizer.prepend_scheme", "\"last\"")]
    [TestCase("""{"post_processor": {"type": "TemplateProcessing", "single": [], "pair": []}}""", "$.post_processor.single", "sequence A")]
    [TestCase("""{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "pair": []}}""", "single[0]", "\"x\"")]
    [TestCase("""{"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 0]}}""", "post-processor", "[SEP]")]
    [TestCase("""{"decoder": {"type": "Strip", "content": " ", "start": -1, "stop": 0}}""", "$.decoder.start", "-1")]
    [TestCase("""{"truncation": {"max_length": 1e99}}""", "$.truncation.max_length", "1e99")]
    [TestCase("""{"padding": {"strategy": "Half"}}""", "$.padding.strategy", "BatchLongest")]
    [TestCase("""{"tokens": 7}""", "$", "\"tokens\"")]
    [TestCase("""{"model": {"type": "Unigram"}}""", "$.model", "\"vocab\" is missing")]
    [TestCase("""{"model": {"type": "Unigram", "vocab": [["a", 0], ["a", 1]]}}""", "$.model.vocab[1][0]", "twice")]
    [TestCase("""{"model": {"type": "Unigram", "vocab": [["a"]]}}""", "$.model.vocab[0]", "score")]
    [TestCase("""{"model": {"type": "Unigram", "vocab": [["a", 1e999]]}}""", "$.model.vocab[0][1]", "number")]
    [TestCase("""{"model": {"type": "Unigram", "unk_id": 5, "vocab": [["a", 0]]}}""", "$.model.unk_id", "1 pieces")]
    [TestCase("""{"model": {"type": "WordPiece", "vocab": {"a": 0}}}""", "$.model", "[UNK]")]
    [TestCase("""{"model": {"type": "BPE", "unk_token": "<u>", "vocab": {"a": 0}, "merges": []}}""", "$.model.unk_token", "<u>")]
    [TestCase("""{"model": {"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []}}""", "$.model.dropout", "random")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}""", "lacks the byte", "0x00")]
    [TestCase("""{"model": {"type": "WordLevel", "vocab": {"a": 1}}}""", "ids", "\"a\"")]
    [TestCase("""{"model": {"type": "WordLevel", "vocab": {"a": 2147483647}}}""", "ids", "\"a\"")]
    [TestCase("""{"model": {"type": "WordLevel", "vocab": {"a": 99999999999999999999}}}""", "\"a\"", "99999999999999999999")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}""", "\"a\"", "-1")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}""", "\"a\"", "b")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}}""", "\"a\"", "twice")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}}""", "\"b\"", "\"a\"")]
    [TestCase("""{"model": {"type": "BPE", "merges": []}}""", "vocab", "missing")]
    [TestCase("""{"model": {"type": "BPE", "vocab": [], "merges": []}}""", "$.model.vocab", "object")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {}, "merges": {}}}""", "$.model.merges", "array")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a x"]}}""", "$.model.merges[0]", "\"x\", which is not in the vocabulary")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}}""", "$.model.merges[0]", "\"aa\", which is not in the vocabulary")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0, "": 1}, "merges": [["a", ""]]}}""", "$.model.merges[0]", "not in the vocabulary")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}""", "\"a\"", "two tokens")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}""", "$.model.merges[0]", "two tokens")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", null]]}}""", "$.model.merges[0][1]", "string")]
    [TestCase("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [7]}}""", "$.model.merges[0]", "7")]
    [TestCase("""{"added_tokens": [{"id": -1, "content": "<|endoftext|>"}]}""", "$.added_tokens[0].id", "-1")]
    [TestCase("""{"added_tokens": [{"id": 5, "content": "<|endoftext|>"}]}""", "<|endoftext|>", "5")]
    [TestCase("""{"added_tokens": [{"id": 999999999, "content": "<|endoftext|>"}]}""", "<|endoftext|>", "999999999")]
    [TestCase("""{"added_tokens": [{"id": 300, "content": ""}]}""", "$.added_tokens[0]", "empty")]
    public void WhatIsNotSupportedIsNamed(string change, string what, string value)
    {
        // The change replaces members of a file that loads.
        BpeTrainer.Train(["the the"], 300, specialTokens: []).Save(Folder);
        var text = File.ReadAllText(In("tokenizer.json"));
        var root = JsonNode.Parse(text)!.AsObject();
        var members = change[1..^1];
        foreach (var name in root.Select(member => member.Key).ToArray())
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
