using System.Text.Json;
using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Batches of a file whose tokens are their own places, so that every window tells where it is from.</summary>
public class BatchTests : FolderTests
{
    private const int TokenCount = 1003;

    private readonly List<TokenFile> _open = [];

    [TearDown]
    public void CloseFiles()
    {
        _open.ForEach(file => file.Dispose());
        _open.Clear();
    }

    [Test]
    public void TargetsAreTheInputsShiftedByOne([Values] DataSampling sampling)
    {
        var sampler = new BatchSampler(Tokens(), 3, 8, sampling, 1);
        var batch = new Batch(3, 8);
        for (var i = 0; i < 100; i++)
        {
            sampler.Next(batch);
            var (inputs, targets) = (batch.Tokens.ToArray(), batch.Targets.ToArray());
            for (var row = 0; row < 3; row++)
            {
                var start = inputs[row * 8];
                Assert.That(inputs[(row * 8)..((row + 1) * 8)], Is.EqualTo(Enumerable.Range(start, 8)));
                Assert.That(targets[(row * 8)..((row + 1) * 8)], Is.EqualTo(Enumerable.Range(start + 1, 8)));
            }
        }
    }

    [TestCase(1, 1)]
    [TestCase(3, 8)]
    [TestCase(7, 16)]
    [TestCase(4, 501)]
    [TestCase(2, 1002)]
    public void AnEpochTakesEveryWindowOnce(int batchSize, int sequenceLength)
    {
        var sampler = new BatchSampler(Tokens(), batchSize, sequenceLength, DataSampling.Epoch, 1);
        var windows = (TokenCount - 1) / sequenceLength;
        Assert.That(sampler.WindowsPerEpoch, Is.EqualTo(windows));
        var starts = Starts(sampler).Take(3 * windows).ToList();
        var expected = Enumerable.Range(0, windows).Select(window => window * sequenceLength).ToArray();
        for (var epoch = 0; epoch < 3; epoch++)
        {
            Assert.That(starts.Skip(epoch * windows).Take(windows).Order(), Is.EqualTo(expected));
        }

        if (windows > 20)
        {
            Assert.That(starts.Take(windows), Is.Not.EqualTo(expected));
            Assert.That(starts.Skip(windows).Take(windows), Is.Not.EqualTo(starts.Take(windows)));
        }
    }

    [Test]
    public void APositionCountsWindows()
    {
        var sampler = new BatchSampler(Tokens(), 4, 100, DataSampling.Epoch, 5);
        var batch = new Batch(4, 100);
        var expected = new[] { (0, 4), (0, 8), (1, 2), (1, 6), (2, 0), (2, 4) };
        foreach (var (epoch, index) in expected)
        {
            sampler.Next(batch);
            Assert.That((sampler.Position.Epoch, sampler.Position.Index), Is.EqualTo((epoch, index)));
        }
    }

    [Test]
    public void RandomWindowsAreEvenlySpread()
    {
        var sampler = new BatchSampler(Tokens(), 10, 3, DataSampling.Random, 1);
        var counts = new int[TokenCount];
        foreach (var start in Starts(sampler).Take(1_000_000))
        {
            counts[start]++;
        }

        // 1,000 places, 1,000 each on average with a standard deviation of 32; the last place is 999.
        Assert.That(counts[1000..], Is.All.Zero);
        Assert.That(counts[..1000], Is.All.InRange(1000 - 180, 1000 + 180));
    }

    [Test]
    public void TheOrderIsThatOfTheSeedOnEveryMachine()
    {
        // From a second implementation of the formulas, in Python. If they change, a newer version cannot resume older runs.
        int[] random = [856, 365, 936, 44, 771, 217];
        int[] epoch = [230, 220, 200, 600, 390, 610];
        int[] Some(DataSampling sampling, ulong seed) => [.. Starts(new BatchSampler(Tokens(), 1, 10, sampling, seed)).Take(6)];
        Assert.That(Some(DataSampling.Random, 1), Is.EqualTo(random));
        Assert.That(Some(DataSampling.Epoch, 1), Is.EqualTo(epoch));
        Assert.That(Some(DataSampling.Random, 2), Is.Not.EqualTo(random));
        Assert.That(Some(DataSampling.Epoch, 2), Is.Not.EqualTo(epoch));
    }

    [Test]
    public void ARestoredPositionGivesTheSameBatches([Values] DataSampling sampling, [Values(1, 3)] int batchSize)
    {
        var tokens = Tokens();
        var sampler = new BatchSampler(tokens, batchSize, 16, sampling, ulong.MaxValue - 3);
        var (batch, other) = (new Batch(batchSize, 16), new Batch(batchSize, 16));
        for (var i = 0; i < 150; i++)
        {
            var saved = JsonSerializer.Serialize(sampler.Position);
            var position = JsonSerializer.Deserialize<BatchPosition>(saved);
            var restored = new BatchSampler(tokens, batchSize, 16, sampling, seed: 0) { Position = position };
            sampler.Next(batch);
            restored.Next(other);
            AssertSame(other, batch);
            Assert.That(restored.Position, Is.EqualTo(sampler.Position));
        }
    }

