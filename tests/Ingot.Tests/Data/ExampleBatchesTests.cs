using System.Text.Json;
using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>
/// Examples in rows. Each example's tokens are 1000 · its number and those behind, so that a row tells what it holds; every third token is
/// not to be learnt.
/// </summary>
public sealed class ExampleBatchesTests
{
    private const int Length = 32, Examples = 101;

    [Test]
    public void AnEpochHasEveryExampleWholeAndOnce([Values] bool packed, [Values(1, 4, 7)] int batchSize)
    {
        var source = Batches(packed, batchSize);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var seen = new List<int>();
            for (var i = 0; i < source.BatchesPerEpoch; i++)
                seen.AddRange(Read(source).Select(example => example.Number));
            Assert.That(seen.Order(), Is.EqualTo(Enumerable.Range(1, Examples)));
            Assert.That(source.Epochs, Is.EqualTo(epoch + 1));
            Assert.That(source.Position.Index, Is.Zero);
        }
    }

    [Test]
    public void EpochsComeInOtherOrders([Values] bool packed)
    {
        var (one, other) = (Batches(packed, 4), Batches(packed, 4, seed: 8));
        int[] Epoch(ExampleBatches of) => [.. Enumerable.Range(0, (int)of.BatchesPerEpoch).SelectMany(_ => Read(of)).Select(e => e.Number)];
        var (first, second) = (Epoch(one), Epoch(one));
        Assert.That(second, Is.Not.EqualTo(first));
        Assert.That(Epoch(other), Is.Not.EqualTo(first));
        Assert.That(Epoch(Batches(packed, 4)), Is.EqualTo(first));
    }

    [Test]
    public void PackedRowsAreAlmostFull()
    {
        var set = Set();
        var source = new ExampleBatches(set, 1, Length, 7);
        // First fit decreasing takes at most 11/9 of the best packing, which cannot have fewer rows than the tokens fill.
        Assert.That(source.RowsPerEpoch, Is.LessThanOrEqualTo(Math.Ceiling(11 / 9.0 * Math.Ceiling(set.TokenCount / (double)Length))));
    }

    [Test]
    public void FirstFitIsThatOfASearchThroughAllBins([Values(1, 10, 64)] int capacity)
    {
        var random = new Random(capacity);
        var (bins, rooms) = (new FirstFit(capacity), new List<int>());
        for (var i = 0; i < 1000; i++)
        {
            var size = random.Next(1, capacity + 1);
            var expected = rooms.FindIndex(room => room >= size);
            if (expected < 0)
            {
                expected = rooms.Count;
                rooms.Add(capacity);
            }

            rooms[expected] -= size;
            Assert.That(bins.Place(size), Is.EqualTo(expected));
            Assert.That(bins.Bins, Is.EqualTo(rooms.Count));
        }

        Assert.That(() => bins.Place(capacity + 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [TestCase(8)]
    [TestCase(5)]
    public void RowsOfABatchAreOfAboutOneLengthPaddedToAMultiple(int multiple)
    {
        var source = new ExampleBatches(Set(), 4, Length, 7, packed: false, multiple);
        var batch = ((IBatchSource)source).NewBatch();
        var (padding, lengths) = (0, new HashSet<int>());
        for (var i = 0; i < source.BatchesPerEpoch; i++)
        {
            source.Next(batch);
            lengths.Add(batch.Length);
            Assert.That(batch.Length % multiple == 0 || batch.Length == Length);
            var full = batch.RowLengths.ToArray().Where(length => length > 0).ToArray();
            Assert.That(batch.Length - full.Max(), Is.LessThan(multiple));
            padding += full.Sum(length => full.Max() - length);
        }

        Assert.That(lengths, Has.Count.LessThanOrEqualTo((Length + multiple - 1) / multiple).And.Count.GreaterThan(2));
        // Sorted within groups of 32 batches, here all of them: neighbours differ little. In any order it would be a third of the tokens.
        Assert.That(padding, Is.LessThan(Set().TokenCount / 20));
    }

    [Test]
    public void ARestoredPositionGivesTheSameBatches([Values] bool packed)
    {
        var source = Batches(packed, 3);
        for (var i = 0; i < 90; i++)
        {
            var saved = JsonSerializer.Deserialize<BatchPosition>(JsonSerializer.Serialize(source.Position));
            var restored = Batches(packed, 3, seed: 99);
            restored.Position = saved;
            Assert.That(Describe(restored), Is.EqualTo(Describe(source)));
            Assert.That(restored.Position, Is.EqualTo(source.Position));
        }
    }

    [Test]
    public void PackedRowsGoOnWithAnotherBatchSize()
    {
        var (source, other) = (Batches(packed: true, 3), Batches(packed: true, 1));
        var all = Enumerable.Range(0, 12).SelectMany(_ => Read(other)).Select(e => e.Number).ToArray();
        var first = Read(source).Concat(Read(source)).Select(e => e.Number).ToArray();
        var rest = Batches(packed: true, 2);
        rest.Position = source.Position;
        Assert.That(first.Concat(Enumerable.Range(0, 3).SelectMany(_ => Read(rest)).Select(e => e.Number)), Is.EqualTo(all));
    }

    [Test]
    public void APositionOfOtherExamplesIsAnError([Values] bool packed)
    {
        var source = Batches(packed, 4);
        foreach (var position in new[]
        {
            default,
            source.Position with { TokenCount = 5 },
            source.Position with { SequenceLength = 11 },
            source.Position with { Index = 1000 },
            source.Position with { Index = -1 },
            source.Position with { Epoch = -1 },
            source.Position with { Sampling = DataSampling.Random },
        })
        {
            Assert.That(() => source.Position = position, Throws.TypeOf<InvalidDataException>(), () => $"{position}");
        }

        if (!packed)
        {
            Assert.That(() => source.Position = Batches(packed, 3).Position,
                Throws.TypeOf<InvalidDataException>().With.Message.Contains("same batch size"));
        }
    }

    [Test]
    public void EvaluationHasEveryTargetOnce([Values] bool packed, [Values(1, 4)] int batchSize)
    {
        var set = Set();
        var source = new ExampleEvaluation(set, batchSize, Length, packed);
        var batch = ((IEvaluationSource)source).NewBatch();
        var targets = 0L;
        for (var i = 0L; i < source.Count; i++)
        {
            var counted = source.Read(i, batch);
            Assert.That(counted, Is.EqualTo(batch.Targets.Length - batch.Targets.ToArray().Count(t => t == Batch.Ignore)));
            targets += counted;
        }

        Assert.That(targets, Is.EqualTo(set.TargetCount));
        Assert.That(() => source.Read(source.Count, batch), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void LongExamplesAreCutOrContinued()
    {
        var examples = new[] { Example(1, 10), Example(2, 4), Example(3, 0) };
        var cut = ExampleSet.Limit(examples, 4, truncate: true, out var tooLong);
        Assert.That(tooLong, Is.EqualTo(1));
        Assert.That(cut.Select(e => e.Tokens), Is.EqualTo(new int[][] { [1000, 1001, 1002, 1003], [2000, 2001, 2002, 2003] }));
        var parts = ExampleSet.Limit(examples, 4, truncate: false, out tooLong);
        Assert.That(tooLong, Is.EqualTo(1));
        Assert.That(parts.Select(e => e.Tokens.Count), Is.EqualTo((int[])[4, 4, 2, 4]));
        Assert.That(parts.Take(3).SelectMany(e => e.Tokens), Is.EqualTo(examples[0].Tokens));
        Assert.That(parts.Take(3).SelectMany(e => e.Learned), Is.EqualTo(examples[0].Learned));
    }

    [Test]
    public void AShareIsHeldBackAlwaysTheSame()
    {
        var (train, validation) = Set().Split(0.1);
        Assert.That(validation!.Examples, Has.Count.EqualTo(10));
        Assert.That(train.Examples.Concat(validation.Examples).Select(e => e.Tokens[0]).Order(),
            Is.EqualTo(Enumerable.Range(1, Examples).Select(number => 1000 * number)));
        Assert.That(validation.Examples.Select(e => e.Tokens[0]).Max(), Is.GreaterThan(60_000));
        Assert.That(validation.Examples.Select(e => e.Tokens[0]).Min(), Is.LessThan(40_000));
        Assert.That(Set().Split(0.1).Validation!.Examples.Select(e => e.Tokens[0]), Is.EqualTo(validation.Examples.Select(e => e.Tokens[0])));
        Assert.That(Set().Split(0.005).Validation, Is.Null);
    }

    [Test]
    public void ExamplesWithoutAnythingToLearnAreAnError()
    {
        Assert.That(() => new ExampleSet("no.jsonl", [new TokenizedExample([1, 2, 3], [true, false, false])]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("no.jsonl").And.Message.Contains("answers"));
        Assert.That(() => new ExampleSet("no.jsonl", []), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no examples"));
        Assert.That(() => new ExampleBatches(Set(), 1, Length - 1, 7), Throws.ArgumentException.With.Message.Contains("does not fit"));
    }

    /// <summary>Examples of 1 to 32 tokens, more short ones than long ones.</summary>
    private static ExampleSet Set()
    {
        var random = new Random(3);
        return new ExampleSet("test", [.. Enumerable.Range(1, Examples).Select(number =>
            Example(number, 1 + (int)((Length - 1) * Math.Pow(random.NextDouble(), 2)))).SkipLast(1), Example(Examples, Length)]);
    }

    private static TokenizedExample Example(int number, int length) => new(
        [.. Enumerable.Range(0, length).Select(i => (1000 * number) + i)], [.. Enumerable.Range(0, length).Select(i => i % 3 != 0)]);

    private static ExampleBatches Batches(bool packed, int batchSize, ulong seed = 7) =>
        new(Set(), batchSize, Length, seed, packed, padToMultipleOf: 8);

    private static string Describe(IBatchSource source)
    {
        var batch = source.NewBatch();
        source.Next(batch);
        return $"{batch.Length}: {string.Join(' ', batch.Tokens.ToArray())} / {string.Join(' ', batch.Targets.ToArray())} / "
            + $"{string.Join(' ', batch.Positions.ToArray())} / {string.Join(' ', batch.Segments.ToArray())}";
    }

    /// <summary>The examples of the next batch, each checked to be whole.</summary>
    private static List<(int Number, int Length)> Read(IBatchSource source)
    {
        var set = Set().Examples.ToDictionary(example => example.Tokens[0] / 1000);
        var batch = source.NewBatch();
        source.Next(batch);
        var found = new List<(int Number, int Length)>();
        for (var row = 0; row < batch.Rows; row++)
        {
            var at = row * batch.Length;
            var end = at + batch.RowLengths[row];
            for (var segment = 0; at < end; segment++)
            {
                var number = batch.Tokens[at] / 1000;
                var example = set[number];
                for (var i = 0; i < example.Tokens.Count; i++, at++)
                {
                    Assert.That(batch.Tokens[at], Is.EqualTo((1000 * number) + i));
                    var learned = i + 1 < example.Tokens.Count && example.Learned[i + 1];
                    Assert.That(batch.Targets[at], Is.EqualTo(learned ? (1000 * number) + i + 1 : Batch.Ignore));
                    if (batch.HasSegments)
                        Assert.That((batch.Positions[at], batch.Segments[at]), Is.EqualTo((i, segment)));
                }

                found.Add((number, example.Tokens.Count));
            }

            for (; at < (row + 1) * batch.Length; at++)
            {
                Assert.That((batch.Tokens[at], batch.Targets[at]), Is.EqualTo((0, Batch.Ignore)));
                if (batch.HasSegments)
                    Assert.That(batch.Segments[at], Is.EqualTo(Batch.Padding));
            }
        }

        return found;
    }
}
