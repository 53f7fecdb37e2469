using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

/// <summary>Folders without a tokenizer.json, and the files that say which tokens have a role.</summary>
public class VocabularyFilesTests : FolderTests
{
    private const string Pieces = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nwor\n##ld\ncafe\n漢\n!\nHello\n";

    [Test]
    public void BertsVocabTxtIsItsPipeline()
    {
        Write("vocab.txt", Pieces);
        var tokenizer = Tokenizer.Load(Folder);
        Assert.That(tokenizer.Tokenize("Hello WORLD! Café漢", "[MASK]").Ids, Is.EqualTo(new[] { 2, 5, 6, 7, 10, 8, 9, 3, 4, 3 }));
        Assert.That(tokenizer.Decode([2, 5, 6, 7, 10, 3], skipSpecialTokens: true), Is.EqualTo("hello world!"));
        Assert.That((tokenizer.ClsId, tokenizer.SepId, tokenizer.PadId, tokenizer.UnkId, tokenizer.MaskId), Is.EqualTo((2, 3, 0, 1, 4)));

        tokenizer.Save(In("saved"));
        Assert.That(Tokenizer.Load(In("saved")).Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [Test]
    public void TheConfigurationKeepsCase()
    {
        Write("vocab.txt", Pieces);
        Write("tokenizer_config.json", """{"tokenizer_class": "BertTokenizer", "do_lower_case": false}""");
        Assert.That(Tokenizer.Load(Folder).Encode("Hello"), Is.EqualTo(new[] { 11 }));
    }

    [TestCase("a\nb\n", "[UNK]")]
    [TestCase("[UNK]\n[CLS]\n[SEP]\na\na\n", "Line 5")]
    public void ABadVocabTxtIsNamed(string content, string named)
    {
        Write("vocab.txt", content);
        Assert.That(
            () => Tokenizer.Load(Folder),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(In("vocab.txt")).And.Message.Contains(named));
    }

    [Test]
    public void QwensVocabularyHasQwensWords()
    {
        BpeTrainer.Train(["12 12 12 the the"], 300).Save(Folder);
        File.Delete(In("tokenizer.json"));
        Write("tokenizer_config.json", """
            {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|endoftext|>",
             "added_tokens_decoder": {"260": {"content": "<|im_end|>", "special": true}}}
            """);
        var size = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(In("vocab.json")))!.AsObject().Count;
        Write("tokenizer_config.json", File.ReadAllText(In("tokenizer_config.json")).Replace("260", $"{size}", StringComparison.Ordinal));
        var tokenizer = Tokenizer.Load(Folder);
        Assert.That(tokenizer, Is.TypeOf<ByteLevelBpeTokenizer>());
        Assert.That(tokenizer.Encode("12<|im_end|>"), Has.Length.EqualTo(3), "digits stand alone");
        Assert.That(tokenizer.Encode("e\u0301"), Is.EqualTo(tokenizer.Encode("\u00e9")));
        Assert.That(tokenizer.EosId, Is.Zero);
    }

    [Test]
    public void AnUnknownClassIsNamed()
    {
        ByteLevelBpeTokenizerTests.Trained().Save(Folder);
        File.Delete(In("tokenizer.json"));
        Write("tokenizer_config.json", """{"tokenizer_class": "CTRLTokenizer"}""");
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("CTRLTokenizer"));
    }

    [TestCase("#version: 0.2\na", "Line 2")]
    [TestCase("#version: 0.2\nh e\nx漢 y", "Line 3")]
    public void ABadMergesTxtIsNamed(string content, string named)
    {
        BpeTrainer.Train(["the the the"], 300).Save(Folder);
        File.Delete(In("tokenizer.json"));
        Write("merges.txt", content);
        Assert.That(
            () => Tokenizer.Load(Folder),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(In("merges.txt")).And.Message.Contains(named));
    }

    [Test]
    public void ASpecialTokenThatIsNotThereIsNamedWithItsFileAndPath()
    {
        ByteLevelBpeTokenizerTests.Trained().Save(Folder);
        Write("special_tokens_map.json", """{"pad_token": {"content": "[PAD]"}}""");
        Assert.That(
            () => Tokenizer.Load(Folder),
            Throws.TypeOf<InvalidDataException>()
                .With.Message.Contains(In("special_tokens_map.json")).And.Message.Contains("$.pad_token").And.Message.Contains("[PAD]"));
    }

    [Test]
    public void OtherSettingsAreKept()
    {
        ByteLevelBpeTokenizerTests.Trained().Save(Folder);
        Write("tokenizer_config.json", """{"chat_template": "{{ x }}", "model_max_length": 77, "eos_token": "<|endoftext|>"}""");
        Tokenizer.Load(Folder).Save(In("saved"));
        var saved = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(In("saved/tokenizer_config.json")))!;
        Assert.That(saved["chat_template"]!.GetValue<string>(), Is.EqualTo("{{ x }}"));
        Assert.That(saved["model_max_length"]!.GetValue<int>(), Is.EqualTo(77));
        Assert.That(saved["eos_token"]!.GetValue<string>(), Is.EqualTo("<|endoftext|>"));
    }

    [Test]
    public void DeepJsonIsAnError()
    {
        Write("tokenizer.json", new string('[', 100_000));
        Assert.That(() => Tokenizer.Load(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("depth"));
    }
}