    [Test]
    public void AnotherBatchSizeGoesOnAtTheSameWindow()
    {
        var tokens = Tokens();
        var all = Starts(new BatchSampler(tokens, 1, 16, DataSampling.Epoch, 3)).Take(200).ToList();
        var sampler = new BatchSampler(tokens, 5, 16, DataSampling.Epoch, 3);
        sampler.Next(new Batch(5, 16));
        var other = new BatchSampler(tokens, 7, 16, DataSampling.Epoch, 0) { Position = sampler.Position };
        Assert.That(Starts(other).Take(100), Is.EqualTo(all.Skip(5).Take(100)));
    }

    [Test]
    public void APositionInOtherDataIsAnError()
    {
        var sampler = new BatchSampler(Tokens(), 2, 10, DataSampling.Epoch, 3);
        foreach (var position in new[]
        {
            default,
            sampler.Position with { TokenCount = 5 },
            sampler.Position with { SequenceLength = 11 },
            sampler.Position with { Index = 100 },
            sampler.Position with { Index = -1 },
            sampler.Position with { Epoch = -1 },
            sampler.Position with { Sampling = (DataSampling)7 },
        })
        {
            Assert.That(() => sampler.Position = position, Throws.TypeOf<InvalidDataException>(), () => $"{position}");
        }
    }

    [Test]
    public void ASequenceLongerThanTheDataIsAnErrorWithBothNumbers()
    {
        Assert.That(
            () => new BatchSampler(Tokens(), 1, TokenCount, DataSampling.Random, 1),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("a sequence of 1003").And.Message.Contains("the 1003 tokens"));
        Assert.That(() => new BatchSampler(Tokens(), 1, TokenCount - 1, DataSampling.Random, 1), Throws.Nothing);
        foreach (var (batch, length) in new[] { (0, 1), (1, 0), (-1, 1), (int.MaxValue, 1000) })
        {
            Assert.That(
                () => new BatchSampler(Tokens(), batch, length, DataSampling.Random, 1),
                Throws.TypeOf<ArgumentOutOfRangeException>());
        }

        Assert.That(
            () => new BatchSampler(Tokens(), 2, 3, DataSampling.Random, 1).Next(new Batch(2, 4)),
            Throws.TypeOf<ArgumentException>().With.Message.Contains("[2, 3]").And.Message.Contains("[2, 4]"));
        Assert.That(
            () => new BatchSampler(Tokens(), 2, 3, DataSampling.Random, 1).Next(new Batch(2, 3, hasSegments: true)),
            Throws.TypeOf<ArgumentException>().With.Message.Contains("segments"));
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(5)]
    [TestCase(63)]
    [TestCase(64)]
    [TestCase(65)]
    [TestCase(1000)]
    [TestCase(4097)]
    public void APermutationHasEveryNumberOnce(int count)
    {
        for (var seed = 0UL; seed < 20; seed++)
        {
            var permutation = new Permutation(count, seed);
            Assert.That(Enumerable.Range(0, count).Select(place => permutation[place]).Order(), Is.EqualTo(Enumerable.Range(0, count)));
        }
    }

    [Test]
    public void APermutationIsEvenlyMixed()
    {
        // Over many seeds every number comes to every place as often: 10 × 10 cells of 1,000 on average, standard deviation 30.
        var counts = new int[10, 10];
        for (var seed = 0UL; seed < 10_000; seed++)
        {
            var permutation = new Permutation(10, CounterRandom.At(3, seed));
            for (var place = 0; place < 10; place++)
            {
                counts[place, permutation[place]]++;
            }
        }

        Assert.That(counts, Is.All.InRange(1000 - 150, 1000 + 150));
    }

    [Test]
    public void AHugePermutationNeedsNoMemory()
    {
        var permutation = new Permutation(1L << 60, 1);
        var numbers = Enumerable.Range(0, 10_000).Select(place => permutation[place]).ToHashSet();
        Assert.That(numbers, Has.Count.EqualTo(10_000));
        Assert.That(numbers, Is.All.InRange(0L, (1L << 60) - 1));
        Assert.That(numbers.Count(number => number > 1L << 59), Is.InRange(4_500, 5_500));
    }

    [TestCase(1, 1)]
    [TestCase(2, 8)]
    [TestCase(3, 100)]
    [TestCase(4, 334)]
    [TestCase(2, 5000)]
    public void EvaluationTakesEveryTargetOnce(int batchSize, int sequenceLength)
    {
        var batches = new EvaluationBatches(Tokens(), batchSize, sequenceLength);
        var batch = ((IEvaluationSource)batches).NewBatch();
        var all = new List<int>();
        for (var number = 0L; number < batches.Count; number++)
        {
            var counted = batches.Read(number, batch);
            var (inputs, targets) = (batch.Tokens.ToArray(), batch.Targets.ToArray());
            Assert.That(targets.Count(target => target != -100), Is.EqualTo(counted).And.Positive);
            for (var i = 0; i < targets.Length; i++)
            {
                Assert.That(inputs[i], Is.EqualTo(targets[i] == -100 ? 0 : targets[i] - 1));
            }

            all.AddRange(targets.Where(target => target != -100));
        }

        Assert.That(all, Is.EqualTo(Enumerable.Range(1, TokenCount - 1)));
        Assert.That(() => batches.Read(batches.Count, batch), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => batches.Read(0, new Batch(batchSize + 1, sequenceLength)), Throws.TypeOf<ArgumentException>());
    }

