using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

/// <summary>Vectors that the libraries publish in their own tests.</summary>
public class ModelTests : FolderTests
{
    private const string Unigram = """
        {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["ab", 0], ["cd", -0.1], ["abc", -0.2], ["a", -0.3], ["b", -0.4],
          ["c", -0.5], ["ABC", -0.5], ["abcdabcd", 20], ["q", 20.5], ["r", 20.5], ["qr", -0.5]]}}
        """;

    [TestCase("abc", "abc")]
    [TestCase("abcd", "ab cd")]
    [TestCase("abcc", "abc c")]
    [TestCase("xabcabaabcdd", "x abc ab a ab cd d")]
    [TestCase("xyz東京", "xyz東京")]
    [TestCase("ABC", "ABC")]
    [TestCase("abABCcd", "ab ABC cd")]
    [TestCase("ababcdabcdcd", "ab abcdabcd cd")]
    [TestCase("abqrcd", "ab q r cd")]
    [TestCase("AB", "AB")]
    public void UnigramTakesTheBestPieces(string word, string pieces)
    {
        var encoding = Load(Unigram).Tokenize(word);
        Assert.That(string.Join(' ', encoding.Offsets.Select(place => word[place.Start..place.End])), Is.EqualTo(pieces));
    }

    [Test]
    public void UnigramWithoutATokenForTheUnknownIsAnErrorThere() =>
        Assert.That(
            () => Load("""{"model": {"type": "Unigram", "vocab": [["a", 0]]}}""").Encode("ab"),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("\"b\""));

    [Test]
    public void ALongWordIsNoTrouble()
    {
        var word = string.Concat(Enumerable.Repeat("abcdx", 1 << 16));
        Assert.That(Load(Unigram).Encode(word), Has.Length.EqualTo(3 << 16));
        Assert.That(Load(WordPiece).Encode(word), Is.EqualTo(new[] { 0 }));
    }

    private const string WordPiece = """
        {"pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece"},
         "model": {"type": "WordPiece", "unk_token": "[UNK]", "max_input_chars_per_word": 20,
           "vocab": {"[UNK]": 0, "un": 1, "##aff": 2, "##able": 3, "want": 4, "##ed": 5, "runn": 6, "##ing": 7, "漢": 8, "##字": 9}}}
        """;

    [TestCase("unaffable", new[] { 1, 2, 3 })]
    [TestCase("unwanted running", new[] { 0, 6, 7 })]
    [TestCase("wanted unX", new[] { 4, 5, 0 })]
    [TestCase("漢字字", new[] { 8, 9, 9 })]
    [TestCase("unaffableaffableaffable", new[] { 0 })]
    public void WordPieceTakesTheLongestPieceFromTheLeft(string text, int[] ids) =>
        Assert.That(Load(WordPiece).Encode(text), Is.EqualTo(ids));

    [Test]
    public void BertsPreTokens() => Assert.That(
        Words("""{"type": "BertPreTokenizer"}""", "Hey friend!     How are you?!?"), Is.EqualTo("Hey friend ! How are you ? ! ?"));

    [Test]
    public void ByteLevelPreTokensHaveTheirPlaces()
    {
        const string text = "Hello my friend, how is your day going?";
        Assert.That(
            Words("""{"type": "ByteLevel", "add_prefix_space": false}""", text, out var places),
            Is.EqualTo("Hello Ġmy Ġfriend , Ġhow Ġis Ġyour Ġday Ġgoing ?"));
        Assert.That(places, Is.EqualTo(new[]
        {
            (0, 5), (5, 8), (8, 15), (15, 16), (16, 20), (20, 23), (23, 28), (28, 32), (32, 38), (38, 39),
        }));
    }

    [Test]
    public void BpeMergesTheEarliestLearntPairFirst()
    {
        var tokenizer = Load("""
            {"model": {"type": "BPE", "unk_token": "?", "vocab": {"?": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "bc": 5, "abc": 6, "aa": 7},
             "merges": ["b c", "a b", "ab c", "a a"]}}
            """);
        Assert.That(tokenizer.Encode("abc"), Is.EqualTo(new[] { 1, 5 }));
        Assert.That(tokenizer.Encode("aaa"), Is.EqualTo(new[] { 7, 1 }));
        Assert.That(tokenizer.Encode("axyb"), Is.EqualTo(new[] { 1, 0, 0, 2 }));
    }

    [Test]
    public void AMergeThatStandsTwiceHasItsLastPlace()
    {
        // As in Hugging Face's library, where the last one overwrites the first.
        var tokenizer = Load("""
            {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4}, "merges": ["a b", "b c", "a b"]}}
            """);
        Assert.That(tokenizer.Encode("abc"), Is.EqualTo(new[] { 0, 4 }));
    }

    [Test]
    public void TextThatCannotBeWrittenIsNamed() =>
        Assert.That(
            () => Load("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}""").Encode("a漢"),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("漢"));

    private Tokenizer Load(string json)
    {
        Write("tokenizer.json", json);
        return Tokenizer.Load(Folder);
    }

    private string Words(string preTokenizer, string text) => Words(preTokenizer, text, out _);

    private string Words(string preTokenizer, string text, out (int Start, int End)[] places)
    {
        var tokenizer = (PipelineTokenizer)Load(
            $$"""{"pre_tokenizer": {{preTokenizer}}, "model": {"type": "WordLevel", "unk_token": "u", "vocab": {"u": 0} } }""");
        var words = new List<Ingot.Tokenizers.Unicode.AlignedText>();
        tokenizer.Parts.PreTokenizer!.Cut(Ingot.Tokenizers.Unicode.AlignedText.Of(text), words);
        places = tokenizer.Tokenize(text).Offsets;
        return string.Join(' ', words.Select(word => word.ToString()));
    }

    // Whole texts as words, as Llama 2 has them: some merges cross from one word to the next, or none does.
    [TestCase("▁a▁", "▁a▁ b ▁a▁ b b ▁▁ ▁ b")]
    [TestCase(null, "▁a ▁b ▁a ▁b b ▁▁ ▁b")]
    public void MergesOverMarksAreFoundWhereThereAreSome(string? crossing, string tokens)
    {
        string[] merges = crossing is null ? ["▁ a", "▁ b", "▁ ▁"] : ["▁ a", "▁a ▁", "▁ ▁"];
        string[] vocabulary = ["<unk>", "▁", "a", "b", .. merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal))];
        var ids = string.Join(", ", vocabulary.Select((token, id) => $"\"{token}\": {id}"));
        var pairs = string.Join(", ", merges.Select(merge => $"\"{merge}\""));
        var json = $$$"""{"model": {"type": "BPE", "unk_token": "<unk>", "vocab": { {{{ids}}} }, "merges": [{{{pairs}}}]}}""";
        const string text = "▁a▁b▁a▁bb▁▁▁b";
        var encoding = Load(json).Tokenize(text);
        Assert.That(string.Join(' ', encoding.Tokens), Is.EqualTo(tokens));
        Assert.That(string.Join(' ', encoding.Offsets.Select(place => text[place.Start..place.End])), Is.EqualTo(tokens));
    }

    [Test]
    public void MergesThatStandBeforeTheirPartsOrTwiceEnd()
    {
        var tokenizer = Load("""
            {"model": {"type": "BPE", "unk_token": "a", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
              "merges": ["ab c", "a b", "a b"]}}
            """);
        Assert.That(tokenizer.Encode("abcabab"), Is.EqualTo(new[] { 4, 3, 3 }));
    }
}
