using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Models.Gpt2;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Text ends before the first stop string, wherever its pieces are cut.</summary>
public sealed class StopStringsTests
{
    [TestCase("one two three", "one ", "two")]
    [TestCase("aaab", "a", "aab")]
    [TestCase("abababc!", "ab", "ababc")]
    [TestCase("one\n\ntwo", "one", "\n\n")]
    [TestCase("a xyz", "a xyz", "yza", "zz")]
    [TestCase("to the en", "to the en", "end")]
    [TestCase("abcd", "a", "abcd", "bc")]
    [TestCase("abcd", "a", "cd", "bcd")]
    [TestCase("a😁b😀c", "a😁b", "😀")]
    [TestCase("stop", "", "stop")]
    public void EndsBeforeTheFirst(string text, string expected, params string[] stop)
    {
        for (var length = 1; length <= text.Length; length++)
        {
            var stops = new StopStrings(stop);
            var shown = "";
            foreach (var piece in text.Chunk(length).TakeWhile(_ => !stops.Found))
                shown += stops.Append(new string(piece));
            Assert.That(shown + stops.Finish(), Is.EqualTo(expected), $"pieces of {length}");
            Assert.That(stops.Found, Is.EqualTo(expected != text));
        }
    }

    [Test]
    public void OnlyWhatMayBeAStopStringIsHeldBack()
    {
        var stops = new StopStrings(["###"]);
        Assert.That(stops.Append("a #"), Is.EqualTo("a "));
        Assert.That(stops.Append("#"), Is.Empty);
        Assert.That(stops.Append("b"), Is.EqualTo("##b"));
    }

    [Test]
    public void AModelsTextEndsBeforeIt()
    {
        var tokenizer = CharacterTokenizer.Train("abcdefghij .\n");
        var model = new Gpt2Config
        {
            VocabSize = tokenizer.VocabularySize,
            Positions = 16,
            Embedding = 24,
            LayerCount = 2,
            Heads = 3,
            InitializerRange = 0.1,
        };
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        string Write(GenerationOptions options) => string.Concat(TextGenerator.Write(decoder, tokenizer, "abc", options));

        var options = new GenerationOptions { MaxNewTokens = 50, Temperature = 1 };
        var text = Write(options);
        Assert.That(text, Has.Length.GreaterThan(20));
        foreach (var length in new[] { 1, 2, 5 })
        {
            // Every token is a character: longer stop strings are spread over several.
            var stop = text.Substring(10, length);
            var expected = text[..text.IndexOf(stop, StringComparison.Ordinal)];
            Assert.That(Write(options with { Stop = ["not there", stop] }), Is.EqualTo(expected));
        }

        Assert.That(Write(options with { Stop = ["not there"] }), Is.EqualTo(text));
        Assert.That(() => Write(options with { Stop = [""] }), Throws.ArgumentException.With.Message.StartsWith("stop is"));
    }
}
