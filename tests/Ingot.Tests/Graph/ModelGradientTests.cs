using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Passes;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Graphs;

/// <summary>Whole models against <see cref="ReferenceModel"/>: the loss, and every parameter's gradient by central differences.</summary>
public sealed class ModelGradientTests
{
    private const int Batch = 2, Length = 7;

    internal static readonly ModelConfig[] Models =
    [
        new Gpt2Config { VocabSize = 37, Positions = 9, Embedding = 24, LayerCount = 2, Heads = 3, InitializerRange = 0.3 },
        new LlamaConfig
        {
            VocabSize = 41, HiddenSize = 24, IntermediateSize = 40, LayerCount = 2, Heads = 6, KeyValueHeads = 2, HeadDim = 8,
            InitializerRange = 0.3,
        },
        new LlamaConfig
        {
            Flavor = LlamaFlavor.Qwen2, VocabSize = 29, HiddenSize = 16, IntermediateSize = 24, LayerCount = 2, Heads = 2, KeyValueHeads = 1,
            TieWordEmbeddings = true, InitializerRange = 0.3,
        },
        new LlamaConfig
        {
            Flavor = LlamaFlavor.Qwen3, VocabSize = 29, HiddenSize = 16, IntermediateSize = 24, LayerCount = 2, Heads = 4, KeyValueHeads = 2,
            HeadDim = 6, InitializerRange = 0.3,
        },
    ];

    internal static readonly ModelConfig[] Encoders =
    [
        Bert(ModelTask.MaskedLm),
        Bert(ModelTask.MaskedLm) with { Flavor = BertFlavor.Roberta, PadTokenId = 1, TypeVocabSize = 1, TieWordEmbeddings = false },
        Bert(ModelTask.SequenceClassification),
        Bert(ModelTask.SequenceClassification) with { Flavor = BertFlavor.Roberta, PadTokenId = 1, HiddenAct = "gelu_new" },
        Bert(ModelTask.TokenClassification),
    ];

    private static IEnumerable<ModelConfig> All => [.. Models, .. Encoders];

