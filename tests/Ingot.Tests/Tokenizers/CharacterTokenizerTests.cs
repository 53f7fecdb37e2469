using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class CharacterTokenizerTests
{
    [Test]
    public void IdsFollowTheCodePoints()
    {
        var tokenizer = CharacterTokenizer.Train("hello\n 𝒜é");
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(8));
        Assert.That(tokenizer.Encode("\n ehlo\u00e9𝒜"), Is.EqualTo(new[] { 0, 1, 2, 3, 4, 5, 6, 7 }));
        Assert.That(tokenizer.Decode([3, 2, 4, 4, 5]), Is.EqualTo("hello"));
        Assert.That(tokenizer.EndOfTextId, Is.Null);
    }

    [Test]
    public void TinyshakespeareHasIts65Characters()
    {
        var tokenizer = CharacterTokenizer.Train([File.ReadAllBytes(TestData.PathOf("tinyshakespeare.txt"))]);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(65));
        // The ids that nanoGPT's notebook shows for "hii there".
        Assert.That(tokenizer.Encode("hii there"), Is.EqualTo(new[] { 46, 47, 47, 1, 58, 46, 43, 56, 43 }));
    }

    [TestCase("helL", "\"L\" (U+004C)")]
    [TestCase("he\tl", "U+0009")]
    [TestCase("🦊", "U+1F98A")]
    public void AnUnknownCharacterIsNamed(string text, string named)
    {
        var tokenizer = CharacterTokenizer.Train("hello");
        Assert.That(() => tokenizer.Encode(text), Throws.TypeOf<InvalidDataException>().With.Message.Contains(named));
    }

    [Test]
    public void NoTextIsAnError() => Assert.That(() => CharacterTokenizer.Train(""), Throws.TypeOf<InvalidDataException>());

    [Test]
    public void AnIdOutsideTheVocabularyIsAnError() =>
        Assert.That(
            () => CharacterTokenizer.Train("ab").Decode([2]),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("0 … 1"));
}
