using System.Text.Json.Nodes;
using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Encoders;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Tests.Encoders;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Adapters;

/// <summary>Adapters on encoders: PEFT's files, the head that they bring, and merging.</summary>
public sealed class EncoderAdapterTests : FolderTests
{
    private const string Sentence = "the dog hears the moon";

    [Test]
    public void NamesAndShapesOfAClassifierAreThoseOfPeft()
    {
        var lora = new LoraConfig { Rank = 3, TargetModules = ["query", "value"] };
        Save(LoraGradientTests.Adapt(ModelGradientTests.Bert(ModelTask.SequenceClassification), lora));
        using var file = SafetensorsFile.Open(In("adapter/adapter_model.safetensors"));
        Assert.That(file.Tensors.ToDictionary(t => t.Name, t => string.Join(",", t.Shape)), Is.EquivalentTo((
            from i in Enumerable.Range(0, 2)
            from module in new[] { "query", "value" }
            from part in new[] { (Name: "lora_A", Shape: "3,24"), (Name: "lora_B", Shape: "24,3") }
            select (Name: $"bert.encoder.layer.{i}.attention.self.{module}.{part.Name}.weight", part.Shape))
            .Append(("classifier.weight", "3,24")).Append(("classifier.bias", "3"))
            .ToDictionary(t => "base_model.model." + t.Item1, t => t.Item2)));

        var config = JsonNode.Parse(File.ReadAllText(In("adapter/adapter_config.json")))!;
        Assert.That(config["task_type"]!.ToString(), Is.EqualTo("SEQ_CLS"));
        Assert.That(config["modules_to_save"]!.ToJsonString(), Is.EqualTo("[\"classifier\"]"));
        Assert.That(config["target_modules"]!.ToJsonString(), Is.EqualTo("[\"query\",\"value\"]"));
        Assert.That(ModelFiles.LoadConfig(In("adapter")).Labels, Is.EqualTo(["A", "B", "C"]));
    }

