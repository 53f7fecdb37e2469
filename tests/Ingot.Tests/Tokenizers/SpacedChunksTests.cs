using System.Text;
using System.Text.Json.Nodes;
using Ingot.Tokenizers;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.Unicode;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

/// <summary>Text that is encoded chunk by chunk has the tokens of the whole.</summary>
public class SpacedChunksTests : FolderTests
{
    private static readonly string[] Plain =
    [
        "The", "fox", "dog.", "don't", "I'll", "DON'T", "1234", "x=1", "(a)", "дом", "Ωμέγα", "漢字", "かな", "한국", "été", "ὰ", "\u037a",
        "\u0308x", "x\u0308", "!", "...", "\u00a8", "ﬁ", "<s>", "</s>", "[MASK]", "<mask>", "__en__", "<|im_start|>", "<0x41>",
    ];

    [Test]
    public void AChunkBeginsWithOneSpaceBetweenPlainCharacters()
    {
        Assert.That(Chunks("a b  c\n d e\tf été дом 漢字 字! \u0308x \u00a0y z"), Is.EqualTo(new[]
        {
            "a", " b  c\n d", " e\tf", " été", " дом", " 漢字", " 字! \u0308x \u00a0y", " z",
        }));
        Assert.That(Chunks(" a "), Is.EqualTo(new[] { " a " }));
        Assert.That(Chunks(" "), Is.EqualTo(new[] { " " }));
    }

    [Test]
    public void TheTokensAreThoseOfTheWhole(
        [Values("bert", "t5", "m2m100", "llama3", "qwen2", "o200k", "roberta", "gpt2", "llama2", "clip")] string fixture)
    {
        var file = TestData.InRepository("tests/Ingot.Tests/Tokenizers/Fixtures", $"{fixture}.json");
        Write("tokenizer.json", JsonNode.Parse(File.ReadAllText(file))!["tokenizer"]!.ToJsonString());
        var byChunks = (PipelineTokenizer)Tokenizer.Load(Folder);
        var whole = new PipelineTokenizer(byChunks.Parts with { Normalizer = new WholeText(byChunks.Parts.Normalizer) });
        var random = new Random(11);
        for (var i = 0; i < 60; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ =>
                random.Next(4) > 0 ? " " + Plain[random.Next(Plain.Length)] : RandomText.Next(random, 2)));
            var expected = whole.Tokenize(text);
            var actual = byChunks.Tokenize(text);
            Assert.That(actual.Ids, Is.EqualTo(expected.Ids), text);
            Assert.That(actual.Offsets, Is.EqualTo(expected.Offsets), text);
            Assert.That(actual.WordIds, Is.EqualTo(expected.WordIds), text);
            Assert.That(actual.Tokens, Is.EqualTo(expected.Tokens), text);
            Assert.That(byChunks.Encode(text), Is.EqualTo(whole.Encode(text)), text);
        }
    }

    [Test]
    public void AFullMemoryStartsAnew()
    {
        var memory = new Remembered<int>(100);
        for (var i = 0; i < 1000; i++)
        {
            var key = Encoding.UTF8.GetBytes($"key {i % 40}");
            var values = memory.TryGet(key, out var known) ? known : memory.Add(key, AddBytes);
            Assert.That(values.ToArray(), Is.EqualTo(key.Select(b => (int)b)));
        }

        // What fails is not remembered.
        Assert.That(() => memory.Add("bad"u8, Fail), Throws.TypeOf<InvalidDataException>());
        Assert.That(memory.TryGet("bad"u8, out _), Is.False);
        Assert.That(memory.Add("good"u8, (_, list) => list.Add(2)).ToArray(), Is.EqualTo(new[] { 2 }));

        static void AddBytes(ReadOnlySpan<byte> key, List<int> list)
        {
            foreach (var b in key)
            {
                list.Add(b);
            }
        }

        static void Fail(ReadOnlySpan<byte> key, List<int> list)
        {
            list.Add(key[0]);
            throw new InvalidDataException("No.");
        }
    }

    private static List<string> Chunks(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var chunks = new List<string>();
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = SpacedChunks.Next(utf8, start);
            chunks.Add(Encoding.UTF8.GetString(utf8[start..end]));
        }

        return chunks;
    }
}

/// <summary>The same normalizer, which does not say that it goes by chunks.</summary>
internal sealed class WholeText(Normalizer? normalizer) : Normalizer
{
    public override string Type => "WholeText";

    public override AlignedText Apply(AlignedText text) => normalizer?.Apply(text) ?? text;
}
