using System.Text.Json.Nodes;
using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Adapters;

/// <summary>Adapters on encoder-decoders: against the reference in double precision, with caches, merged, and in PEFT's files.</summary>
public sealed class EncoderDecoderAdapterTests : FolderTests
{
    private static readonly int[] Source = [5, 9, 2, 17, 3], Tokens = [7, 4, 20];

    private static IEnumerable<AdaptedModel> Models() =>
        from model in EncoderDecoderGradientTests.Models from kind in LoraGradientTests.Kinds select LoraGradientTests.Adapt(model, kind);

    [TestCaseSource(nameof(Models))]
    public void GradientsAreThoseOfCentralDifferencesAndReachTheAdapterAlone(AdaptedModel model)
    {
        using var store = LoraGradientTests.Store(model, DType.F32);
        var values = ModelGradientTests.Values(store);
        var norms = LoraGradientTests.Norms(model, values);
        double Loss(Dictionary<string, double[]> at) => ReferenceEncoderDecoder
            .Of(model.EncoderDecoder!, LoraGradientTests.Effective(model, at, norms)).Loss(EncoderDecoderGradientTests.Pairs[..2]);
        var options = new TrainingStepOptions
        {
            Batch = EncoderDecoderGradientTests.Pairs.Length,
            Length = EncoderDecoderGradientTests.MostLength,
            SourceLength = EncoderDecoderGradientTests.MostSource,
            WeightDecay = 0.1,
        };
        using var step = new TrainingStep(model, store, options);
        StepResult Run(double learningRate)
        {
            step.Begin(EncoderDecoderGradientTests.Batch(), 0);
            step.Update(learningRate);
            return step.Finish();
        }

        Assert.That(Run(0).Loss, Is.EqualTo(Loss(values)).Within(1e-4).Percent);
        LoraGradientTests.AssertGradients(store, values, Loss, rounding: 1e-7);

        Run(1e-2);
        foreach (var (name, before) in values)
        {
            var now = store.Read(name).Select(v => (double)v);
            Assert.That(now, LoraLayers.IsAdapter(name) ? Is.Not.EqualTo(before) : Is.EqualTo(before), name);
        }
    }

    [TestCaseSource(nameof(Models))]
    public void MergedIsTheAdapterAndBothReadSourcesIntoCaches(AdaptedModel model)
    {
        using var store = LoraGradientTests.Store(model, DType.F32);
        Directory.CreateDirectory(In("base"));
        File.WriteAllText(In("base/config.json"), ModelFiles.ConfigText(model.Base));
        using (var file = File.Create(In("base/model.safetensors")))
            CheckpointFile.Safetensors("model.safetensors", [.. ModelFiles.Weights(store, AdaptedModel.IsOfBase)]).WriteTo(file);
        AdapterFiles.Save(In("adapter"), model, store, In("base"));
        var adapted = Logits(model, store);
        var reference = ReferenceEncoderDecoder.Of(model.EncoderDecoder!, LoraGradientTests.Effective(
            model, ModelGradientTests.Values(store), LoraGradientTests.Norms(model, ModelGradientTests.Values(store))));
        Assert.That(Error(adapted, [.. reference.Logits(Source, Tokens)[^1].Select(v => (float)v)]), Is.LessThan(1e-5));
        Assert.That(Error(adapted, Logits(model.Base, store)), Is.GreaterThan(0.01), "the adapter changes something");

        // The same weights from files are the same bits.
        using (var again = new ParameterStore(Device.Cpu, model.DeclareParameters(), DType.F32, training: false))
        using (var tensors = ModelTensors.Open(In("base")))
        {
            ModelFiles.Load(tensors, again);
            var loaded = AdapterFiles.LoadModel(In("adapter"), tensors.Model);
            AdapterFiles.LoadWeights(In("adapter"), loaded, again);
            Assert.That(Logits(loaded, again), Is.EqualTo(adapted));
        }

        AdapterMerge.Merge(In("base"), In("adapter"), In("merged"));
        var (merged, parameters) = ModelFiles.LoadModel(In("merged"), Device.Cpu, DType.F32, training: false);
        using (parameters)
            Assert.That(Error(Logits(merged, parameters), adapted), Is.LessThan(1e-5));
    }