    [Test]
    public void TheWholeHeadOfARobertaIsSaved()
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Encoders[3], new LoraConfig());
        Save(model);
        using var file = SafetensorsFile.Open(In("adapter/adapter_model.safetensors"));
        Assert.That(file.Tensors.Select(t => t.Name).Where(name => name.Contains("classifier")), Is.EquivalentTo(
            new[] { "dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias" }
                .Select(name => "base_model.model.classifier." + name)));
        // "dense" would mean the head's, too.
        Assert.That(JsonNode.Parse(AdapterFiles.ConfigText(model, null))!["target_modules"]!.AsArray().Select(t => t!.ToString()),
            Is.EqualTo(["query", "key", "value", "output.dense", "intermediate.dense"]));
    }

    [TestCase(0, null, "cls.predictions.transform.dense")]
    [TestCase(1, null, "lm_head.dense")]
    [TestCase(2, "SEQ_CLS", "bert.pooler.dense")]
    [TestCase(4, "TOKEN_CLS", "bert.encoder.layer.1.output.dense")]
    public void AllLinearIsAllButTheHeadsLastLayer(int index, string? type, string last)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Encoders[index], new LoraConfig());
        Assert.That(model.LinearLayers().Where(l => l.IsAdapted).Select(l => l.Name).Last(), Is.EqualTo(last));
        Assert.That(JsonNode.Parse(AdapterFiles.ConfigText(model, null))!["task_type"]?.ToString(), Is.EqualTo(type));
    }

    [Test]
    public void TrainingChangesTheAdapterAndTheClassifierAlone([Values(0, 1, 2, 3, 4)] int index, [Values(0, 1, 2)] int kind)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Encoders[index], LoraGradientTests.Kinds[kind]);
        using var store = LoraGradientTests.Store(model, DType.F32);
        var before = store.Parameters.ToDictionary(p => p.Name, p => store.Read(p.Name));
        using var step = new TrainingStep(model, store, new TrainingStepOptions { Batch = 2, Length = 7, WeightDecay = 0.1 });
        var (tokens, targets) = ModelGradientTests.Data(model, seed: 1);
        step.Run(tokens, targets, 0, 1e-2);
        step.Run(tokens, targets, 1, 1e-2);
        foreach (var p in store.Parameters)
        {
            Assert.That(store.Read(p.Name), LoraLayers.IsAdapter(p.Name) || p.Name.StartsWith("classifier.", StringComparison.Ordinal)
                ? Is.Not.EqualTo(before[p.Name]) : Is.EqualTo(before[p.Name]), p.Name);
        }
    }

    [Test]
    public void ClassifiersOnABaseWithoutOneAreTheSameAdaptedLoadedAndMerged([Values] BertFlavor flavor, [Values(0, 1, 2)] int kind)
    {
        var body = EncoderFolder.Model(flavor, ModelTask.MaskedLm);
        EncoderFolder.Write(In("base"), body);
        // The base has no pooler either.
        var lora = LoraGradientTests.Kinds[kind] with { ModulesToSave = flavor == BertFlavor.Bert ? ["pooler"] : [] };
        var model = LoraGradientTests.Adapt(body.ForTask(ModelTask.SequenceClassification, ["x", "y", "z"]), lora);
        using var store = LoraGradientTests.Store(model, DType.F32);
        using (var tensors = ModelTensors.Open(In("base"), _ => model.Base))
            ModelFiles.Load(tensors, store);
        AdapterFiles.Save(In("adapter"), model, store, In("base"));
        var ids = EncoderFolder.Tokenizer(flavor).Tokenize(Sentence).Ids;
        var adapted = Logits(model, store, ids);
        Assert.That(Error(Logits(model.Base, store, ids), adapted), Is.GreaterThan(0.01), "the adapter changes something");

        using (var again = new ParameterStore(Device.Cpu, model.DeclareParameters(), DType.F32, training: false))
        {
            var (tensors, loaded) = AdapterFiles.Open(In("base"), In("adapter"));
            using (tensors)
                ModelFiles.Load(tensors, again);
            AdapterFiles.LoadWeights(In("adapter"), loaded, again);
            Assert.That(Logits(loaded, again, ids), Is.EqualTo(adapted), "the same bits");
        }

        AdapterMerge.Merge(In("base"), In("adapter"), In("merged"));
        var exp = adapted.Select(v => Math.Exp(v)).ToArray();
        var expected = exp.Select((e, id) => ("xyz"[id].ToString(), e / exp.Sum())).OrderByDescending(label => label.Item2).ToList();
        foreach (var (folder, adapter) in new[] { ("base", In("adapter")), ("adapter", null), ("merged", null) })
        {
            using var classifier = TextClassifier.Load(In(folder), Device.Cpu, adapter: adapter);
            var found = classifier.Classify(Sentence);
            Assert.That(found.Select(label => label.Label), Is.EqualTo(expected.Select(label => label.Item1)), folder);
            foreach (var (label, (_, probability)) in found.Zip(expected))
                Assert.That(label.Score, Is.EqualTo(probability).Within(1e-5), folder);
        }

        using var merged = ModelTensors.Open(In("merged"));
        Assert.That(merged.HasNewHead, Is.False);
        Assert.That(merged.Model.Labels, Is.EqualTo(["x", "y", "z"]));
        Assert.That(() => AdapterMerge.Unmerge(In("merged"), In("adapter"), In("again")), Throws.TypeOf<NotSupportedException>());
    }

    [Test]
    public void AnAdapterOfPeftsOwnHasTheLabelsOfTheBaseOrNumberedOnes()
    {
        var model = EncoderFolder.Model(BertFlavor.Bert, ModelTask.TokenClassification);
        EncoderFolder.Write(In("base"), model);
        Save(LoraGradientTests.Adapt(model, new LoraConfig { TargetModules = ["query"] }));
        File.Delete(In("adapter/config.json"));
        // PEFT names all that a classifier may be called.
        Change("modules_to_save", new JsonArray("classifier", "score"));

        Assert.That(AdapterFiles.WithHead(In("adapter"), model).Labels, Is.EqualTo(["A", "B", "C"]));
        var other = AdapterFiles.WithHead(In("adapter"), model.ForTask(ModelTask.TokenClassification, ["one", "two"]));
        Assert.That(other.Labels, Is.EqualTo(["LABEL_0", "LABEL_1", "LABEL_2"]));
        Assert.That(AdapterFiles.WithHead(In("adapter"), model.ForTask(ModelTask.MaskedLm, [])).Task,
            Is.EqualTo(ModelTask.TokenClassification));
        Assert.That(AdapterFiles.LoadModel(In("adapter"), model).Lora.ModulesToSave, Is.EqualTo(["classifier"]));
        using var classifier = TextClassifier.Load(In("base"), Device.Cpu, adapter: In("adapter"));
        Assert.That(classifier.ClassifyWords(["the moon"])[0], Has.Count.EqualTo(2));
    }

    [Test]
    public void WhatABaseAndItsAdapterBothLackIsNamed()
    {
        var body = EncoderFolder.Model(BertFlavor.Bert, ModelTask.MaskedLm);
        EncoderFolder.Write(In("base"), body);
        var lora = new LoraConfig { TargetModules = ["query"] };
        Save(LoraGradientTests.Adapt(body.ForTask(ModelTask.SequenceClassification, ["x", "y"]), lora));
        Assert.That(() => AdapterMerge.Merge(In("base"), In("adapter"), In("merged")),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("bert.pooler.dense").And.Message.Contains("random"));
        Assert.That(Directory.Exists(In("merged")), Is.False);

        Assert.That(() => AdapterFiles.WithHead(In("adapter"), ModelGradientTests.Models[1]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("SEQ_CLS").And.Message.Contains("llama"));
        Assert.That(() => SentenceEncoder.Load(In("adapter"), Device.Cpu),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("no-base"));
    }

    [Test]
    public void VectorsTakeAMergedModel()
    {
        var model = EncoderFolder.Model(BertFlavor.Bert, ModelTask.MaskedLm);
        EncoderFolder.Write(In("base"), model);
        Save(LoraGradientTests.Adapt(model, new LoraConfig()), In("base"));
        Assert.That(() => SentenceEncoder.Load(In("adapter"), Device.Cpu),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("ingot adapter merge"));
        Assert.That(() => ModelTensors.Open(In("adapter")),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("ingot adapter merge"), "what export opens");
        AdapterMerge.Merge(In("base"), In("adapter"), In("merged"));
        using var encoder = SentenceEncoder.Load(In("merged"), Device.Cpu);
        Assert.That(encoder.Encode([Sentence])[0], Has.Length.EqualTo(model.Width));
    }

    [Test]
    public void APlanCountsTheAdapterAndTheClassifier()
    {
        var model = EncoderFolder.Model(BertFlavor.Bert, ModelTask.MaskedLm);
        EncoderFolder.Write(In("base"), model);
        var plan = TrainingPlan.Make(new TrainingOptions
        {
            Model = In("base"),
            Task = ModelTask.SequenceClassification,
            LoraRank = 4,
            LoraTargets = ["query"],
            SequenceLength = 16,
            Device = "cpu",
        });
        // A [4, width] and B [width, 4] in each layer; two labels, as long as the data does not say how many.
        Assert.That(plan.TrainedParameters, Is.EqualTo((model.Layers * 2 * 4 * model.Width) + (2 * model.Width) + 2));
        Assert.That(plan.OptimizerBytes, Is.GreaterThanOrEqualTo(8 * plan.TrainedParameters).And.LessThan(plan.ParameterBytes));
    }

    [TestCase(0, "decoder", "one weight (tied)")]
    [TestCase(1, "decoder", "modules_to_save")]
    [TestCase(2, "classifier", "modules_to_save")]
    [TestCase(2, "quary", "did you mean query?")]
    public void WhatCannotBeAdaptedIsSaid(int index, string target, string reason)
    {
        var model = new AdaptedModel(ModelGradientTests.Encoders[index], new LoraConfig { TargetModules = [target] });
        Assert.That(model.Validate, Throws.ArgumentException.With.Message.Contains(reason));
    }

    [TestCase(0, "cls")]
    [TestCase(0, "embeddings")]
    public void ATiedHeadIsNotSaved(int index, string module)
    {
        var model = new AdaptedModel(ModelGradientTests.Encoders[index], new LoraConfig { ModulesToSave = [module] });
        Assert.That(model.Validate, Throws.ArgumentException.With.Message.Contains("one weight (tied)"));
    }

    private void Save(AdaptedModel model, string? baseFolder = null)
    {
        using var store = LoraGradientTests.Store(model, DType.F32, training: false);
        AdapterFiles.Save(In("adapter"), model, store, baseFolder ?? In("no-base"));
    }

    private void Change(string key, JsonNode? value)
    {
        var json = JsonNode.Parse(File.ReadAllText(In("adapter/adapter_config.json")))!.AsObject();
        json[key] = value;
        File.WriteAllText(In("adapter/adapter_config.json"), json.ToJsonString());
    }

    private static float[] Logits(ModelConfig model, ParameterStore store, int[] ids)
    {
        var graph = new Graph(store.ComputeType);
        graph.Output("logits", model.Logits(new ForwardContext(graph, 1, ids.Length)));
        using var program = CompiledGraph.Compile(graph, store, new CompileOptions());
        program.Set<int>("tokens", ids);
        program.Run();
        var logits = new float[model.TargetsOf(1, ids.Length) * model.Labels.Count];
        program.Get<float>("logits", logits);
        return logits;
    }

    private static double Error(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
}
