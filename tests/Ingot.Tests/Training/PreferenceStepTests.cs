using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Adapters;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

/// <summary>Direct preference optimisation against its loss in double precision (Rafailov et al. 2023, equation 7).</summary>
public sealed class PreferenceStepTests
{
    private const int Pairs = 3, Length = 7, Rows = 2 * Pairs;

    private static readonly TrainingStepOptions Options = new() { Batch = Rows, Length = Length };

    [Test]
    public void GradientIsThatOfCentralDifferences([Values(0, 1, 2, 3)] int index, [Values(0, 0.2)] double smoothing, [Values] bool adapter)
    {
        const double Beta = 0.7;
        var adapted = LoraGradientTests.Adapt(ModelGradientTests.Models[index], new LoraConfig { Rank = 2 });
        ModelConfig model = adapter ? adapted : adapted.Base;
        using var lora = LoraGradientTests.Store(adapted, DType.F32);
        using var whole = ModelGradientTests.Store(adapted.Base, DType.F32);
        // The reference: with an adapter the same weights without it, else others.
        using var other = LoraGradientTests.Store(LoraGradientTests.Adapt(adapted.Base, new LoraConfig { Rank = 1 }), DType.F32, training: false);
        var (store, reference) = adapter ? (lora, lora) : (whole, other);
        var values = ModelGradientTests.Values(store);
        var (tokens, targets) = Data(model);
        using var step = new PreferenceStep(model, store, adapted.Base, reference, Options, Beta, smoothing);

        double Loss(Dictionary<string, double[]> at, out double accuracy, out double margin)
        {
            var weights = adapter ? LoraGradientTests.Effective(adapted, at, []) : at;
            var policy = LogProbabilities(adapted.Base, weights, tokens, targets);
            var old = LogProbabilities(adapted.Base, ModelGradientTests.Values(reference), tokens, targets);
            var margins = Enumerable.Range(0, Pairs)
                .Select(i => Beta * (policy[2 * i] - old[2 * i] - policy[(2 * i) + 1] + old[(2 * i) + 1])).ToArray();
            accuracy = margins.Average(m => m > 0 ? 1.0 : 0);
            margin = margins.Average();
            return margins.Average(m => ((1 - smoothing) * Math.Log(1 + Math.Exp(-m))) + (smoothing * Math.Log(1 + Math.Exp(m))));
        }

        var result = step.Begin(tokens, targets, 0);
        step.Step.Update(learningRate: 0);
        Assert.That(step.Step.Finish().Loss, Is.EqualTo((float)result.Loss));
        var expected = Loss(values, out var accuracy, out var margin);
        Assert.That(result.Loss, Is.EqualTo(expected).Within(1e-3).Percent);
        Assert.That(result.Accuracy, Is.EqualTo(accuracy).Within(1e-9));
        Assert.That(result.Margin, Is.EqualTo(margin).Within(1e-4));
        var random = new Random(5);
        foreach (var p in store.Parameters.Where(p => store.Layout.IsTrained(p.Name)))
        {
            var gradient = store.View(store.Gradients!, p.Name).ToArray();
            var direction = gradient.Select(_ => (random.NextDouble() * 2) - 1).ToArray();
            var analytic = gradient.Zip(direction, (g, d) => g * d).Sum();
            double Along(double h) =>
                Loss(new(values) { [p.Name] = [.. values[p.Name].Zip(direction, (v, d) => v + (h * d))] }, out _, out _);

            const double H = 1e-5;
            var numeric = (Along(H) - Along(-H)) / (2 * H);
            var size = Math.Sqrt(gradient.Sum(g => (double)g * g) * direction.Length / 3);
            // fp32's rounding relative to the size of such a product, plus that of the differences themselves.
            Assert.That(analytic, Is.EqualTo(numeric).Within((5e-5 * size) + 1e-8), p.Name);
        }
    }

