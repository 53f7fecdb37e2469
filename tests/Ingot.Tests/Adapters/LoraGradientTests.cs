using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Passes;
using Ingot.Models;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Adapters;

/// <summary>
/// Adapted models against <see cref="ReferenceModel"/> on weights that are put together in double precision from W, A, B and m: the
/// loss, and the gradients of A, B and m by central differences.
/// </summary>
public sealed class LoraGradientTests
{
    private const int Batch = 2, Length = 7;

    internal static readonly LoraConfig[] Kinds =
    [
        new() { Rank = 3, Alpha = 5 },
        new()
        {
            Rank = 4, Alpha = 3, UseRslora = true,
            TargetModules =
            [
                "c_attn", "mlp.c_proj", "q_proj", "down_proj", "query", "intermediate.dense",
                "encoder_attn.k_proj", "fc2", "SelfAttention.q", "wo",
            ],
        },
        new() { Rank = 2, Alpha = 4, UseDora = true },
    ];

    private static IEnumerable<AdaptedModel> Models() =>
        from model in ModelGradientTests.Models.Concat(ModelGradientTests.Encoders) from kind in Kinds select Adapt(model, kind);

    [TestCaseSource(nameof(Models))]
    public void GradientsAreThoseOfCentralDifferences(AdaptedModel model)
    {
        var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
        targets[3] = -100;
        using var store = Store(model, DType.F32);
        var values = ModelGradientTests.Values(store);
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = Batch, Length = Length });
        // The norms of DoRA are constant in the gradient: those of the values as they are.
        var norms = Norms(model, values);
        double Loss(Dictionary<string, double[]> at) =>
            new ReferenceModel(model.Base, Effective(model, at, norms), Batch, Length).Loss(tokens, targets, out _);

        var result = step.Run(tokens, targets, 0, learningRate: 0);

        Assert.That(result.Loss, Is.EqualTo(Loss(values)).Within(1e-4).Percent);
        AssertGradients(store, values, Loss, rounding: 1e-9);
    }

    /// <summary>Compares each trained parameter's gradient, along a random direction, with differences of a loss in double precision.</summary>
    /// <param name="store">Has the gradients.</param>
    /// <param name="values">All parameters, as they were.</param>
    /// <param name="loss">The loss at other values.</param>
    /// <param name="rounding">That of the differences themselves.</param>
    internal static void AssertGradients(ParameterStore store, Dictionary<string, double[]> values,
        Func<Dictionary<string, double[]>, double> loss, double rounding)
    {
        var random = new Random(5);
        foreach (var p in store.Parameters.Where(p => store.Layout.IsTrained(p.Name)))
        {
            var gradient = store.View(store.Gradients!, p.Name).ToArray();
            var direction = gradient.Select(_ => (random.NextDouble() * 2) - 1).ToArray();
            var analytic = gradient.Zip(direction, (g, d) => g * d).Sum();
            double Along(double h) => loss(new(values) { [p.Name] = [.. values[p.Name].Zip(direction, (v, d) => v + (h * d))] });

            const double H = 1e-5;
            var numeric = (Along(H) - Along(-H)) / (2 * H);
            var size = Math.Sqrt(gradient.Sum(g => (double)g * g) * direction.Length / 3);
            Assert.That(size, Is.GreaterThan(0), p.Name);
            // fp32's rounding relative to the size of such a product, plus that of the differences themselves.
            Assert.That(analytic, Is.EqualTo(numeric).Within((2e-5 * size) + rounding), p.Name);
        }
    }

    [TestCaseSource(nameof(Models))]
    public void Bf16IsCloseToFp32(AdaptedModel model)
    {
        var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
        var gradients = new List<double[]>();
        foreach (var dtype in new[] { DType.F32, DType.Bf16 })
        {
            using var store = Store(model, dtype);
            using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = Batch, Length = Length, ComputeType = dtype });
            step.Run(tokens, targets, 0, learningRate: 0);
            gradients.Add(Gradients(store));
        }

        // bf16 has 8 bits: 0.4 % for each rounding, some dozens of them in a row.
        Assert.That(RelativeError(gradients[1], gradients[0]), Is.GreaterThan(0).And.LessThan(0.06));
    }

    [TestCaseSource(nameof(Models))]
    public void FusionAndRecomputingChangeNothing(AdaptedModel model)
    {
        var plain = Run(new() { Batch = Batch, Length = Length });
        Assert.That(Run(new() { Batch = Batch, Length = Length, Recompute = RecomputePolicy.Block }), Is.EqualTo(plain));
        Assert.That(Run(new() { Batch = Batch, Length = Length, ShareMemory = false }), Is.EqualTo(plain));
        Assert.That(RelativeError(Run(new() { Batch = Batch, Length = Length, Fuse = false }), plain), Is.LessThan(1e-5));
        Assert.That(RelativeError(Run(new() { Batch = 1, Length = Length }), plain), Is.LessThan(1e-5));

        double[] Run(TrainingStepOptions options)
        {
            var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
            using var store = Store(model, DType.F32);
            using var step = new TrainingStep(model, store, options);
            step.Run(tokens, targets, 0, learningRate: 0);
            return Gradients(store);
        }
    }

    [Test]
    public void DropoutActsOnTheAdaptersInputAlone()
    {
        var model = Adapt(ModelGradientTests.Models[1], Kinds[0] with { Dropout = 0.5 });
        var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
        using var store = Store(model, DType.F32);
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = Batch, Length = Length });
        double Loss(long number) => step.Run(tokens, targets, number, learningRate: 0).Loss;
        Assert.That(Loss(0), Is.EqualTo(Loss(0)).And.Not.EqualTo(Loss(1)));

        // With B = 0 nothing of the adapter reaches the loss.
        foreach (var p in store.Parameters.Where(p => p.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal)))
            store.View(store.Master, p.Name).Clear();
        Assert.That(Loss(0), Is.EqualTo(Loss(1)));
    }

    /// <summary>A model with an adapter on those of the targets that it has; a classifier is trained whole.</summary>
    internal static AdaptedModel Adapt(ModelConfig model, LoraConfig lora)
    {
        if (model.Task.IsClassification())
            lora = lora with { ModulesToSave = [.. lora.ModulesToSave, "classifier"] };
        var names = new AdaptedModel(model, lora with { TargetModules = [LoraConfig.AllLinear] }).LinearLayers().Select(l => l.Name).ToList();
        var targets = lora.TargetModules
            .Where(t => t == LoraConfig.AllLinear || names.Any(n => n.EndsWith("." + t, StringComparison.Ordinal)));
        var adapted = new AdaptedModel(model, lora with { TargetModules = [.. targets] });
        adapted.Validate();
        return adapted;
    }

    /// <summary>Random weights of base and adapter, B included; only the adapter is trained.</summary>
    internal static ParameterStore Store(AdaptedModel model, DType dtype, bool training = true)
    {
        var layout = new ParameterLayout(model.DeclareParameters(), p => model.IsTrained(p.Name) ? ParameterSettings.Default(p) : null);
        var store = new ParameterStore(Device.Cpu, layout, dtype, training);
        store.Initialize(3);
        var random = new Random(4);
        foreach (var p in store.Parameters)
        {
            var size = p.Shape.Count == 1 ? 0.4 : p.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal) ? 0.5 : 0;
            store.Write(p.Name, [.. store.Read(p.Name).Select(v => v + (float)((random.NextDouble() - 0.5) * size))]);
        }

        return store;
    }

    /// <summary>The base's parameters with the adapter in them, in double precision.</summary>
    internal static Dictionary<string, double[]> Effective(
        AdaptedModel model, Dictionary<string, double[]> values, Dictionary<string, double[]> norms)
    {
        var effective = new Dictionary<string, double[]>(values);
        foreach (var layer in model.LinearLayers().Where(l => l.IsAdapted))
        {
            var sum = Sum(model, layer, values);
            if (model.Lora.UseDora)
            {
                for (var o = 0; o < layer.Outputs; o++)
                {
                    for (var i = 0; i < layer.Inputs; i++)
                        sum[At(layer, o, i)] *= values[layer.Name + ".lora_magnitude_vector"][o] / norms[layer.Name][o];
                }
            }

            effective[layer.Name + ".weight"] = sum;
        }

        return effective;
    }

    /// <summary>‖W + s B A‖ of each output of each adapted layer.</summary>
    internal static Dictionary<string, double[]> Norms(AdaptedModel model, Dictionary<string, double[]> values) =>
        model.LinearLayers().Where(l => l.IsAdapted).ToDictionary(l => l.Name, l =>
        {
            var sum = Sum(model, l, values);
            return Enumerable.Range(0, (int)l.Outputs)
                .Select(o => Math.Sqrt(Enumerable.Range(0, (int)l.Inputs).Sum(i => Math.Pow(sum[At(l, o, i)], 2)))).ToArray();
        });

    private static double[] Sum(AdaptedModel model, LoraLayer layer, Dictionary<string, double[]> values)
    {
        var (a, b) = (values[layer.Name + ".lora_A.weight"], values[layer.Name + ".lora_B.weight"]);
        var sum = values[layer.Name + ".weight"].ToArray();
        var (r, lora) = (model.Lora.Rank, model.Lora);
        var scaling = lora.Alpha / (lora.UseRslora ? Math.Sqrt(r) : r);
        for (var o = 0; o < layer.Outputs; o++)
        {
            for (var i = 0; i < layer.Inputs; i++)
                sum[At(layer, o, i)] += scaling * Enumerable.Range(0, r).Sum(k => b[(o * r) + k] * a[(k * layer.Inputs) + i]);
        }

        return sum;
    }

    private static long At(LoraLayer layer, long output, long input) =>
        layer.Name.StartsWith("transformer.", StringComparison.Ordinal) ? (input * layer.Outputs) + output : (output * layer.Inputs) + input;

    private static double[] Gradients(ParameterStore store) => [.. store.Parameters.Where(p => store.Layout.IsTrained(p.Name))
        .SelectMany(p => store.View(store.Gradients!, p.Name).ToArray()).Select(g => (double)g)];

    private static double RelativeError(double[] actual, double[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => e * e));
}