    [Test]
    public void EvaluationOfOneTokenIsAnError() =>
        Assert.That(() => new EvaluationBatches(Tokens(1), 1, 1), Throws.TypeOf<InvalidDataException>().With.Message.Contains("1 tokens"));

    [Test]
    public void PrefetchedBatchesAndPositionsAreThoseOfTheSampler([Values] DataSampling sampling, [Values(1, 4)] int depth)
    {
        var tokens = Tokens();
        var sampler = new BatchSampler(tokens, 3, 16, sampling, 1);
        using var prefetching = new PrefetchingBatchSource(new BatchSampler(tokens, 3, 16, sampling, 1), depth);
        var (batch, other) = (new Batch(3, 16), new Batch(3, 16));
        Assert.That(prefetching.Position, Is.EqualTo(sampler.Position));
        for (var i = 0; i < 300; i++)
        {
            sampler.Next(batch);
            prefetching.Next(other);
            AssertSame(other, batch);
            Assert.That(prefetching.Position, Is.EqualTo(sampler.Position));
            Assert.That(prefetching.Epochs, Is.EqualTo(sampler.Epochs));
        }
    }

    [Test]
    public void PrefetchingAllocatesNothingOnceItRuns()
    {
        var sampler = new BatchSampler(Tokens(), 4, 16, DataSampling.Epoch, 1);
        using var prefetching = new PrefetchingBatchSource(sampler);
        var batch = new Batch(4, 16);
        Run(1000);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        Run(10_000);
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;

        // The runtime and the test platform may allocate a little on threads of their own: a byte a batch leaves room for that alone.
        Assert.That(allocated, Is.LessThan(10_000));

        void Run(int batches)
        {
            for (var i = 0; i < batches; i++)
            {
                prefetching.Next(batch);
            }
        }
    }

    [Test]
    public void AnErrorComesOutAfterTheBatchesBeforeIt()
    {
        using var prefetching = new PrefetchingBatchSource(new FailingSource(goodBatches: 6), depth: 4);
        var batch = new Batch(1, 1);
        for (var i = 0; i < 6; i++)
        {
            prefetching.Next(batch);
            Assert.That(batch.Tokens[0], Is.EqualTo(i));
        }

        for (var i = 0; i < 2; i++)
        {
            Assert.That(() => prefetching.Next(batch), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("batch 6"));
        }

        Assert.That(prefetching.Position.Index, Is.EqualTo(6));
    }

    [Test]
    public void PrefetchingStopsWhereverItIs()
    {
        for (var i = 0; i < 200; i++)
        {
            var prefetching = new PrefetchingBatchSource(new BatchSampler(Tokens(), 1, 1, DataSampling.Random, 1), depth: 1 + (i % 3));
            if (i % 2 == 0)
            {
                prefetching.Next(new Batch(1, 1));
            }

            prefetching.Dispose();
            prefetching.Dispose();
            Assert.That(() => prefetching.Next(new Batch(1, 1)), Throws.TypeOf<ObjectDisposedException>());
        }
    }

    private static void AssertSame(Batch actual, Batch expected)
    {
        Assert.That(actual.Tokens.ToArray(), Is.EqualTo(expected.Tokens.ToArray()));
        Assert.That(actual.Targets.ToArray(), Is.EqualTo(expected.Targets.ToArray()));
        Assert.That(actual.TokenCount, Is.EqualTo(expected.TokenCount));
    }

    private static IEnumerable<int> Starts(BatchSampler source)
    {
        var batch = new Batch(source.BatchSize, source.SequenceLength);
        while (true)
        {
            source.Next(batch);
            for (var row = 0; row < source.BatchSize; row++)
            {
                yield return batch.Tokens[row * source.SequenceLength];
            }
        }
    }

    private TokenFile Tokens(int count = TokenCount)
    {
        var path = In($"{_open.Count}.tokens");
        using (var writer = new TokenFileWriter(path, new SomeTokenizer(TokenCount)))
        {
            writer.Append([.. Enumerable.Range(0, count)], count);
            writer.Complete();
        }

        _open.Add(TokenFile.Open(path));
        return _open[^1];
    }

    private sealed class FailingSource(int goodBatches) : IBatchSource
    {
        private int _batch;

        public int BatchSize => 1;

        public int SequenceLength => 1;

        public BatchPosition Position => new() { Sampling = 0, Seed = 0, Epoch = 0, Index = _batch, TokenCount = 0, SequenceLength = 1 };

        public double BatchesPerEpoch => 1;

        public double Epochs => _batch;

        public void Next(Batch batch)
        {
            if (_batch == goodBatches)
            {
                throw new InvalidDataException($"batch {_batch}");
            }

            batch.Tokens[0] = _batch++;
        }
    }
}
