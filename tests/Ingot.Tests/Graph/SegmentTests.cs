using Ingot.Bindings;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Graphs;

/// <summary>Rows that hold several sequences, and rows that are shorter: the same losses and gradients as the sequences by themselves.</summary>
public sealed class SegmentTests
{
    // Two sequences of one row of 9, the last place padding.
    private const int First = 5, Second = 3, Length = 9;

    private static ModelConfig[] Models => ModelGradientTests.Models;

    [TestCaseSource(nameof(Models))]
    public void APackedRowLearnsWhatItsSequencesDoAlone(ModelConfig model)
    {
        var (one, other) = (Sequence(model, First, 1), Sequence(model, Second, 2));
        var packed = new Batch(1, Length, hasSegments: true);
        Put(packed, 0, 0, one);
        Put(packed, First, 1, other);

        var (loss, gradient) = Learn(model, packed);
        var (lossOfOne, gradientOfOne) = Learn(model, Alone(one));
        var (lossOfOther, gradientOfOther) = Learn(model, Alone(other));

        // The mean is over all targets, of which the sequences have one fewer than tokens.
        const double Share = (First - 1.0) / (First + Second - 2);
        Assert.That(loss, Is.EqualTo((Share * lossOfOne) + ((1 - Share) * lossOfOther)).Within(1e-4).Percent);
        AssertClose(gradient, [.. gradientOfOne.Zip(gradientOfOther, (a, b) => (Share * a) + ((1 - Share) * b))]);
    }

    [TestCaseSource(nameof(Models))]
    public void WithoutSegmentsTheSequencesWouldSeeEachOther(ModelConfig model)
    {
        // What the test above can tell: the same row as one sequence learns something else.
        var (one, other) = (Sequence(model, First, 1), Sequence(model, Second, 2));
        var (packed, whole) = (new Batch(1, Length, hasSegments: true), new Batch(1, Length));
        Put(packed, 0, 0, one);
        Put(packed, First, 1, other);
        packed.Tokens.CopyTo(whole.Tokens);
        packed.Targets.CopyTo(whole.Targets);
        var (_, apart) = Learn(model, packed);
        var (_, together) = Learn(model, whole);
        Assert.That(RelativeError(together, [.. apart.Select(g => (double)g)]), Is.GreaterThan(1e-3));
    }

    [TestCaseSource(nameof(Models))]
    public void AShorterBatchIsThePaddedOne(ModelConfig model)
    {
        var one = Sequence(model, First, 1);
        var (padded, shorter) = (new Batch(2, Length), new Batch(2, Length));
        shorter.Clear(First);
        foreach (var batch in new[] { padded, shorter })
        {
            one.CopyTo(batch.Tokens);
            one.AsSpan(1).CopyTo(batch.Targets);
        }

        using var store = ModelGradientTests.Store(model, DType.F32);
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = 2, Length = Length });
        var (loss, gradient) = Learn(step, padded);
        var (lossOfShorter, gradientOfShorter) = Learn(step, shorter);
        Assert.That(lossOfShorter, Is.EqualTo(loss).Within(1e-4).Percent);
        AssertClose(gradientOfShorter, [.. gradient.Select(g => (double)g)]);
        // And the long one again: programs of several lengths do not get into each other's way.
        Assert.That(Learn(step, padded).Gradient, Is.EqualTo(gradient));
    }

    [TestCaseSource(nameof(Models))]
    public void PackedRowsAreEvaluatedAsTheyAreLearnt(ModelConfig model)
    {
        var packed = new Batch(2, Length, hasSegments: true);
        Put(packed, 0, 0, Sequence(model, First, 1));
        Put(packed, First, 1, Sequence(model, Second, 2));
        // The second row stays empty: padding sees nothing and counts for nothing.
        using var store = ModelGradientTests.Store(model, DType.F32);
        using var evaluator = new Evaluator(model, store, 2, Length, hasSegments: true);
        var (sum, count) = evaluator.Run(packed);
        Assert.That(count, Is.EqualTo(First + Second - 2));
        Assert.That(sum / count, Is.EqualTo(Learn(model, packed).Loss).Within(1e-4).Percent);
    }

    [Test]
    public void WithoutSegmentsTheGraphHasNoInputForThem()
    {
        var options = new TrainingStepOptions { Batch = 1, Length = 4 };
        Assert.That(TrainingStep.Write(Models[1], options).Inputs.Keys, Is.EquivalentTo((string[])["tokens", "targets", "scale", "seed"]));
        Assert.That(TrainingStep.Write(Models[1], options with { HasSegments = true }).Inputs.Keys,
            Is.SupersetOf((string[])["positions", "segments"]));
    }

    [Test]
    public void ABatchOfTheWrongKindIsAnError()
    {
        using var store = ModelGradientTests.Store(Models[0], DType.F32);
        using var step = new TrainingStep(Models[0], store, new TrainingStepOptions { Batch = 1, Length = Length, HasSegments = true });
        Assert.That(() => step.Begin(new Batch(1, Length), 0), Throws.ArgumentException.With.Message.Contains("segments"));
        Assert.That(() => step.Begin(new Batch(1, Length, hasSegments: true), 0), Throws.ArgumentException.With.Message.Contains("no target"));
    }

    private static int[] Sequence(ModelConfig model, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(model.VocabularySize))];
    }

    private static void Put(Batch batch, int at, int segment, int[] sequence)
    {
        for (var i = 0; i < sequence.Length; i++)
        {
            (batch.Tokens[at + i], batch.Positions[at + i], batch.Segments[at + i]) = (sequence[i], i, segment);
            batch.Targets[at + i] = i + 1 < sequence.Length ? sequence[i + 1] : Batch.Ignore;
        }
    }

    private static Batch Alone(int[] sequence)
    {
        var batch = new Batch(1, sequence.Length);
        sequence.CopyTo(batch.Tokens);
        sequence.AsSpan(1).CopyTo(batch.Targets);
        return batch;
    }

    private static (double Loss, float[] Gradient) Learn(ModelConfig model, Batch batch)
    {
        using var store = ModelGradientTests.Store(model, DType.F32);
        using var step = new TrainingStep(model, store,
            new TrainingStepOptions { Batch = batch.Rows, Length = batch.Length, HasSegments = batch.HasSegments });
        return Learn(step, batch);
    }

    private static (double Loss, float[] Gradient) Learn(TrainingStep step, Batch batch)
    {
        step.Begin(batch, 0);
        step.Update(learningRate: 0);
        var loss = step.Finish().Loss;
        var store = step.Parameters;
        return (loss, [.. store.Parameters.SelectMany(p => store.View(store.Gradients!, p.Name).ToArray())]);
    }

    private static void AssertClose(float[] actual, double[] expected) => Assert.That(RelativeError(actual, expected), Is.LessThan(1e-5));

    private static double RelativeError(float[] actual, double[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => e * e));
}
