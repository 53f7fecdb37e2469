using Ingot.Bindings;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Graphs.Passes;
using Ingot.Models;
using Ingot.Models.T5;
using Ingot.Models.Transformer;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Graphs;

/// <summary>
/// Whole encoder-decoders against <see cref="ReferenceEncoderDecoder"/>: loss and gradients of a batch whose sources and targets have
/// unequal lengths, so that padding that counted anywhere would show.
/// </summary>
public sealed class EncoderDecoderGradientTests
{
    internal const int MostLength = 6, MostSource = 7;

    internal static readonly EncoderDecoderConfig[] Models =
    [
        new MarianConfig
        {
            VocabSize = 31, ModelWidth = 12, EncoderLayers = 2, DecoderLayers = 1, EncoderHeads = 3, DecoderHeads = 2, EncoderInner = 20,
            DecoderInner = 16, ActivationFunction = "swish", Positions = 9, ScaleEmbedding = true, InitStd = 0.3, DecoderStart = 30, Padding = 30,
        },
        new M2M100Config
        {
            VocabSize = 29, ModelWidth = 16, EncoderLayers = 1, DecoderLayers = 2, EncoderHeads = 2, DecoderHeads = 4, EncoderInner = 24,
            DecoderInner = 24, Positions = 9, InitStd = 0.3,
        },
        new T5Config
        {
            VocabSize = 31, ModelWidth = 12, HeadSize = 5, Inner = 20, EncoderLayers = 2, DecoderLayers = 1, Heads = 3, Buckets = 8, MaxDistance = 5,
            Positions = 10, InitializerFactor = 0.8,
        },
        new T5Config
        {
            Flavor = T5Flavor.Mt5, VocabSize = 29, ModelWidth = 16, HeadSize = 8, Inner = 18, EncoderLayers = 1, DecoderLayers = 2, Heads = 4,
            Buckets = 4, MaxDistance = 8, FeedForwardProjection = "gated-gelu", TieWordEmbeddings = false, Positions = 10, InitializerFactor = 0.7,
        },
    ];

    /// <summary>The last one has no source at all, and nothing to learn.</summary>
    internal static readonly ReferencePair[] Pairs =
    [
        new([5, 9, 2, 17, 3, 8, 1], [7, 4, 4, 20], [4, 4, 20, 2]),
        new([11, 3], [7, 12, 6, 1, 9, 13], [12, 6, -100, 9, 13, 2]),
        new([], [0], [-100]),
    ];

    [TestCaseSource(nameof(Models))]
    public void GradientsAreThoseOfCentralDifferences(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32);
        var values = ModelGradientTests.Values(store);
        using var step = Step(model, store, new TrainingStepOptions { Batch = Pairs.Length, Length = MostLength, LabelSmoothing = 0.1 });
        step.Begin(Batch(), 0);
        step.Update(learningRate: 0);
        var result = step.Finish();

