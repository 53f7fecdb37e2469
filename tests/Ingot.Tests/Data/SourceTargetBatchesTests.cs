using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

public sealed class SourceTargetBatchesTests
{
    private const int Start = 99;

    [Test]
    public void ARowIsAPairShiftedByOne()
    {
        var source = new SourceTargetEvaluation("pairs", [new([5, 6, 1], [7, 1]), new([8, 1], [9, 10, 11, 12, 1])], 3, 8, 8, Start, 4);
        var batch = ((IEvaluationSource)source).NewBatch();

        Assert.That(source.Read(0, batch), Is.EqualTo(7));

        Assert.That((batch.Length, batch.SourceLength), Is.EqualTo((8, 4)));
        Assert.That(batch.Tokens.ToArray(), Is.EqualTo([Start, 9, 10, 11, 12, 0, 0, 0, Start, 7, 0, 0, 0, 0, 0, 0, .. new int[8]]));
        const int I = Batch.Ignore;
        Assert.That(batch.Targets.ToArray(),
            Is.EqualTo([9, 10, 11, 12, 1, I, I, I, 7, 1, I, I, I, I, I, I, .. Enumerable.Repeat(I, 8)]));
        Assert.That(batch.Source.ToArray(), Is.EqualTo([8, 1, 0, 0, 5, 6, 1, 0, .. new int[4]]));
        Assert.That(batch.SourceLengths.ToArray(), Is.EqualTo([2, 3, 0]));
        Assert.That(batch.RowLengths.ToArray(), Is.EqualTo([5, 2, 0]));
    }

    [Test]
    public void EachPairComesOnceAnEpochInBatchesOfAboutOneLength()
    {
        // 1,001 pairs: the last batch of an epoch is not full.
        var source = Source();
        var batch = ((IBatchSource)source).NewBatch();
        var orders = new List<int[]>();
        for (var epoch = 0; epoch < 2; epoch++)
        {
            var firsts = new List<int>();
            var padding = 0;
            for (var i = 0; i < source.BatchesPerEpoch; i++)
            {
                source.Next(batch);
                for (var row = 0; row < batch.Rows && batch.SourceLengths[row] > 0; row++)
                    firsts.Add(batch.Source[row * batch.SourceLength]);
                padding += batch.Tokens.Length - batch.TokenCount;
            }

            Assert.That(source.Epochs, Is.EqualTo(epoch + 1));
            Assert.That(firsts, Is.EquivalentTo(Enumerable.Range(0, 1001)));
            // In any order a row would be padded to the longest of eight, some 28 of 32: 12 tokens and more are padding.
            Assert.That(padding / 1001.0, Is.LessThan(4));
            orders.Add([.. firsts]);
        }

        Assert.That(orders[1], Is.Not.EqualTo(orders[0]));
    }

    [Test]
    public void APositionLeadsToTheSameBatches()
    {
        var first = Source();
        var (batch, again) = (((IBatchSource)first).NewBatch(), ((IBatchSource)first).NewBatch());
        for (var i = 0; i < 130; i++)
            first.Next(batch);
        var second = Source();
        second.Position = first.Position;
        for (var i = 0; i < 130; i++)
        {
            first.Next(batch);
            second.Next(again);
            Assert.That(again.Tokens.ToArray(), Is.EqualTo(batch.Tokens.ToArray()));
            Assert.That(again.Source.ToArray(), Is.EqualTo(batch.Source.ToArray()));
        }

        Assert.That(() => second.Position = first.Position with { TokenCount = 1 }, Throws.TypeOf<InvalidDataException>());
        Assert.That(() => second.Position = first.Position with { BatchSize = 4 }, Throws.TypeOf<InvalidDataException>());
        Assert.That(() => second.Position = first.Position with { Index = 3 }, Throws.TypeOf<InvalidDataException>());
    }

    [Test]
    public void PairsThatDoNotFitAreRefused()
    {
        Assert.That(() => new SourceTargetBatches("pairs", [new([1, 2, 3], [1])], 1, 2, 2, Start, 1),
            Throws.ArgumentException.With.Message.Contains("3 and 1 tokens"));
        Assert.That(() => new SourceTargetBatches("pairs", [], 1, 2, 2, Start, 1), Throws.ArgumentException);
        Assert.That(() => new SourceTargetEvaluation("pairs", [new([1], [])], 1, 2, 2, Start), Throws.ArgumentException);
    }

    private static SourceTargetBatches Source()
    {
        var random = new Random(1);
        SourceTarget[] pairs =
        [
            .. Enumerable.Range(0, 1001).Select(i =>
                new SourceTarget([i, .. new int[random.Next(31)]], [.. Enumerable.Repeat(7, random.Next(1, 33))])),
        ];
        return new SourceTargetBatches("pairs", pairs, 8, 32, 32, Start, seed: 3, padToMultipleOf: 1);
    }
}
