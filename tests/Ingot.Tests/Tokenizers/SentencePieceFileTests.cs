using System.Text;
using System.Text.Json.Nodes;
using Ingot.Pairs;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class SentencePieceFileTests : FolderTests
{
    private static readonly string[] Texts =
    [
        "Hello there, how are you?", "  two  spaces  ", "", " ", "the", "naïve ﬁsh ①", "漢字 and 🦊", "tabs\tand\nlines", "x y", "1,234.5",
    ];

    [TestCase("t5", "T5Tokenizer", """ "eos_token": "</s>" """)]
    [TestCase("llama2", "LlamaTokenizer", """ "bos_token": "<s>" """)]
    public void AModelGivesWhatHuggingFacesFileOfItGives(string fixture, string tokenizerClass, string setting)
    {
        // The same vocabulary once as tokenizer.json, once as the .model that it would be converted from.
        var root = JsonNode.Parse(File.ReadAllText(TestData.InRepository("tests/Ingot.Tests/Tokenizers/Fixtures", $"{fixture}.json")))!;
        Write("json/tokenizer.json", root["tokenizer"]!.ToJsonString());
        Write("model/spiece.model", Model(root["tokenizer"]!).ToBytes());
        var extra = Added(root["tokenizer"]!).Count(token => token.Text.StartsWith("<extra", StringComparison.Ordinal));
        Write("model/tokenizer_config.json", $$"""{"tokenizer_class": "{{tokenizerClass}}", "extra_ids": {{extra}}, {{setting}}}""");
        var expected = Tokenizer.Load(In("json"));
        var actual = Tokenizer.Load(In("model"));
        var random = new Random(3);
        foreach (var text in Texts.Concat(Enumerable.Range(0, 100).Select(_ => RandomText.Next(random, 12))))
        {
            // Hugging Face's file of T5 cuts at all white space; the model knows spaces only, to which the character map turns the rest.
            var isT5 = tokenizerClass == "T5Tokenizer";
            var plain = string.Concat(text.Select(c => isT5 && (char.IsWhiteSpace(c) || c > 0x2000) ? ' ' : c));
            Assert.That(actual.Tokenize(plain).Tokens, Is.EqualTo(expected.Tokenize(plain).Tokens), plain);
            Assert.That(actual.Decode(actual.Encode(plain)), Is.EqualTo(expected.Decode(expected.Encode(plain))), plain);
        }
    }

    [Test]
    public void ATrainedUnigramGivesWhatMicrosoftsReaderGives()
    {
        var trained = UnigramTrainer.Train(
            [File.ReadAllText(TestData.PathOf("tinyshakespeare.txt"))[..60_000]],
            new UnigramTrainerOptions { VocabularySize = 900 });
        trained.Save(In("json"));
        var root = JsonNode.Parse(File.ReadAllText(In("json/tokenizer.json")))!;
        var model = Model(root);
        model.Pieces.Add(("<s>", 0, 3)); // Microsoft's reader wants one.
        var bytes = model.ToBytes();
        Write("model/tokenizer.model", bytes);
        var oracle = Microsoft.ML.Tokenizers.SentencePieceTokenizer.Create(new MemoryStream(bytes), false, false);
        var ours = Tokenizer.Load(In("model"));
        foreach (var text in Texts.Append(File.ReadAllText(TestData.PathOf("tinyshakespeare.txt"))[60_000..80_000]))
        {
            // SentencePiece makes one token of unknown characters that follow each other, and Microsoft's reader does not.
            var plain = text.Replace('\n', ' ');
            var ids = oracle.EncodeToIds(plain);
            var expected = ids.Where((id, i) => i == 0 || id != ours.UnkId || ids[i - 1] != id);
            Assert.That(ours.Encode(plain), Is.EqualTo(expected), plain);
        }
    }

    [Test]
    public void AModelWithoutAClassAddsNothingAndKnowsItsTokens()
    {
        var model = Small();
        model.Pieces.Add(("<mark>", 0, 4));
        Write("tokenizer.model", model.ToBytes());
        var tokenizer = Tokenizer.Load(Folder);
        Assert.That(tokenizer.Tokenize("ab <mark>").Tokens, Is.EqualTo(new[] { "▁ab", "<mark>" }));
        Assert.That((tokenizer.UnkId, tokenizer.BosId, tokenizer.EosId), Is.EqualTo((0, 1, 2)));
        Assert.That(tokenizer.Decode(tokenizer.Encode("ab a")), Is.EqualTo("ab a"));

        tokenizer.Save(In("saved"));
        Assert.That(Tokenizer.Load(In("saved")).Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [Test]
    public void PiecesOverSeveralWordsAreFound()
    {
        var model = Small(removeExtraSpaces: false);
        model.Pieces.Add(("▁a▁b", -0.1f, 1));
        Write("tokenizer.model", model.ToBytes());
        var tokenizer = Tokenizer.Load(Folder);
        Assert.That(tokenizer.Tokenize("a b").Tokens, Is.EqualTo(new[] { "▁a▁b" }));
        Assert.That(tokenizer.Decode(tokenizer.Encode(" a b  a")), Is.EqualTo(" a b  a"));
    }

    [Test]
    public void WithoutAPrefixTheFirstWordHasNoMark()
    {
        Write("tokenizer.model", new SentencePieceWriter { Pieces = Small().Pieces, AddDummyPrefix = false }.ToBytes());
        Assert.That(Tokenizer.Load(Folder).Tokenize(" a ab ").Tokens, Is.EqualTo(new[] { "a", "▁ab" }));
    }

    [Test]
    public void M2M100HasTheIdsOfItsVocabulary()
    {
        var fixture = TestData.InRepository("tests/Ingot.Tests/Tokenizers/Fixtures/m2m100.json");
        var root = JsonNode.Parse(File.ReadAllText(fixture))!["tokenizer"]!;
        Write("json/tokenizer.json", root.ToJsonString());
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        var languages = Added(root).Where(token => token.Text.StartsWith("__", StringComparison.Ordinal)).Order().ToArray();
        var ids = new JsonObject(vocabulary.Where(token => languages.All(language => language.Text != token.Key))
            .Select(token => KeyValuePair.Create(token.Key, (JsonNode?)token.Value!.GetValue<int>())));
        Write("model/vocab.json", ids.ToJsonString());
        Write("model/sentencepiece.bpe.model", Model(root).ToBytes());
        Write("model/tokenizer_config.json", new JsonObject
        {
            ["tokenizer_class"] = "M2M100Tokenizer",
            ["additional_special_tokens"] = new JsonArray([.. languages.Select(language => (JsonNode)language.Text)]),
        }.ToJsonString());
        var expected = Tokenizer.Load(In("json"));
        var actual = Tokenizer.Load(In("model"));
        foreach (var text in Texts)
        {
            // Spaces at the end go, as SentencePiece has it; the file at hand keeps them.
            Assert.That(actual.Tokenize(text).Ids, Is.EqualTo(expected.Tokenize(text.TrimEnd(' ')).Ids), text);
        }
    }

    [Test]
    public void MarianHasPiecesForEachSideUnderTheIdsOfOneVocabulary()
    {
        WriteMarian();
        var tokenizer = Tokenizer.Load(Folder);
        // "ab" is a piece of the target alone, "▁a" one of both, "z" one of neither; "ö" has an id and is no piece of the source.
        Assert.That(tokenizer.Tokenize(">>de<< ab a").Tokens, Is.EqualTo(new[] { ">>de<<", "▁a", "b", "▁a", "</s>" }));
        Assert.That(tokenizer.ForTargets.Tokenize("ab a").Tokens, Is.EqualTo(new[] { "▁ab", "▁a", "</s>" }));
        Assert.That(new PairEncoder(tokenizer, end: 0).EncodeSource("ab"), Is.EqualTo(new[] { 2, 3, 0 }));
        Assert.That(new PairEncoder(tokenizer, end: 0).EncodeTarget("ab"), Is.EqualTo(new[] { 4, 0 }));
        Assert.That(tokenizer.Tokenize("az aö").Ids, Is.EqualTo(new[] { 2, 1, 2, 6, 0 }));
        Assert.That(tokenizer.Decode([2, 3, 4, 2]), Is.EqualTo("ab ab a"));
        Assert.That((tokenizer.EosId, tokenizer.UnkId, tokenizer.PadId, tokenizer.VocabularySize), Is.EqualTo((0, 1, 7, 8)));

        tokenizer.Save(In("saved"));
        var again = Tokenizer.Load(In("saved"));
        Assert.That(again.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(again.Tokenize("az aö").Ids, Is.EqualTo(tokenizer.Tokenize("az aö").Ids));
        Assert.That(again.ForTargets.Tokenize("ab a").Ids, Is.EqualTo(tokenizer.ForTargets.Tokenize("ab a").Ids));
    }

    [TestCase("target.spm")]
    [TestCase("vocab.json")]
    public void AMarianTokenizerThatIsNotWholeIsNamed(string missing)
    {
        WriteMarian();
        File.Delete(In(missing));
        Assert.That(
            () => Tokenizer.Load(Folder), Throws.TypeOf<FileNotFoundException>().With.Message.Contains($"{missing} is not"));
    }

    private void WriteMarian()
    {
        Write("source.spm", new SentencePieceWriter
        {
            Pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("▁a", -1, 1), ("b", -2, 1), ("▁q", -3, 1)],
        }.ToBytes());
        Write("target.spm", new SentencePieceWriter
        {
            Pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("▁ab", -1, 1), ("▁a", -2, 1), ("ö", -3, 1)],
        }.ToBytes());
        Write("vocab.json", """{"</s>": 0, "<unk>": 1, "▁a": 2, "b": 3, "▁ab": 4, ">>de<<": 5, "ö": 6, "<pad>": 7}""");
        Write("tokenizer_config.json", """{"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "de"}""");
    }

    [Test]
    public void WhatIsNotSupportedIsNamed()
    {
        Fails(Small(type: 3), "Word");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, ("q", 0, 5)] }, "unused");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, ("a", 0, 1)] }, "\"a\" has the ids");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, ("", 0, 1)] }, "no text");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, ("q", float.NaN, 1)] }, "no finite score");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, ("q", 0, 77)] }, "type 77");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces[1..]] }, "no piece for the unknown");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, ("q", 0, 2)] }, "two pieces for the unknown");
        Fails(new SentencePieceWriter { Pieces = Small().Pieces, ByteFallback = true }, "<0x00>");
        Fails(new SentencePieceWriter { Pieces = Small().Pieces, CharacterMap = [1, 2, 3] }, "character map");
        Fails(new SentencePieceWriter { Pieces = [.. Small().Pieces, (new string('a', 2000), 0, 1)], ModelType = 2 }, "2,000 chars");
        Write("tokenizer_config.json", """{"tokenizer_class": "CamembertTokenizer"}""");
        Fails(Small(), "CamembertTokenizer");

        void Fails(SentencePieceWriter model, string named)
        {
            Write("tokenizer.model", model.ToBytes());
            Assert.That(
                () => Tokenizer.Load(Folder),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains(In("tokenizer.model")).And.Message.Contains(named));
        }
    }

    [TestCase(new byte[] { 0x0A }, "inside a number")]
    [TestCase(new byte[] { 0x0A, 0x05, 0x0A }, "5 bytes should follow")]
    [TestCase(new byte[] { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F }, "9,223,372,036,854,775,807 bytes should follow")]
    [TestCase(new byte[] { 0x0A, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 }, "9,223,372,036,854,775,808 bytes")]
    [TestCase(new byte[] { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 }, "ten bytes")]
    [TestCase(new byte[] { 0x02, 0x00 }, "field number 0")]
    [TestCase(new byte[] { 0x0B }, "wire type 3")]
    [TestCase(new byte[] { 0x08, 0x01 }, "wire type 0 stands where bytes should be")]
    [TestCase(new byte[] { 0x0A, 0x03, 0x0A, 0x01, 0xFF }, "not UTF-8")]
    [TestCase(new byte[] { 0x12, 0x0A, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F }, "more than 32 bits")]
    [TestCase(new byte[] { }, "no pieces")]
    [TestCase(new byte[] { 0x22, 0x00 }, "no pieces")]
    public void ABrokenMessageIsNamedWithItsPlace(byte[] message, string named)
    {
        Write("tokenizer.model", message);
        Assert.That(
            () => Tokenizer.Load(Folder),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(In("tokenizer.model")).And.Message.Contains(named));
    }

    [Test]
    public void ARandomlyDamagedFileIsAnErrorOrStillATokenizer()
    {
        var good = new SentencePieceWriter { Pieces = Small().Pieces, ModelType = 2 }.ToBytes();
        var random = new Random(7);
        var errors = 0;
        for (var i = 0; i < 3000; i++)
        {
            var bad = (byte[])good.Clone();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }

            Write("tokenizer.model", i % 3 == 0 ? bad[..random.Next(bad.Length)] : bad);
            try
            {
                Tokenizer.Load(Folder).Encode("ab ba");
            }
            catch (InvalidDataException e)
            {
                Assert.That(e.Message, Does.Contain(In("tokenizer.model")));
                errors++;
            }
        }

        Assert.That(errors, Is.GreaterThan(1000));
    }

    private static SentencePieceWriter Small(int type = 1, bool removeExtraSpaces = true) => new()
    {
        Pieces =
        [
            ("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("▁", -2, 1), ("a", -2, 1), ("b", -2, 1), ("▁a", -1, 1), ("▁ab", -0.5f, 1),
        ],
        ModelType = type,
        RemoveExtraSpaces = removeExtraSpaces,
    };

    private static IEnumerable<(int Id, string Text)> Added(JsonNode tokenizer) =>
        tokenizer["added_tokens"]!.AsArray().Select(token => (token!["id"]!.GetValue<int>(), token["content"]!.GetValue<string>()));

    // The .model that a tokenizer.json would be converted from.
    private static SentencePieceWriter Model(JsonNode tokenizer)
    {
        var model = tokenizer["model"]!;
        var isUnigram = model["type"]!.GetValue<string>() == "Unigram";
        var byteFallback = model["byte_fallback"]?.GetValue<bool>() ?? false;
        var normalizers = (tokenizer["normalizer"]?["normalizers"]?.AsArray() ?? [tokenizer["normalizer"]?.DeepClone()]).ToArray();
        var map = normalizers.Select(step => step?["precompiled_charsmap"]?.GetValue<string>()).FirstOrDefault(text => text is not null);
        List<(string, float, int)> pieces;
        if (isUnigram)
        {
            pieces = [.. model["vocab"]!.AsArray().Select(item => Piece(item![0]!.GetValue<string>(), item[1]!.GetValue<double>()))];
        }
        else
        {
            // A piece's score is minus the rank of its first merge; characters come last.
            var scores = new Dictionary<string, double>();
            foreach (var (rank, merge) in model["merges"]!.AsArray().Index())
            {
                var parts = merge is JsonArray pair ? pair.Select(part => part!.GetValue<string>()) : merge!.GetValue<string>().Split(' ');
                scores.TryAdd(string.Concat(parts), -rank);
            }

            pieces = [.. model["vocab"]!.AsObject().OrderBy(token => token.Value!.GetValue<int>())
                .Where(token => !token.Key.StartsWith("__", StringComparison.Ordinal))
                .Select(token => Piece(token.Key, scores.GetValueOrDefault(token.Key, -1e6 - token.Value!.GetValue<int>())))];
        }

        return new SentencePieceWriter
        {
            Pieces = pieces,
            ModelType = isUnigram ? 1 : 2,
            ByteFallback = byteFallback,
            CharacterMap = map is null ? [] : Convert.FromBase64String(map),
            RemoveExtraSpaces = tokenizer["pre_tokenizer"] is not null,
        };

        (string, float, int) Piece(string text, double score) =>
            (text, (float)score, text == "<unk>" ? 2 : text is "<s>" or "</s>" or "<pad>" ? 3 : byteFallback && IsByte(text) ? 6 : 1);

        static bool IsByte(string text) => text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal);
    }
}
