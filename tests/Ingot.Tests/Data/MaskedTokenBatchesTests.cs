using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Masked tokens: how many, which, and what stands in their place.</summary>
public sealed class MaskedTokenBatchesTests
{
    private const int Vocabulary = 50, Mask = 3, Rows = 8, Length = 64;

    private static readonly int[] Special = [0, 1, 2, Mask];

    [Test]
    public void EightyTenTen()
    {
        var (plain, masked) = (Source(), new MaskedTokenBatches(Source(), Vocabulary, Mask, Special, seed: 9));
        var (original, batch) = (((IBatchSource)plain).NewBatch(), ((IBatchSource)masked).NewBatch());
        var (ordinary, chosen, toMask, stayed, others) = (0, 0, 0, 0, new int[Vocabulary]);
        for (var i = 0; i < 400; i++)
        {
            plain.Next(original);
            masked.Next(batch);
            for (var at = 0; at < batch.Tokens.Length; at++)
            {
                var (was, now) = (original.Tokens[at], batch.Tokens[at]);
                var isTarget = batch.Targets[at] != Batch.Ignore;
                var real = original.Segments[at] != Batch.Padding;
                ordinary += real && !Special.Contains(was) ? 1 : 0;
                if (!isTarget)
                {
                    Assert.That(now, Is.EqualTo(was));
                    continue;
                }

                Assert.That(real && !Special.Contains(was), "special tokens and padding are never masked");
                Assert.That(batch.Targets[at], Is.EqualTo(was));
                chosen++;
                toMask += now == Mask ? 1 : 0;
                stayed += now == was ? 1 : 0;
                others[now]++;
            }
        }

        // Five standard deviations of a binomial count.
        AssertShare(chosen, ordinary, 0.15);
        AssertShare(toMask, chosen, 0.8);
        // A random token may be the token itself.
        AssertShare(stayed, chosen, 0.1 + (0.1 / (Vocabulary - Special.Length)));
        foreach (var special in Special.Where(id => id != Mask))
            Assert.That(others[special], Is.Zero, "no special token comes in");
        Assert.That(others.Skip(4), Is.All.GreaterThan(0), "every other token does");
    }

    [Test]
    public void WhatIsMaskedIsAFunctionOfSeedAndPosition()
    {
        var (source, other) = (Masked(9), Masked(10));
        var epochs = new List<string>();
        for (var i = 0; i < 3 * (int)source.BatchesPerEpoch; i++)
        {
            var restored = Masked(9);
            restored.Position = source.Position;
            var text = Next(source);
            Assert.That(Next(restored), Is.EqualTo(text));
            Assert.That(Next(other), Is.Not.EqualTo(text));
            epochs.Add(text);
        }

        Assert.That(epochs.Distinct().Count(), Is.EqualTo(epochs.Count), "another epoch masks other tokens");

        static MaskedTokenBatches Masked(ulong seed) => new(Source(), Vocabulary, Mask, Special, seed);

        static string Next(IBatchSource source)
        {
            var batch = source.NewBatch();
            source.Next(batch);
            return string.Join(' ', batch.Tokens.ToArray()) + "/" + string.Join(' ', batch.Targets.ToArray());
        }
    }

    [Test]
    public void AllTokensCanBeMasked()
    {
        var masked = new MaskedTokenBatches(Source(), Vocabulary, Mask, Special, seed: 9, probability: 1);
        var batch = ((IBatchSource)masked).NewBatch();
        masked.Next(batch);
        for (var at = 0; at < batch.Tokens.Length; at++)
            Assert.That(batch.Targets[at] != Batch.Ignore || Special.Contains(batch.Tokens[at]) || batch.Segments[at] == Batch.Padding);
    }

    [Test]
    public void WhatMakesNoSenseIsAnError()
    {
        Assert.That(() => new MaskedTokenBatches(Source(), Vocabulary, Vocabulary, Special, 1), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => new MaskedTokenBatches(Source(), 4, Mask, Special, 1), Throws.ArgumentException.With.Message.Contains("special"));
        foreach (var probability in new[] { 0, -0.1, 1.1, double.NaN })
            Assert.That(() => new MaskedTokenBatches(Source(), Vocabulary, Mask, Special, 1, probability), Throws.InstanceOf<ArgumentException>());
    }

    private static void AssertShare(int count, int of, double share) =>
        Assert.That(count, Is.EqualTo(of * share).Within(5 * Math.Sqrt(of * share * (1 - share))));

    /// <summary>Sentences between special tokens, packed into rows that are not full.</summary>
    private static ExampleBatches Source()
    {
        var random = new Random(5);
        return new ExampleBatches(new ExampleSet("test", [.. Enumerable.Range(0, 40).Select(_ =>
        {
            int[] tokens = [1, .. Enumerable.Range(0, random.Next(5, 50)).Select(_ => random.Next(4, Vocabulary)), 2];
            return new TokenizedExample(tokens, [.. tokens.Select(_ => true)]);
        })]), Rows, Length, 1);
    }
}