        double Loss(IReadOnlyDictionary<string, double[]> parameters) =>
            ReferenceEncoderDecoder.Of(model, parameters).Loss(Pairs[..2], smoothing: 0.1);
        Assert.That(result.Loss, Is.EqualTo(Loss(values)).Within(1e-4).Percent);
        var random = new Random(5);
        foreach (var p in store.Parameters)
        {
            var gradient = store.View(store.Gradients!, p.Name).ToArray();
            var direction = gradient.Select(_ => (random.NextDouble() * 2) - 1).ToArray();
            var analytic = gradient.Zip(direction, (g, d) => g * d).Sum();
            double Along(double h) => Loss(new Dictionary<string, double[]>(values)
            {
                [p.Name] = [.. values[p.Name].Zip(direction, (v, d) => v + (h * d))],
            });

            const double H = 1e-5;
            var numeric = (Along(H) - Along(-H)) / (2 * H);
            var size = Math.Sqrt(gradient.Sum(g => (double)g * g) * direction.Length / 3);
            // fp32's rounding relative to the size of such a product, plus that of the differences themselves. The gradient of a key's
            // bias is 0 but for rounding: it adds the same to all scores of a query.
            Assert.That(analytic, Is.EqualTo(numeric).Within((1e-5 * size) + 1e-7), p.Name);
        }
    }

    [TestCaseSource(nameof(Models))]
    public void TheEvaluatorGivesTheSameLoss(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var evaluator = new Evaluator(model, store, Pairs.Length, MostLength, sourceLength: MostSource);
        var (sum, count) = evaluator.Run(Batch());
        Assert.That(count, Is.EqualTo(9));
        Assert.That(sum / count, Is.EqualTo(ReferenceEncoderDecoder.Of(model, ModelGradientTests.Values(store)).Loss(Pairs[..2])).Within(1e-4).Percent);
    }

    [TestCaseSource(nameof(Models))]
    public void LongerPaddingRecomputingAndMicroBatchesChangeNothing(EncoderDecoderConfig model)
    {
        var plain = Gradients(model, new() { Batch = Pairs.Length, Length = MostLength });
        Assert.That(plain.Any(g => g != 0));
        Assert.That(Gradients(model, new() { Batch = Pairs.Length, Length = MostLength, Recompute = RecomputePolicy.Block }), Is.EqualTo(plain));
        foreach (var changed in new[]
                 {
                     Gradients(model, new() { Batch = 1, Length = MostLength }),
                     Gradients(model, new() { Batch = Pairs.Length, Length = MostLength, Fuse = false }),
                     Gradients(model, new() { Batch = Pairs.Length, Length = MostLength + 3 }, padding: 2),
                 })
        {
            Assert.That(RelativeError(changed, plain), Is.LessThan(1e-5));
        }
    }

    [TestCaseSource(nameof(Models))]
    public void Bf16GradientsAreCloseToFp32(EncoderDecoderConfig model)
    {
        var options = new TrainingStepOptions { Batch = Pairs.Length, Length = MostLength };
        var error = RelativeError(Gradients(model, options with { ComputeType = DType.Bf16 }), Gradients(model, options));
        Assert.That(error, Is.GreaterThan(0).And.LessThan(0.05));
    }

    [Test]
    public void ABatchWithoutSourcesIsRefused()
    {
        using var store = ModelGradientTests.Store(Models[0], DType.F32);
        using var step = Step(Models[0], store, new TrainingStepOptions { Batch = 1, Length = 3 });
        Assert.That(() => step.Begin(new Batch(1, 3), 0), Throws.ArgumentException.With.Message.Contains("sources"));
    }

    internal static Batch Batch(int padding = 0)
    {
        var batch = new Batch(Pairs.Length, MostLength + 3, mostSourceLength: MostSource + 3);
        batch.Clear(MostLength + padding, MostSource + padding);
        for (var row = 0; row < Pairs.Length; row++)
        {
            var (source, tokens, targets) = Pairs[row];
            source.CopyTo(batch.Source[(row * batch.SourceLength)..]);
            // What is padding must not matter.
            batch.Source[((row * batch.SourceLength) + source.Length)..((row + 1) * batch.SourceLength)].Fill(6);
            batch.SourceLengths[row] = source.Length;
            tokens.CopyTo(batch.Tokens[(row * batch.Length)..]);
            targets.CopyTo(batch.Targets[(row * batch.Length)..]);
            batch.RowLengths[row] = tokens.Length;
        }

        return batch;
    }

    private static TrainingStep Step(EncoderDecoderConfig model, ParameterStore store, TrainingStepOptions options) =>
        new(model, store, options with { SourceLength = MostSource + options.Length - MostLength });

    private static float[] Gradients(EncoderDecoderConfig model, TrainingStepOptions options, int padding = 0)
    {
        using var store = ModelGradientTests.Store(model, options.ComputeType);
        using var step = new TrainingStep(model, store, options with { SourceLength = MostSource + 3 });
        step.Begin(Batch(padding), 0);
        step.Update(learningRate: 0);
        step.Finish();
        return [.. store.Parameters.SelectMany(p => store.View(store.Gradients!, p.Name).ToArray())];
    }

    private static double RelativeError(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
}
