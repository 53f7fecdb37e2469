using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Models;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Decoding with a key/value cache against whole passes, and both against the reference in double precision.</summary>
public sealed class DecoderTests
{
    private static ModelConfig[] Models => ModelGradientTests.Models;

    [TestCaseSource(nameof(Models))]
    public void TokenByTokenIsAllAtOnce(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var values = ModelGradientTests.Values(store);
        var random = new Random(2);
        int[] tokens = [.. Enumerable.Range(0, 9).Select(_ => random.Next(model.VocabularySize))];
        var count = Math.Min(tokens.Length, model.MaxPositions);
        var reference = new ReferenceModel(model, values, 1, count);
        reference.Loss(tokens[..count], new int[count], out var expected);

        using var stepwise = new Decoder(model, store, count);
        using var reused = new Decoder(model, store, count);
        for (var length = 1; length <= count; length++)
        {
            var prefix = tokens[..length];
            using var whole = new Decoder(model, store, count);
            AssertLogits(whole.Logits(prefix), expected[length - 1], $"{length} at once");
            AssertLogits(stepwise.Logits(prefix, cached: length - 1), expected[length - 1], $"{length} one by one");

            // The cache holds more than it should: what lies behind the token does not count.
            reused.Logits(tokens[..count]);
            AssertLogits(reused.Logits(prefix, cached: length - 1), expected[length - 1], $"{length} after a longer text");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void WhatIsHeldOfAPromptNeedNotBeReadAgain(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var values = ModelGradientTests.Values(store);
        var count = Math.Min(7, model.MaxPositions);
        using var decoder = new Decoder(model, store, count);
        Assert.That(decoder.CountHeld([1, 2]), Is.Zero, "nothing was read");

        // Two tokens are read and a third is written: two of the next prompt are new.
        decoder.Reserve(1, count);
        decoder.ReadPrompt([1, 2]);
        decoder.Step([3], [2]);
        int[] prompt = [1, 2, 3, 4, 5];
        Assert.That(decoder.CountHeld(prompt), Is.EqualTo(3));
        Assert.That(decoder.CountHeld([1, 2, 3]), Is.EqualTo(2), "the last one is read: the logits come from it");
        Assert.That(decoder.CountHeld([1, 3, 3]), Is.EqualTo(1));
        Assert.That(decoder.CountHeld([2, 2, 3]), Is.Zero);
        AssertNext(prompt, held: 3);

        // A prompt that parts from what is held overwrites the rest of it.
        AssertNext([1, 2, 5, 4], held: 2);
        Assert.That(decoder.CountHeld(prompt), Is.EqualTo(2));
        AssertNext(prompt, held: 2);

        // With more rows there is another cache, and rows of texts are not those of prompts.
        decoder.Reserve(2, count);
        Assert.That(decoder.CountHeld(prompt), Is.Zero);
        decoder.ReadPrompt([1, 2]);
        decoder.TakePrompt(0, 2);
        decoder.TakePrompt(1, 2);
        decoder.Step([3, 4], [2, 2]);
        Assert.That(decoder.CountHeld(prompt), Is.EqualTo(2));

        void AssertNext(int[] tokens, int held)
        {
            Assert.That(decoder.CountHeld(tokens), Is.EqualTo(held));
            new ReferenceModel(model, values, 1, tokens.Length).Loss(tokens, new int[tokens.Length], out var expected);
            decoder.ReadPrompt(tokens, held);
            var logits = new float[model.VocabularySize];
            decoder.ReadLogits(decoder.PromptRow, logits);
            AssertLogits(logits, expected[tokens.Length - 1], $"{tokens.Length} tokens, {held} of them held");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void TextLongerThanTheContextGoesOn(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store, 8);
        var options = new GenerationOptions { MaxNewTokens = 30, Temperature = 1 };
        var first = decoder.Write([1, 2, 3], options).ToList();
        Assert.That(first, Has.Count.EqualTo(30));
        Assert.That(first, Is.All.InRange(0, model.VocabularySize - 1));
        Assert.That(decoder.Write([1, 2, 3], options), Is.EqualTo(first), "the same decoder, used again");

        // Greedy text is the likeliest token after each whole prefix.
        var greedy = decoder.Write([1, 2, 3], options with { MaxNewTokens = 4, Temperature = 0 }).ToList();
        var text = new List<int> { 1, 2, 3 };
        foreach (var token in greedy)
        {
            var logits = decoder.Logits(text);
            Assert.That(logits[token], Is.EqualTo(logits.Max()));
            text.Add(token);
        }
    }

    private static void AssertLogits(float[] actual, double[] expected, string what)
    {
        var error = Math.Sqrt(actual.Zip(expected, (a, e) => (a - e) * (a - e)).Sum() / expected.Sum(e => e * e));
        Assert.That(error, Is.LessThan(1e-5), what);
    }
}
