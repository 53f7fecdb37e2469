using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.Llama;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Adapters;

public sealed class AdaptedModelTests
{
    private static IEnumerable<AdaptedModel> Models() =>
        from model in ModelGradientTests.Models from kind in LoraGradientTests.Kinds select LoraGradientTests.Adapt(model, kind);

    // DoRA divides by a norm and multiplies by it again, which rounds.
    private static IEnumerable<AdaptedModel> WithoutDora() => Models().Where(m => !m.Lora.UseDora);

    [TestCaseSource(nameof(WithoutDora))]
    public void WithBZeroItIsTheBaseBitForBit(AdaptedModel model)
    {
        using var store = WithBZero(model, DType.F32);
        Assert.That(Logits(model, store), Is.EqualTo(Logits(model.Base, store)));
    }

    // The base's activation may be a part of its matmul, which then does not round to bf16 between the two.
    [TestCaseSource(nameof(WithoutDora))]
    public void WithBZeroItIsTheBaseInBf16(AdaptedModel model)
    {
        using var store = WithBZero(model, DType.Bf16);
        Assert.That(Error(Logits(model, store), Logits(model.Base, store)), Is.LessThan(1e-2));
    }

    [Test]
    public void DoraStartsAsTheBase([Values(0, 1, 2, 3)] int index)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[index], LoraGradientTests.Kinds[2]);
        using var store = LoraGradientTests.Store(model, DType.F32);
        foreach (var p in store.Parameters.Where(p => p.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal)))
            store.Write(p.Name, new float[p.Elements]);
        Assert.That(Error(Logits(model, store), Logits(model.Base, store)), Is.GreaterThan(0.01), "with any other lengths it does not");
        model.InitializeMagnitudes(store);
        Assert.That(Error(Logits(model, store), Logits(model.Base, store)), Is.LessThan(1e-5));
    }

    [TestCaseSource(nameof(Models))]
    public void MergedIsTheAdapter(AdaptedModel model)
    {
        using var store = LoraGradientTests.Store(model, DType.F32);
        var adapted = Logits(model, store);
        var before = Logits(model.Base, store);
        foreach (var layer in model.LinearLayers().Where(l => l.IsAdapted))
        {
            var weight = store.Read(layer.Name + ".weight");
            LoraWeights.Read(store, model.Lora, layer).Merge(weight);
            store.Write(layer.Name + ".weight", weight);
        }

        Assert.That(Error(adapted, before), Is.GreaterThan(0.01), "the adapter changes something");
        Assert.That(Error(Logits(model.Base, store), adapted), Is.LessThan(1e-5));
    }

    [Test]
    public void UnmergedIsTheBaseToRounding([Values(0, 1)] int index)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[index], LoraGradientTests.Kinds[0]);
        using var store = LoraGradientTests.Store(model, DType.F32);
        foreach (var layer in model.LinearLayers())
        {
            var weight = store.Read(layer.Name + ".weight");
            var merged = weight.ToArray();
            var lora = LoraWeights.Read(store, model.Lora, layer);
            lora.Merge(merged);
            Assert.That(merged, Is.Not.EqualTo(weight));
            var largest = merged.Concat(weight).Max(Math.Abs);
            lora.Unmerge(merged);
            // Two roundings to 24 bits, of numbers no larger than that.
            Assert.That(merged, Is.EqualTo(weight).Within(largest * Math.Pow(2, -23)));
        }

        var dora = LoraGradientTests.Adapt(ModelGradientTests.Models[index], LoraGradientTests.Kinds[2]);
        using var other = LoraGradientTests.Store(dora, DType.F32);
        var first = dora.LinearLayers()[0];
        Assert.That(() => LoraWeights.Read(other, dora.Lora, first).Unmerge(other.Read(first.Name + ".weight")),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("lengths"));
    }

    [TestCaseSource(nameof(Models))]
    public void TrainingChangesTheAdapterAndNotABitOfTheBase(AdaptedModel model)
    {
        foreach (var dtype in new[] { DType.F32, DType.Bf16 })
        {
            using var store = LoraGradientTests.Store(model, dtype);
            var before = store.Parameters.ToDictionary(p => p.Name, p => store.Read(p.Name));
            var options = new TrainingStepOptions { Batch = 2, Length = 7, ComputeType = dtype, WeightDecay = 0.1 };
            using var step = new TrainingStep(model, store, options);
            var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
            var first = step.Run(tokens, targets, 0, 1e-2).Loss;
            var last = 0.0;
            for (var i = 1; i < 20; i++)
                last = step.Run(tokens, targets, i, 1e-2).Loss;
            Assert.That(last, Is.LessThan(first - 0.3), "it learns");
            foreach (var p in store.Parameters)
            {
                Assert.That(store.Read(p.Name), model.IsTrained(p.Name) ? Is.Not.EqualTo(before[p.Name]) : Is.EqualTo(before[p.Name]),
                    p.Name);
            }
        }
    }

    [Test]
    public void FrozenParametersCostTwoOrFourBytes()
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[0], LoraGradientTests.Kinds[0]);
        var layout = new ParameterLayout(model.DeclareParameters(), p => model.IsTrained(p.Name) ? ParameterSettings.Default(p) : null);
        var frozen = layout.Elements - layout.TrainedElements;
        Assert.That(frozen, Is.GreaterThan(model.Base.DeclareParameters().Sum(p => p.Elements)));
        foreach (var (dtype, bytes) in new[] { (DType.F32, 4), (DType.Bf16, 2) })
        {
            using var store = new ParameterStore(Device.Cpu, layout, dtype, training: true);
            var all = new[] { store.Master, store.Compute, store.Gradients, store.FirstMoments, store.SecondMoments }
                .Sum(b => b?.Bytes ?? 0);
            Assert.That(all, Is.EqualTo((frozen * bytes) + (layout.TrainedElements * (dtype == DType.Bf16 ? 18 : 16))), $"{dtype}");
            Assert.That(layout.ParameterBytes(dtype), Is.EqualTo((store.Compute?.Bytes ?? 0) + store.Master.Bytes));
        }
    }

    [Test]
    public void AllLinearIsEveryLinearLayerOfTheBlocks()
    {
        var names = LoraGradientTests.Adapt(ModelGradientTests.Models[0], new LoraConfig()).LinearLayers().Select(l => l.Name);
        Assert.That(names, Is.EqualTo((string[])
        [
            "transformer.h.0.attn.c_attn", "transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_fc", "transformer.h.0.mlp.c_proj",
            "transformer.h.1.attn.c_attn", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_fc", "transformer.h.1.mlp.c_proj",
        ]));
        Assert.That(new LoraConfig { TargetModules = ["attn.c_proj"] }.IsTarget("transformer.h.1.mlp.c_proj"), Is.False);
        Assert.That(new LoraConfig { TargetModules = ["_proj"] }.IsTarget("model.layers.0.self_attn.q_proj"), Is.False);
    }

    [TestCase(0, "c_atn", "the model has no linear layer 'c_atn': did you mean c_attn?")]
    [TestCase(0, "wte", "tied")]
    [TestCase(0, "lm_head", "tied")]
    [TestCase(1, "lm_head", "modules_to_save")]
    [TestCase(1, "embed_tokens", "no linear layer")]
    public void WhatCannotBeAdaptedIsSaid(int index, string target, string reason)
    {
        var model = new AdaptedModel(ModelGradientTests.Models[index], new LoraConfig { TargetModules = [target] });
        Assert.That(model.Validate, Throws.ArgumentException.With.Message.Contains(reason));
    }

    [TestCase(0, "wte", "tied")]
    [TestCase(0, "ln_g", "did you mean ln_")]
    public void WhatCannotBeSavedIsSaid(int index, string module, string reason)
    {
        var model = new AdaptedModel(ModelGradientTests.Models[index], new LoraConfig { ModulesToSave = [module] });
        Assert.That(model.Validate, Throws.ArgumentException.With.Message.Contains(reason));
    }

    [Test]
    public void WhatIsTrainedWholeIsNotAdaptedBesides()
    {
        var lora = new LoraConfig { ModulesToSave = ["q_proj"] };
        var model = new AdaptedModel(ModelGradientTests.Models[1], lora);
        model.Validate();
        var adapted = model.LinearLayers().Where(l => l.IsAdapted).Select(l => l.Name).ToList();
        Assert.That(adapted, Has.None.EndsWith("q_proj").And.Some.EndsWith("k_proj"));
        Assert.That(new AdaptedModel(ModelGradientTests.Models[1], lora with { TargetModules = ["q_proj"] }).Validate,
            Throws.ArgumentException.With.Message.Contains("both"));
    }

    [Test]
    public void ModulesToSaveAreTrainedWhole()
    {
        var lora = new LoraConfig { TargetModules = ["q_proj"], ModulesToSave = ["lm_head", "norm"] };
        var model = new AdaptedModel(ModelGradientTests.Models[1], lora);
        model.Validate();
        Assert.That(model.DeclareParameters().Where(p => model.IsTrained(p.Name)).Select(p => p.Name), Is.EquivalentTo((string[])
        [
            "model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.0.self_attn.q_proj.lora_B.weight",
            "model.layers.1.self_attn.q_proj.lora_A.weight", "model.layers.1.self_attn.q_proj.lora_B.weight",
            "model.norm.weight", "lm_head.weight",
        ]));
    }

    [Test]
    public void TheStartIsThatOfPyTorchsLinear()
    {
        var model = LoraGradientTests.Adapt(new LlamaConfig
        {
            VocabSize = 64,
            HiddenSize = 256,
            IntermediateSize = 512,
            LayerCount = 1,
            Heads = 4,
        }, new LoraConfig { Rank = 64 });
        using var store = new ParameterStore(Device.Cpu, model.DeclareParameters(), DType.F32, training: false);
        store.Initialize(7);
        var a = store.Read("model.layers.0.mlp.gate_proj.lora_A.weight");
        // kaiming_uniform(√5): within ±1/√inputs, all equally likely.
        Assert.That(a.Max(Math.Abs), Is.InRange(0.99 / 16, 1.0 / 16));
        Assert.That(a.Average(v => (double)v * v), Is.EqualTo(1.0 / 256 / 3).Within(3).Percent);
        Assert.That(a.Average(v => (double)v), Is.EqualTo(0).Within(0.001));
        Assert.That(store.Read("model.layers.0.mlp.gate_proj.lora_B.weight").All(v => v == 0));
    }

    private static float[] Logits(ModelConfig model, ParameterStore store)
    {
        using var decoder = new Decoder(model, store);
        return decoder.Logits([3, 1, 4, 1, 5]);
    }

    private static ParameterStore WithBZero(AdaptedModel model, DType dtype)
    {
        var store = LoraGradientTests.Store(model, dtype);
        foreach (var p in store.Parameters.Where(p => p.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal)))
            store.Write(p.Name, new float[p.Elements]);
        return store;
    }

    private static double Error(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
}
