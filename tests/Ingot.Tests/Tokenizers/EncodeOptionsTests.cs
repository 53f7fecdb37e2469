using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class EncodeOptionsTests : FolderTests
{
    // Words are tokens: a … j are 5 … 14.
    private const string Letters = """
        {
          "added_tokens": [
            {"id": 0, "content": "[PAD]", "special": true}, {"id": 1, "content": "[UNK]", "special": true},
            {"id": 2, "content": "[CLS]", "special": true}, {"id": 3, "content": "[SEP]", "special": true},
            {"id": 4, "content": "[MASK]", "special": true}
          ],
          "pre_tokenizer": {"type": "WhitespaceSplit"},
          "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
          "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {
            "[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4,
            "a": 5, "b": 6, "c": 7, "d": 8, "e": 9, "f": 10, "g": 11, "h": 12, "i": 13, "j": 14}}
        }
        """;

    [Test]
    public void APairHasItsTypesMasksAndPlaces()
    {
        var encoding = Tokenizer().Tokenize("a bb", " c");
        Assert.That(encoding.Ids, Is.EqualTo(new[] { 2, 5, 1, 3, 7, 3 }));
        Assert.That(encoding.TypeIds, Is.EqualTo(new[] { 0, 0, 0, 0, 1, 1 }));
        Assert.That(encoding.AttentionMask, Is.EqualTo(new[] { 1, 1, 1, 1, 1, 1 }));
        Assert.That(encoding.SpecialTokensMask, Is.EqualTo(new[] { 1, 0, 0, 1, 0, 1 }));
        Assert.That(encoding.Offsets, Is.EqualTo(new[] { (0, 0), (0, 1), (2, 4), (0, 0), (1, 2), (0, 0) }));
        Assert.That(encoding.SequenceIds, Is.EqualTo(new int?[] { null, 0, 0, null, 1, null }));
        Assert.That(encoding.WordIds, Is.EqualTo(new int?[] { null, 0, 1, null, 0, null }));
        Assert.That(encoding.Tokens, Is.EqualTo(new[] { "[CLS]", "a", "[UNK]", "[SEP]", "c", "[SEP]" }));
    }

    [TestCase("a b c d e f", null, 5, TruncationStrategy.LongestFirst, TextSide.Right, "CabcS", "CdefS")]
    [TestCase("a b c d e f g", null, 5, TruncationStrategy.OnlyFirst, TextSide.Left, "CefgS", "CbcdS CaS")]
    [TestCase("a b", null, 5, TruncationStrategy.LongestFirst, TextSide.Right, "CabS", "")]
    [TestCase("a b", null, 2, TruncationStrategy.LongestFirst, TextSide.Right, "CS", "CabS")]
    [TestCase("a b c d", "e f", 7, TruncationStrategy.LongestFirst, TextSide.Right, "CabSefS", "CcdSefS")]
    [TestCase("a b", "c d e f", 7, TruncationStrategy.LongestFirst, TextSide.Right, "CabScdS", "CabSefS")]
    [TestCase("a b c d", "e f g h", 8, TruncationStrategy.LongestFirst, TextSide.Right, "CabSefgS", "CcdSefgS CcdShS CabShS")]
    [TestCase("a b c d", "e f g h", 9, TruncationStrategy.OnlyFirst, TextSide.Right, "CabSefghS", "CcdSefghS")]
    [TestCase("a b c d", "e f g h", 8, TruncationStrategy.OnlySecond, TextSide.Right, "CabcdSeS", "CabcdSfS CabcdSgS CabcdShS")]
    public void TextsAreCut(string text, string? pair, int length, TruncationStrategy strategy, TextSide side, string kept, string rest)
    {
        var encoding = Tokenizer().Tokenize(
            text, pair, new EncodeOptions { Truncation = new TruncationOptions(length) { Strategy = strategy, Side = side } });
        Assert.That(Short(encoding), Is.EqualTo(kept));
        Assert.That(string.Join(' ', encoding.Overflowing.Select(Short)), Is.EqualTo(rest));
    }

    [Test]
    public void WhatOverflowsRepeatsTheStride()
    {
        var encoding = Tokenizer().Tokenize(
            "a b c d e f g", options: new EncodeOptions { AddSpecialTokens = false, Truncation = new TruncationOptions(4) { Stride = 2 } });
        Assert.That(Short(encoding), Is.EqualTo("abcd"));
        Assert.That(encoding.Overflowing.Select(Short), Is.EqualTo(new[] { "cdef", "efg" }));
    }

    [TestCase(1, 0, TruncationStrategy.LongestFirst, "special tokens")]
    [TestCase(5, 3, TruncationStrategy.LongestFirst, "stride")]
    [TestCase(5, 0, TruncationStrategy.OnlySecond, "OnlySecond")]
    public void WhatCannotBeCutIsAnError(int length, int stride, TruncationStrategy strategy, string named)
    {
        var options = new EncodeOptions { Truncation = new TruncationOptions(length) { Stride = stride, Strategy = strategy } };
        Assert.That(
            () => Tokenizer().Tokenize("a b c d e", options: options), Throws.ArgumentException.With.Message.Contains(named).IgnoreCase);
    }

    [Test]
    public void ABatchIsFilledUpToItsLongest()
    {
        var batch = Tokenizer().TokenizeBatch([("a", null), ("a b c", null)], new EncodeOptions { Padding = new PaddingOptions() });
        Assert.That(batch.Select(Short), Is.EqualTo(new[] { "CaSPP", "CabcS" }));
        Assert.That(batch[0].AttentionMask, Is.EqualTo(new[] { 1, 1, 1, 0, 0 }));
        Assert.That(batch[0].SpecialTokensMask, Is.EqualTo(new[] { 1, 0, 1, 1, 1 }));
        Assert.That(batch[0].Offsets[3], Is.EqualTo((0, 0)));
        Assert.That(batch[0].WordIds[3], Is.Null);
    }

    [TestCase(6, null, TextSide.Left, "PPPCaS")]
    [TestCase(2, null, TextSide.Right, "CaS")]
    [TestCase(null, 4, TextSide.Right, "CaSP")]
    [TestCase(5, 4, TextSide.Right, "CaSPPPPP")]
    public void ATextIsFilledUp(int? length, int? multiple, TextSide side, string expected)
    {
        var options = new EncodeOptions { Padding = new PaddingOptions { Length = length, MultipleOf = multiple, Side = side } };
        Assert.That(Short(Tokenizer().Tokenize("a", options: options)), Is.EqualTo(expected));
    }

    [Test]
    public void WhatOverflowsIsFilledUpToo()
    {
        var options = new EncodeOptions { Truncation = new TruncationOptions(4), Padding = new PaddingOptions { Length = 4 } };
        Assert.That(Tokenizer().Tokenize("a b c", options: options).Overflowing.Select(Short), Is.EqualTo(new[] { "CcSP" }));
    }

    [Test]
    public void WithoutAPaddingTokenFillingUpIsAnError()
    {
        Write("tokenizer.json", Letters);
        Assert.That(
            () => Ingot.Tokenizers.Tokenizer.Load(Folder).Tokenize("a", options: new EncodeOptions { Padding = new PaddingOptions() }),
            Throws.ArgumentException.With.Message.Contains("WithRoles"));
    }

    [Test]
    public void RolesHaveIds()
    {
        var tokenizer = Tokenizer();
        Assert.That(tokenizer.PadId, Is.Zero);
        Assert.That(tokenizer.UnkId, Is.EqualTo(1));
        Assert.That(tokenizer.ClsId, Is.EqualTo(2));
        Assert.That(tokenizer.SepId, Is.EqualTo(3));
        Assert.That(tokenizer.MaskId, Is.EqualTo(4));
        Assert.That(tokenizer.BosId, Is.Null);
        Assert.That(tokenizer.EosId, Is.Null);
        Assert.That(tokenizer.EndOfTextId, Is.EqualTo(3));
        Assert.That(tokenizer.TokenToId("e"), Is.EqualTo(9));
        Assert.That(tokenizer.TokenToId("z"), Is.Null);
        Assert.That(tokenizer.IdToToken(9), Is.EqualTo("e"));
        Assert.That(tokenizer.IdToToken(15), Is.Null);
        Assert.That(tokenizer.IdToToken(-1), Is.Null);
    }

    [Test]
    public void SpecialTokensAreAddedAndKept()
    {
        var tokenizer = Tokenizer().WithSpecialTokens("<new>", "a").WithRoles(new SpecialTokenRoles { Pad = "[PAD]", Bos = "<bos>" });
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(17));
        Assert.That(tokenizer.Encode("b<new>a<bos>"), Is.EqualTo(new[] { 6, 15, 5, 16 }));
        Assert.That(tokenizer.Decode([6, 15, 7, 16], skipSpecialTokens: true), Is.EqualTo("b c"));
        Assert.That(tokenizer.BosId, Is.EqualTo(16));

        tokenizer.Save(In("saved"));
        var loaded = Ingot.Tokenizers.Tokenizer.Load(In("saved"));
        Assert.That(loaded.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(loaded.Roles, Is.EqualTo(tokenizer.Roles));
    }

    [Test]
    public void TruncationAndPaddingOfTheFileComeBack()
    {
        Write("tokenizer.json", Letters.Insert(1, """
            "truncation": {"direction": "Left", "max_length": 512, "strategy": "OnlyFirst", "stride": 3},
            "padding": {"strategy": {"Fixed": 7}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 4, "pad_type_id": 1, "pad_token": "[MASK]"},
            """));
        var tokenizer = (PipelineTokenizer)Ingot.Tokenizers.Tokenizer.Load(Folder);
        tokenizer.Save(In("saved"));
        var parts = ((PipelineTokenizer)Ingot.Tokenizers.Tokenizer.Load(In("saved"))).Parts;
        Assert.That(parts.Truncation, Is.EqualTo(
            new TruncationOptions(512) { Side = TextSide.Left, Strategy = TruncationStrategy.OnlyFirst, Stride = 3 }));
        Assert.That(parts.Padding, Is.EqualTo(
            new PaddingOptions { Length = 7, Side = TextSide.Left, MultipleOf = 8, PadId = 4, PadTypeId = 1 }));
    }

    private Tokenizer Tokenizer()
    {
        Write("tokenizer.json", Letters);
        Write("tokenizer_config.json", """
            {"pad_token": "[PAD]", "unk_token": {"content": "[UNK]", "lstrip": false}, "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
            """);
        return Ingot.Tokenizers.Tokenizer.Load(Folder);
    }

    private static string Short(TokenEncoding encoding) =>
        string.Concat(encoding.Tokens.Select(token => token.Length > 1 ? token[1..2] : token));
}