    [TestCase(0, "q_proj k_proj v_proj out_proj fc1 fc2")]
    [TestCase(1, "q_proj k_proj v_proj out_proj fc1 fc2")]
    [TestCase(2, "q k v o wi wo")]
    [TestCase(3, "q k v o wi_0 wi_1 wo")]
    public void NamesAreThoseOfPeft(int index, string targets)
    {
        var model = LoraGradientTests.Adapt(EncoderDecoderGradientTests.Models[index], new LoraConfig { Rank = 2 });
        using var store = LoraGradientTests.Store(model, DType.F32, training: false);
        AdapterFiles.Save(In("adapter"), model, store, null);
        var both = model.EncoderDecoder!;
        var (attention, inner) = (targets.Split(' ')[..4], targets.Split(' ')[4..]);
        IEnumerable<string> Of(string place, IEnumerable<string> names) => names.Select(name => $"{place}.{name}");
        var modules = index < 2
            ? Enumerable.Range(0, both.EncoderBlocks).SelectMany(i => Of($"model.encoder.layers.{i}.self_attn", attention)
                    .Concat(Of($"model.encoder.layers.{i}", inner)))
                .Concat(Enumerable.Range(0, both.Layers).SelectMany(i => Of($"model.decoder.layers.{i}.self_attn", attention)
                    .Concat(Of($"model.decoder.layers.{i}.encoder_attn", attention)).Concat(Of($"model.decoder.layers.{i}", inner))))
            : Enumerable.Range(0, both.EncoderBlocks).SelectMany(i => Of($"encoder.block.{i}.layer.0.SelfAttention", attention)
                    .Concat(Of($"encoder.block.{i}.layer.1.DenseReluDense", inner)))
                .Concat(Enumerable.Range(0, both.Layers).SelectMany(i => Of($"decoder.block.{i}.layer.0.SelfAttention", attention)
                    .Concat(Of($"decoder.block.{i}.layer.1.EncDecAttention", attention))
                    .Concat(Of($"decoder.block.{i}.layer.2.DenseReluDense", inner))));

        using var file = SafetensorsFile.Open(In("adapter/adapter_model.safetensors"));
        Assert.That(file.Tensors.Select(t => t.Name), Is.EquivalentTo(
            modules.SelectMany(module => new[] { "A", "B" }.Select(part => $"base_model.model.{module}.lora_{part}.weight"))));
        Assert.That(file.Tensors.Where(t => t.Name.Contains("lora_A")).Select(t => t.Shape[0]), Has.All.EqualTo(2));
        Assert.That(file.Tensors.Where(t => t.Name.Contains("lora_B")).Select(t => t.Shape[1]), Has.All.EqualTo(2));
        var config = JsonNode.Parse(File.ReadAllText(In("adapter/adapter_config.json")))!;
        Assert.That(config["task_type"]!.ToString(), Is.EqualTo("SEQ_2_SEQ_LM"));
        Assert.That(config["target_modules"]!.AsArray().Select(t => t!.ToString()), Is.EquivalentTo(targets.Split(' ')));
        Assert.That(config["fan_in_fan_out"]!.GetValue<bool>(), Is.False);
        Assert.That(File.Exists(In("adapter/config.json")), Is.False);
    }

    [Test]
    public void TargetsThatOnlyAPartHasAreWrittenSoThatTheyMeanThatPart()
    {
        var lora = new LoraConfig { TargetModules = ["EncDecAttention.q"] };
        var model = LoraGradientTests.Adapt(EncoderDecoderGradientTests.Models[2], lora);
        Assert.That(JsonNode.Parse(AdapterFiles.ConfigText(model, null))!["target_modules"]!.AsArray().Single()!.ToString(),
            Is.EqualTo("EncDecAttention.q"));
    }

    [TestCase(0, "shared", "one weight (tied)")]
    [TestCase(1, "encoder.embed_tokens", "one weight (tied)")]
    [TestCase(3, "shared", "one weight (tied)")]
    public void TheTableThatBothPartsReadIsNotSaved(int index, string module, string reason)
    {
        var model = new AdaptedModel(EncoderDecoderGradientTests.Models[index], new LoraConfig { ModulesToSave = [module] });
        Assert.That(model.Validate, Throws.ArgumentException.With.Message.Contains(reason));
    }

    private static float[] Logits(ModelConfig model, ParameterStore store)
    {
        using var decoder = new Decoder(model, store);
        return decoder.Logits(Tokens, Source);
    }

    private static double Error(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
}
