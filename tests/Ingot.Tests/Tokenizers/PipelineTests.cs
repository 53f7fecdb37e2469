using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

/// <summary>
/// Against Hugging Face's own library (tokenizers 0.23.2): the fixtures hold pipelines of the known families and of every component, and
/// what that library makes of awkward texts.
/// </summary>
public class PipelineTests : FolderTests
{
    private static readonly string[] Families =
        ["gpt2", "llama3", "qwen2", "roberta", "o200k", "bert", "t5", "m2m100", "llama2", "clip"];

    [TestCaseSource(nameof(Families))]
    public void AFamilyGivesTheIdsAndPlacesOfTheLibrary(string family) => Compare(Load(family, out var cases), cases);

    [TestCaseSource(nameof(Families))]
    public void AFamilyComesBackFromItsFiles(string family)
    {
        var tokenizer = Load(family, out var cases);
        tokenizer.Save(In("saved"));
        var loaded = Tokenizer.Load(In("saved"));
        Assert.That(loaded, Is.TypeOf(tokenizer.GetType()));
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Compare(loaded, cases);
    }

    [TestCase("gpt2", true)]
    [TestCase("llama3", true)]
    [TestCase("qwen2", true)]
    [TestCase("roberta", true)]
    [TestCase("o200k", false)]
    [TestCase("clip", false)]
    public void TheShortWayIsForByteLevelBpe(string family, bool isShort) =>
        Assert.That(Load(family, out _) is ByteLevelBpeTokenizer, Is.EqualTo(isShort));

