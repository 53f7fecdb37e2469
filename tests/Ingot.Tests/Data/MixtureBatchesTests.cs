using System.Text.Json;
using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Mixtures of sources, each of which has tokens of its own.</summary>
public sealed class MixtureBatchesTests
{
    [Test]
    public void SourcesComeAsOftenAsTheirWeightsSay([Values(1, 4)] int parts)
    {
        var mixture = Mixture([0.7, 0.2, 0.1], parts);
        const int Draws = 20_000;
        var counts = new int[3];
        for (var i = 0; i < Draws / parts; i++)
        {
            foreach (var source in Sources(mixture))
                counts[source]++;
        }

        // Five standard deviations of a count of draws.
        double[] shares = [0.7, 0.2, 0.1];
        for (var i = 0; i < 3; i++)
            Assert.That(counts[i], Is.EqualTo(Draws * shares[i]).Within(5 * Math.Sqrt(Draws * shares[i] * (1 - shares[i]))));
        // Each goes through its own epochs in its own time.
        Assert.That(mixture.Position.Parts!.Select(part => (part.Epoch * 10) + part.Index), Is.EqualTo(counts));
        Assert.That(mixture.Epochs, Is.EqualTo(Draws / 30.0));
        Assert.That(mixture.BatchesPerEpoch, Is.EqualTo(30.0 / parts));
    }

    [Test]
    public void WhatComesDoesNotDependOnTheSizeOfTheBatch()
    {
        var (one, four) = (Mixture([3, 2, 1], 1), Mixture([3, 2, 1], 4));
        for (var i = 0; i < 100; i++)
            Assert.That(Sources(four), Is.EqualTo(Enumerable.Range(0, 4).SelectMany(_ => Sources(one))));
    }

    [Test]
    public void ARestoredPositionGivesTheSameBatches()
    {
        var mixture = Mixture([3, 2, 1], 2);
        for (var i = 0; i < 100; i++)
        {
            var restored = Mixture([3, 2, 1], 2, seed: 77);
            restored.Position = JsonSerializer.Deserialize<BatchPosition>(JsonSerializer.Serialize(mixture.Position));
            var (expected, actual) = (new Batch(2, 4, true), new Batch(2, 4, true));
            mixture.Next(expected);
            restored.Next(actual);
            Assert.That(actual.Tokens.ToArray(), Is.EqualTo(expected.Tokens.ToArray()));
            Assert.That(JsonSerializer.Serialize(restored.Position), Is.EqualTo(JsonSerializer.Serialize(mixture.Position)));
        }
    }

    [Test]
    public void ARowWithoutSegmentsBecomesOneAmongSuchAsHaveThem()
    {
        var padded = new ExampleBatches(Set(1), 1, 4, 1, packed: false, padToMultipleOf: 4);
        var mixture = new MixtureBatches([padded, new ExampleBatches(Set(2), 1, 4, 1)], [1, 1], 1, 1);
        var batch = new Batch(1, 4, hasSegments: true);
        for (var i = 0; i < 20; i++)
        {
            mixture.Next(batch);
            var packed = batch.Tokens[0] / 100 == 2;
            Assert.That(batch.Segments.ToArray(), Is.EqualTo((int[])[0, 0, 0, -1]));
            Assert.That(batch.Positions[..3].ToArray(), Is.EqualTo((int[])[0, 1, 2]));
            Assert.That(batch.Targets[3], Is.EqualTo(Batch.Ignore), packed ? "packed" : "padded");
        }
    }

    [Test]
    public void WhatDoesNotMixIsAnError()
    {
        var source = new ExampleBatches(Set(1), 1, 4, 1);
        Assert.That(() => new MixtureBatches([source], [0], 1, 1), Throws.ArgumentException.With.Message.Contains("weights"));
        Assert.That(() => new MixtureBatches([source], [1, 1], 1, 1), Throws.ArgumentException);
        Assert.That(() => new MixtureBatches([source, new ExampleBatches(Set(1), 2, 4, 1)], [1, 1], 1, 1), Throws.ArgumentException);
        var mixture = Mixture([1, 1, 1], 1);
        Assert.That(() => mixture.Position = source.Position, Throws.TypeOf<InvalidDataException>().With.Message.Contains("3"));
        Assert.That(() => mixture.Position = mixture.Position with { Parts = [.. mixture.Position.Parts!.Reverse()] },
            Throws.TypeOf<InvalidDataException>());
    }

    private static MixtureBatches Mixture(double[] weights, int parts, ulong seed = 5) =>
        new([.. Enumerable.Range(1, 3).Select(i => new ExampleBatches(Set(i), 1, 4, 1))], weights, parts, seed);

    /// <summary>Ten examples of three tokens, and for every source one with another number of tokens.</summary>
    private static ExampleSet Set(int source) => new($"{source}", [.. Enumerable.Range(0, 10).Select(i =>
        new TokenizedExample([.. Enumerable.Range(0, 3 + (i == 0 && source > 2 ? 1 : 0)).Select(_ => (100 * source) + i)],
            [.. Enumerable.Repeat(true, 3 + (i == 0 && source > 2 ? 1 : 0))]))]);

    private static int[] Sources(IBatchSource mixture)
    {
        var batch = mixture.NewBatch();
        mixture.Next(batch);
        return [.. Enumerable.Range(0, batch.Rows).Select(row => (batch.Tokens[row * batch.Length] / 100) - 1)];
    }
}