    [Test]
    public void MicroBatchesAddUpToTheBatch()
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig { Rank = 2 });
        var (tokens, targets) = Data(model);
        var gradients = new List<float[]>();
        foreach (var batch in new[] { Rows, 2 })
        {
            using var store = LoraGradientTests.Store(model, DType.F32);
            using var step = new PreferenceStep(model, store, model.Base, store, Options with { Batch = batch });
            step.Begin(tokens, targets, 0);
            gradients.Add([.. store.Parameters.Where(p => store.Layout.IsTrained(p.Name))
                .SelectMany(p => store.View(store.Gradients!, p.Name).ToArray())]);
        }

        var size = Math.Sqrt(gradients[0].Average(g => (double)g * g));
        Assert.That(gradients[1], Is.EqualTo(gradients[0]).Within(1e-5 * size * 10));
    }

    [Test]
    public void ItStartsAtTheReferenceAndLearnsToPrefer([Values] bool bf16)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[0], new LoraConfig { Rank = 4, Dropout = 0.1 });
        var dtype = bf16 ? DType.Bf16 : DType.F32;
        using var store = LoraGradientTests.Store(model, dtype);
        foreach (var p in store.Parameters.Where(p => p.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal)))
            store.Write(p.Name, new float[p.Elements]);
        using var step = new PreferenceStep(model, store, model.Base, store, Options with { ComputeType = dtype });
        var (tokens, targets) = Data(model);

        var first = step.Begin(tokens, targets, 0);
        Assert.That(first.Loss, Is.EqualTo(Math.Log(2)).Within(1e-12), "the adapter changes nothing yet");
        Assert.That(first.Margin, Is.Zero);
        for (var i = 0; i < 60; i++)
        {
            step.Begin(tokens, targets, i);
            step.Step.Update(learningRate: 1e-2);
            step.Step.Finish();
        }

        var last = step.Measure(tokens, targets);
        Assert.That(last.Accuracy, Is.EqualTo(1));
        Assert.That(last.Loss, Is.LessThan(0.4));
        Assert.That(last.ChosenReward, Is.GreaterThan(last.RejectedReward + 0.5));
        Assert.That(step.Measure(tokens, targets), Is.EqualTo(last), "measuring changes nothing");
    }

    [Test]
    public void AReferenceThatWouldChangeIsRefused()
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig { Rank = 2, ModulesToSave = ["lm_head"] });
        using var store = LoraGradientTests.Store(model, DType.F32);
        Assert.That(() => new PreferenceStep(model, store, model.Base, store, Options),
            Throws.ArgumentException.With.Message.Contains("lm_head.weight"));
        Assert.That(() => new PreferenceStep(model, store, model.Base, store, Options with { Batch = 3 }),
            Throws.ArgumentException.With.Message.Contains("pairs"));
    }

    /// <summary>Answers of random tokens after prompts of different lengths, padded.</summary>
    private static (int[] Tokens, int[] Targets) Data(ModelConfig model)
    {
        var random = new Random(11);
        var tokens = new int[Rows * Length];
        var targets = new int[Rows * Length];
        Array.Fill(targets, -100);
        for (var row = 0; row < Rows; row++)
        {
            var (prompt, length) = (1 + (row / 2 % 3), Length - (row % 3));
            for (var i = 0; i < length; i++)
                tokens[(row * Length) + i] = i < prompt && row % 2 == 1 ? tokens[((row - 1) * Length) + i] : random.Next(model.VocabularySize);
            for (var i = prompt - 1; i < length - 1; i++)
                targets[(row * Length) + i] = tokens[(row * Length) + i + 1];
        }

        return (tokens, targets);
    }

    private static double[] LogProbabilities(ModelConfig model, Dictionary<string, double[]> weights, int[] tokens, int[] targets)
    {
        new ReferenceModel(model, weights, Rows, Length).Loss(tokens, targets, out var logits);
        var sums = new double[Rows];
        for (var n = 0; n < targets.Length; n++)
        {
            if (targets[n] >= 0)
                sums[n / Length] += logits[n][targets[n]] - Math.Log(logits[n].Sum(Math.Exp));
        }

        return sums;
    }
}