    [TestCase("gpt2")]
    [TestCase("llama3")]
    [TestCase("roberta")]
    public void EveryTextComesBack(string family)
    {
        var tokenizer = Load(family, out _);
        var random = new Random(11);
        for (var i = 0; i < 1000; i++)
        {
            // <mask> of RoBERTa takes the space before it.
            var text = RandomText.Next(random, random.Next(60)).Replace("<mask>", "", StringComparison.Ordinal);
            Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(text));
        }
    }

    [TestCase("gpt2")]
    [TestCase("llama3")]
    [TestCase("qwen2")]
    [TestCase("roberta")]
    public void TheShortWayGivesTheIdsOfTheLongOne(string family)
    {
        var tokenizer = Load(family, out _);
        var random = new Random(12);
        for (var i = 0; i < 1000; i++)
        {
            var text = RandomText.Next(random, random.Next(60));
            var encoding = tokenizer.Tokenize(text, options: new EncodeOptions { AddSpecialTokens = false });
            Assert.That(tokenizer.Encode(text), Is.EqualTo(encoding.Ids));
        }
    }

    [TestCaseSource(nameof(Families))]
    public void TextComesTokenByToken(string family)
    {
        if (family == "clip")
        {
            Assert.Pass("Its decoder treats the last token in a way of its own.");
        }

        var tokenizer = Load(family, out _);
        foreach (var text in new[] { "Hello my friend, how is it going?", "caf\u00e9 \u6f22\u5b57 \ud83d\udc4d don't.", " x  y" })
        {
            var ids = tokenizer.Encode(text);
            var decoder = new IncrementalDecoder(tokenizer);
            Assert.That(string.Concat(ids.Select(decoder.Append)) + decoder.Finish(), Is.EqualTo(tokenizer.Decode(ids)));
        }
    }

    [Test]
    public void EveryComponentGivesTheWordsAndPlacesOfTheLibrary()
    {
        var root = Fixture("components");
        var texts = root["texts"]!.AsArray().Select(text => text!.GetValue<string>()).ToArray();
        var model = new JsonObject
        {
            ["type"] = "BPE",
            ["byte_fallback"] = true,
            ["vocab"] = new JsonObject(Enumerable.Range(0, 256).Select(b => KeyValuePair.Create($"<0x{b:X2}>", (JsonNode?)b))),
            ["merges"] = new JsonArray(),
        };
        using var all = Assert.EnterMultipleScope();
        foreach (var component in root["components"]!.AsArray())
        {
            var pipeline = component!["parts"]!.DeepClone().AsObject();
            pipeline["model"] = model.DeepClone();
            Write("tokenizer.json", pipeline.ToJsonString());
            var tokenizer = Tokenizer.Load(Folder);
            foreach (var item in component["cases"]!.AsArray())
            {
                var text = texts[item![0]!.GetValue<int>()];
                var expected = string.Join("\n", item.AsArray().Skip(1).Chunk(3).Select(word => $"{word[0]}|{word[1]}|{word[2]}"));
                Assert.That(
                    string.Join("\n", WordsOf(tokenizer.Tokenize(text))),
                    Is.EqualTo(expected),
                    $"{JsonSerializer.Serialize(text)} by {component["parts"]!.ToJsonString()}");
            }
        }
    }

    [Test]
    public void EveryDecoderGivesTheTextOfTheLibrary()
    {
        var root = Fixture("decoders");
        var tokens = root["tokens"]!.AsArray().Select(token => token!.GetValue<string>());
        var vocabulary = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id)));
        foreach (var item in root["decoders"]!.AsArray())
        {
            var pipeline = new JsonObject
            {
                ["decoder"] = item!["decoder"]?.DeepClone(),
                ["model"] = new JsonObject { ["type"] = "WordLevel", ["unk_token"] = "<unk>", ["vocab"] = vocabulary.DeepClone() },
            };
            Write("tokenizer.json", pipeline.ToJsonString());
            var tokenizer = Tokenizer.Load(Folder);
            foreach (var example in item["cases"]!.AsArray())
            {
                Assert.That(
                    tokenizer.Decode(Ints(example![0]!)),
                    Is.EqualTo(example[1]!.GetValue<string>()),
                    $"{example[0]!.ToJsonString()} by {item["decoder"]?.ToJsonString()}");
            }
        }
    }

    /// <summary>Loads the tokenizer of a fixture.</summary>
    internal static Tokenizer Load(string family, string folder)
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Fixture(family)["tokenizer"]!.ToJsonString());
        return Tokenizer.Load(folder);
    }

    private Tokenizer Load(string family, out JsonArray cases)
    {
        cases = Fixture(family)["cases"]!.AsArray();
        return Load(family, Folder);
    }

    private static JsonNode Fixture(string name) => JsonNode.Parse(
        File.ReadAllText(TestData.InRepository("tests", "Ingot.Tests", "Tokenizers", "Fixtures", $"{name}.json")))!;

    private static void Compare(Tokenizer tokenizer, JsonArray cases)
    {
        var plain = new EncodeOptions { AddSpecialTokens = false };
        foreach (var item in cases)
        {
            var (text, pair) = (item!["text"]!.GetValue<string>(), item["pair"]?.GetValue<string>());
            var shown = JsonSerializer.Serialize(text);
            var encoding = tokenizer.Tokenize(text, pair);
            Assert.That(encoding.Ids, Is.EqualTo(Ints(item["ids"]!)), shown);
            Assert.That(encoding.Offsets.SelectMany(place => new[] { place.Start, place.End }), Is.EqualTo(Ints(item["offsets"]!)), shown);
            Assert.That(encoding.WordIds, Is.EqualTo(item["words"]!.AsArray().Select(word => word?.GetValue<int>())), shown);
            Assert.That(tokenizer.Tokenize(text, pair, plain).Ids, Is.EqualTo(Ints(item["plain"]!)), shown);
            if (pair is null)
            {
                Assert.That(tokenizer.Encode(text), Is.EqualTo(Ints(item["plain"]!)), shown);
                Assert.That(tokenizer.Decode(Ints(item["plain"]!)), Is.EqualTo(item["decoded"]!.GetValue<string>()), shown);
                var skipped = tokenizer.Decode(encoding.Ids, skipSpecialTokens: true);
                Assert.That(skipped, Is.EqualTo(item["skipped"]!.GetValue<string>()), shown);
            }
            else
            {
                Assert.That(encoding.TypeIds, Is.EqualTo(Ints(item["types"]!)), shown);
                Assert.That(encoding.SpecialTokensMask, Is.EqualTo(Ints(item["special"]!)), shown);
                Assert.That(tokenizer.Tokenize(text, pair, plain).TypeIds, Is.EqualTo(Ints(item["plainTypes"]!)), shown);
            }
        }
    }

    // The words that a model of bytes was given, each with its place in the text. An added token is "#" and its number.
    private static IEnumerable<string> WordsOf(TokenEncoding encoding)
    {
        for (int start = 0, end; start < encoding.Ids.Length; start = end)
        {
            var isAdded = encoding.Ids[start] >= 256;
            end = start + 1;
            while (end < encoding.Ids.Length && !isAdded && encoding.Ids[end] < 256 && encoding.WordIds[end] == encoding.WordIds[start])
            {
                end++;
            }

            var bytes = encoding.Ids[start..end].Select(id => (byte)id);
            var word = isAdded ? $"#{encoding.Ids[start] - 256}" : Encoding.UTF8.GetString([.. bytes]);
            yield return $"{word}|{encoding.Offsets[start].Start}|{encoding.Offsets[end - 1].End}";
        }
    }

    private static int[] Ints(JsonNode array) => [.. array.AsArray().Select(number => number!.GetValue<int>())];
}
