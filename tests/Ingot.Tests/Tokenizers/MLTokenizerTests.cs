using System.Buffers;
using Ingot.Tokenizers;
using Microsoft.ML.Tokenizers;
using NUnit.Framework;
using Tokenizer = Ingot.Tokenizers.Tokenizer;

namespace Ingot.Tests.Tokenizers;

public class MLTokenizerTests
{
    // "漢" is three tokens, and every other byte is one.
    private static readonly Tokenizer Bytes = BpeTrainer.Train(["x"], 257);
    private static readonly Tokenizer Words =
        WordPieceTrainer.Train(["the fox and the dog"], new() { VocabularySize = 60, MinFrequency = 1 });

    [Test]
    public void ItEncodesAsTheTokenizerDoes()
    {
        Microsoft.ML.Tokenizers.Tokenizer adapted = new MLTokenizer(Words);
        const string text = "the  fox";
        EncodedToken[] tokens = [new((int)Words.TokenToId("the")!, "the", 0..3), new((int)Words.TokenToId("fox")!, "fox", 5..8)];
        Assert.That(adapted.EncodeToIds(text), Is.EqualTo(Words.Encode(text)));
        Assert.That(adapted.EncodeToIds(text.AsSpan()), Is.EqualTo(Words.Encode(text)));
        Assert.That(adapted.CountTokens(text), Is.EqualTo(2));
        Assert.That(adapted.EncodeToTokens(text, out var normalized), Is.EqualTo(tokens));
        Assert.That(normalized, Is.Null);
        Assert.That(adapted.Decode(adapted.EncodeToIds(text)), Is.EqualTo("the fox"));
    }

    [TestCase(0, 0, 0, 8, 0)]
    [TestCase(1, 1, 1, 8, 0)] // The last character is three tokens.
    [TestCase(3, 3, 3, 7, 3)]
    [TestCase(6, 6, 6, 4, 6)]
    [TestCase(7, 7, 7, 3, 7)]
    [TestCase(8, 7, 7, 2, 8)]
    [TestCase(10, 8, 10, 0, 10)]
    [TestCase(11, 8, 10, 0, 10)]
    public void TokensOfOneCharacterStayTogether(int most, int end, int count, int start, int countFromEnd)
    {
        var adapted = new MLTokenizer(Bytes);
        const string text = "abcdefg漢";
        Assert.That(adapted.GetIndexByTokenCount(text, most, out _, out var tokens), Is.EqualTo(end));
        Assert.That(tokens, Is.EqualTo(count));
        Assert.That(adapted.GetIndexByTokenCountFromEnd(text, most, out _, out tokens), Is.EqualTo(start));
        Assert.That(tokens, Is.EqualTo(countFromEnd));
        Assert.That(adapted.EncodeToIds(text, most, out _, out var consumed), Has.Count.EqualTo(count));
        Assert.That(consumed, Is.EqualTo(end));
    }

    [Test]
    public void DecodingStopsWhereTheDestinationIsFull()
    {
        var adapted = new MLTokenizer(Bytes);
        var ids = Bytes.Encode("ab漢c");
        var buffer = new char[2];
        Assert.That(adapted.Decode(ids, buffer, out var consumed, out var written), Is.EqualTo(OperationStatus.DestinationTooSmall));
        Assert.That((consumed, written, new string(buffer)), Is.EqualTo((2, 2, "ab")));
        Assert.That(adapted.Decode(ids[2..], buffer, out consumed, out written), Is.EqualTo(OperationStatus.Done));
        Assert.That((consumed, written, new string(buffer)), Is.EqualTo((4, 2, "漢c")));
        Assert.That(adapted.Decode(ids[..4], buffer, out consumed, out written), Is.EqualTo(OperationStatus.NeedMoreData));
        Assert.That((consumed, written), Is.EqualTo((2, 2)));
        Assert.That(adapted.Decode([9999], buffer, out _, out _), Is.EqualTo(OperationStatus.InvalidData));
    }
}