    [TestCaseSource(nameof(All))]
    public void GradientsAreThoseOfCentralDifferences(ModelConfig model)
    {
        var (tokens, targets) = Data(model, seed: 1);
        targets[3] = -100;
        using var store = Store(model, DType.F32);
        var values = Values(store);
        var reference = new ReferenceModel(model, values, Batch, Length);
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = Batch, Length = Length });

        var result = step.Run(tokens, targets, 0, learningRate: 0);

        Assert.That(result.Loss, Is.EqualTo(reference.Loss(tokens, targets, out _)).Within(1e-4).Percent);
        var random = new Random(5);
        foreach (var p in store.Parameters)
        {
            var gradient = store.View(store.Gradients!, p.Name).ToArray();
            // Along a random direction, so that every element of the parameter counts.
            var direction = gradient.Select(_ => (random.NextDouble() * 2) - 1).ToArray();
            var analytic = gradient.Zip(direction, (g, d) => g * d).Sum();
            double Along(double h)
            {
                var moved = new Dictionary<string, double[]>(values) { [p.Name] = [.. values[p.Name].Zip(direction, (v, d) => v + (h * d))] };
                return new ReferenceModel(model, moved, Batch, Length).Loss(tokens, targets, out _);
            }

            const double H = 1e-5;
            var numeric = (Along(H) - Along(-H)) / (2 * H);
            // That of a bias of keys is zero, for it adds the same to all scores of a query: rounding goes by what cancels.
            if (p.Name.EndsWith(".key.bias", StringComparison.Ordinal))
                gradient = store.View(store.Gradients!, p.Name.Replace(".key.", ".query.", StringComparison.Ordinal)).ToArray();
            var size = Math.Sqrt(gradient.Sum(g => (double)g * g) * direction.Length / 3);
            // fp32's rounding relative to the size of such a product, plus that of the differences themselves.
            Assert.That(analytic, Is.EqualTo(numeric).Within((1e-5 * size) + 1e-9), p.Name);
        }
    }

    [TestCaseSource(nameof(All))]
    public void Bf16GradientsAreCloseToFp32(ModelConfig model)
    {
        var (tokens, targets) = Data(model, seed: 1);
        var gradients = new List<float[]>();
        foreach (var dtype in new[] { DType.F32, DType.Bf16 })
        {
            using var store = Store(model, dtype);
            using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = Batch, Length = Length, ComputeType = dtype });
            step.Run(tokens, targets, 0, learningRate: 0);
            gradients.Add(GradientsOf(store));
        }

        // bf16 has 8 bits: 0.4 % for each rounding, some dozens of them in a row.
        Assert.That(RelativeError(gradients[1], gradients[0]), Is.GreaterThan(0).And.LessThan(0.05));
    }

    [TestCaseSource(nameof(All))]
    public void FusedIsUnfused(ModelConfig model) =>
        Assert.That(RelativeError(Gradients(model, new() { Fuse = false }), Gradients(model, new())), Is.LessThan(1e-5));

    [TestCaseSource(nameof(All))]
    public void RecomputingChangesNoBit(ModelConfig model)
    {
        var kept = Gradients(model, new());
        Assert.That(Gradients(model, new() { Recompute = RecomputePolicy.Cheap }), Is.EqualTo(kept));
        Assert.That(Gradients(model, new() { Recompute = RecomputePolicy.Block }), Is.EqualTo(kept));
    }

    [TestCaseSource(nameof(All))]
    public void SharingMemoryChangesNoBit(ModelConfig model) =>
        Assert.That(Gradients(model, new() { ShareMemory = false }), Is.EqualTo(Gradients(model, new())));

    [TestCaseSource(nameof(All))]
    public void MicroBatchesAddUpToTheBatch(ModelConfig model)
    {
        var whole = Gradients(model, new());
        var (tokens, targets) = Data(model, seed: 1);
        using var store = Store(model, DType.F32);
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = 1, Length = Length });
        // Twice: the second time must not add to the first one's gradients.
        step.Run(tokens, targets, 0, learningRate: 0);
        step.Run(tokens, targets, 0, learningRate: 0);
        Assert.That(RelativeError(GradientsOf(store), whole), Is.LessThan(1e-5));
    }

    [Test]
    public void RecomputingTakesLessMemory()
    {
        var model = (Gpt2Config)Models[0] with { LayerCount = 8 };
        long Arena(RecomputePolicy policy) => CompiledGraph.Prepare(
            TrainingStep.Write(model, new TrainingStepOptions { Batch = Batch, Length = Length }),
            new CompileOptions { Train = true, Recompute = policy }).ArenaBytes;
        Assert.That(Arena(RecomputePolicy.Cheap), Is.LessThan(Arena(RecomputePolicy.None)));
        Assert.That(Arena(RecomputePolicy.Block), Is.LessThan(Arena(RecomputePolicy.Cheap) / 2));
    }

    internal static BertConfig Bert(ModelTask task) => new()
    {
        Head = task,
        VocabSize = 31,
        HiddenSize = 24,
        IntermediateSize = 40,
        LayerCount = 2,
        Heads = 3,
        PositionRows = 12,
        InitializerRange = 0.3,
        Labels = task.IsClassification() ? ["A", "B", "C"] : [],
    };

    internal static ParameterStore Store(ModelConfig model, DType dtype, bool training = true)
    {
        var store = new ParameterStore(Device.Cpu, model.DeclareParameters(), dtype, training);
        store.Initialize(3);
        // Biases and norms start at 0 and 1, where their gradients' errors might hide: move them.
        var random = new Random(4);
        foreach (var p in store.Parameters.Where(p => p.Shape.Count == 1))
        {
            var view = store.View(store.Master, p.Name);
            for (var i = 0; i < view.Length; i++)
                view[i] += (float)((random.NextDouble() - 0.5) * 0.4);
        }

        store.RefreshCompute();
        return store;
    }

    internal static Dictionary<string, double[]> Values(ParameterStore store) =>
        store.Parameters.ToDictionary(p => p.Name, p => store.View(store.Master, p.Name).ToArray().Select(v => (double)v).ToArray());

    internal static (int[] Tokens, int[] Targets) Data(ModelConfig model, int seed)
    {
        var random = new Random(seed);
        int[] Draw(int count) => [.. Enumerable.Range(0, Batch * Length).Select(_ => random.Next(count))];
        var (tokens, targets) = (Draw(model.VocabularySize), Draw(model.Task.IsClassification() ? model.Labels.Count : model.VocabularySize));
        for (var i = 0; i < targets.Length; i++)
        {
            if (model.Task == ModelTask.SequenceClassification && i % Length > 0)
                targets[i] = -100;
        }

        return (tokens, targets);
    }

    private sealed record Change
    {
        public bool Fuse { get; init; } = true;

        public bool ShareMemory { get; init; } = true;

        public RecomputePolicy Recompute { get; init; }
    }

    private static float[] Gradients(ModelConfig model, Change change)
    {
        var (tokens, targets) = Data(model, seed: 1);
        using var store = Store(model, DType.F32);
        using var step = new TrainingStep(model, store, new TrainingStepOptions
        {
            Batch = Batch,
            Length = Length,
            Fuse = change.Fuse,
            ShareMemory = change.ShareMemory,
            Recompute = change.Recompute,
        });
        step.Run(tokens, targets, 0, learningRate: 0);
        var gradients = GradientsOf(store);
        Assert.That(gradients.Any(g => g != 0));
        return gradients;
    }

    private static float[] GradientsOf(ParameterStore store) =>
        [.. store.Parameters.SelectMany(p => store.View(store.Gradients!, p.Name).ToArray())];

    private static double RelativeError(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
}
