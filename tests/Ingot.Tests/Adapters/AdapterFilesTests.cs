using System.Text.Json.Nodes;
using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Adapters;

/// <summary>Adapters as PEFT writes them, there and back, and in the weights of model folders.</summary>
public sealed class AdapterFilesTests
{
    private readonly TemporaryDirectory _directory = new();

    [TearDown]
    public void CleanUp() => _directory.Dispose();

    [Test]
    public void NamesAndShapesOfGpt2AreThoseOfPeft()
    {
        var lora = new LoraConfig { Rank = 3, TargetModules = ["c_attn", "mlp.c_proj"], UseDora = true };
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[0], lora);
        SaveAdapter(model, "adapter");
        using var file = SafetensorsFile.Open(_directory["adapter/adapter_model.safetensors"]);
        Assert.That(file.Tensors.ToDictionary(t => t.Name, t => string.Join(",", t.Shape)), Is.EquivalentTo(
            Enumerable.Range(0, 2).SelectMany(i => new (string Name, string Shape)[]
            {
                ($"transformer.h.{i}.attn.c_attn.lora_A.weight", "3,24"), ($"transformer.h.{i}.attn.c_attn.lora_B.weight", "72,3"),
                ($"transformer.h.{i}.attn.c_attn.lora_magnitude_vector", "72"),
                ($"transformer.h.{i}.mlp.c_proj.lora_A.weight", "3,96"), ($"transformer.h.{i}.mlp.c_proj.lora_B.weight", "24,3"),
                ($"transformer.h.{i}.mlp.c_proj.lora_magnitude_vector", "24"),
            }).ToDictionary(t => "base_model.model." + t.Name, t => t.Shape)));
        Assert.That(file.Metadata["format"], Is.EqualTo("pt"));

        var config = JsonNode.Parse(File.ReadAllText(_directory["adapter/adapter_config.json"]))!;
        Assert.That(config["peft_type"]!.ToString(), Is.EqualTo("LORA"));
        Assert.That(config["task_type"]!.ToString(), Is.EqualTo("CAUSAL_LM"));
        Assert.That(config["fan_in_fan_out"]!.GetValue<bool>(), Is.True);
        Assert.That(config["use_dora"]!.GetValue<bool>(), Is.True);
        Assert.That(config["r"]!.GetValue<int>(), Is.EqualTo(3));
        Assert.That(config["lora_alpha"]!.ToJsonString(), Is.EqualTo("16"));
        Assert.That(config["base_model_name_or_path"]!.ToString(), Is.EqualTo("somewhere"));
        Assert.That(config["target_modules"]!.AsArray().Select(t => t!.ToString()), Is.EqualTo((string[])["c_attn", "mlp.c_proj"]));
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void NamesOfLlamaQwen2AndQwen3AreThoseOfPeft(int index)
    {
        SaveAdapter(LoraGradientTests.Adapt(ModelGradientTests.Models[index], new LoraConfig { Rank = 2 }), "adapter");
        using var file = SafetensorsFile.Open(_directory["adapter/adapter_model.safetensors"]);
        string[] modules =
        [
            "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
        ];
        Assert.That(file.Tensors.Select(t => t.Name), Is.EquivalentTo(
            from i in Enumerable.Range(0, 2)
            from module in modules
            from part in new[] { "lora_A", "lora_B" }
            select $"base_model.model.model.layers.{i}.{module}.{part}.weight"));
        var config = JsonNode.Parse(File.ReadAllText(_directory["adapter/adapter_config.json"]))!;
        Assert.That(config["fan_in_fan_out"]!.GetValue<bool>(), Is.False);
        Assert.That(config["target_modules"]!.AsArray().Select(t => t!.ToString()), Is.EquivalentTo(modules.Select(m => m.Split('.')[1])));
    }

    [Test]
    public void WhatIsSavedComesBack([Values(0, 1)] int index, [Values(0, 1, 2)] int kind)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[index], LoraGradientTests.Kinds[kind] with
        {
            Dropout = 0.25,
            ModulesToSave = index == 0 ? ["ln_f"] : ["lm_head"],
        });
        var values = SaveAdapter(model, "adapter");
        var loaded = AdapterFiles.LoadModel(_directory["adapter"], model.Base);
        Assert.That(loaded.Lora.TargetModules.Order(), Is.EqualTo(model.Lora.TargetModules.Contains(LoraConfig.AllLinear)
            ? model.LinearLayers().Select(l => l.Name.Split('.')[^1]).Distinct().Order() : model.Lora.TargetModules.Order()));
        static LoraConfig Numbers(LoraConfig lora) => lora with { TargetModules = [], ModulesToSave = [] };
        Assert.That(Numbers(loaded.Lora), Is.EqualTo(Numbers(model.Lora)));
        Assert.That(loaded.Lora.ModulesToSave, Is.EqualTo(model.Lora.ModulesToSave));
        using var store = new ParameterStore(Device.Cpu, loaded.DeclareParameters(), DType.F32, training: false);
        AdapterFiles.LoadWeights(_directory["adapter"], loaded, store);
        foreach (var p in store.Parameters)
            Assert.That(store.Read(p.Name), model.IsTrained(p.Name) ? Is.EqualTo(values[p.Name]) : Has.All.Zero, p.Name);
    }

    [Test]
    public void SettingsByExpressionOrLayerAreThoseOfTheTensors()
    {
        // PEFT: target_modules may be an expression, and layers_to_transform leaves layers out.
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig { TargetModules = ["layers.1.self_attn.v_proj"] });
        SaveAdapter(model, "adapter");
        Change("target_modules", JsonValue.Create(".*v_proj"));
        var loaded = AdapterFiles.LoadModel(_directory["adapter"], model.Base);
        Assert.That(loaded.LinearLayers().Where(l => l.IsAdapted).Select(l => l.Name), Is.EqualTo((string[])["model.layers.1.self_attn.v_proj"]));
        Change("target_modules", new JsonArray("v_proj"));
        Change("layers_to_transform", new JsonArray(1));
        loaded = AdapterFiles.LoadModel(_directory["adapter"], model.Base);
        Assert.That(loaded.LinearLayers().Where(l => l.IsAdapted).Select(l => l.Name), Is.EqualTo((string[])["model.layers.1.self_attn.v_proj"]));
    }

    [TestCase("peft_type", "\"IA3\"", "peft_type is IA3")]
    [TestCase("peft_type", "null", "peft_type is missing")]
    [TestCase("bias", "\"all\"", "bias is \"all\", which is not supported")]
    [TestCase("rank_pattern", "{\"q_proj\":4}", "rank_pattern")]
    [TestCase("init_lora_weights", "\"pissa\"", "init_lora_weights")]
    [TestCase("r", "0", "r is 0")]
    [TestCase("r", "\"8\"", "r is \"8\", where a number belongs")]
    [TestCase("lora_alpha", "-1", "lora_alpha")]
    [TestCase("use_dora", "\"yes\"", "use_dora is \"yes\", where true or false belongs")]
    [TestCase("modules_to_save", "[1]", "modules_to_save holds 1")]
    [TestCase("modules_to_save", "[\"classifier\"]", "no module 'classifier'")]
    [TestCase("use_dora", "true", "lacks the tensor")]
    [TestCase("r", "4", "[3, 24], an adapter of rank 4 on this base model [4, 24]")]
    public void ASettingThatCannotBeIsAnErrorThatNamesIt(string key, string value, string message)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig { Rank = 3 });
        SaveAdapter(model, "adapter");
        Change(key, JsonNode.Parse(value));
        Assert.That(Load, Throws.TypeOf<InvalidDataException>().With.Message.Contains(message).And.Message.Contains(_directory["adapter"]));

        void Load()
        {
            var loaded = AdapterFiles.LoadModel(_directory["adapter"], model.Base);
            using var store = new ParameterStore(Device.Cpu, loaded.DeclareParameters(), DType.F32, training: false);
            AdapterFiles.LoadWeights(_directory["adapter"], loaded, store);
        }
    }

    [Test]
    public void AnotherBaseModelIsAnError()
    {
        SaveAdapter(LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig { TargetModules = ["q_proj"] }), "adapter");
        Assert.That(() => AdapterFiles.LoadModel(_directory["adapter"], ModelGradientTests.Models[0]), Throws.TypeOf<InvalidDataException>()
            .With.Message.Contains("model.layers.0.self_attn.q_proj").And.Message.Contains("another base model, somewhere"));
        Assert.That(() => AdapterFiles.FindBase(_directory["adapter"]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("somewhere"));
    }

    [Test]
    public void APickleIsNotLoaded()
    {
        SaveAdapter(LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig()), "adapter");
        File.Move(_directory["adapter/adapter_model.safetensors"], _directory["adapter/adapter_model.bin"]);
        Assert.That(() => AdapterFiles.LoadModel(_directory["adapter"], ModelGradientTests.Models[1]),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("pickle"));
    }

    [TestCase("{\"peft_type\": \"LORA\"")]
    [TestCase("[]")]
    [TestCase("{\"r\": 1, \"r\": 2, \"peft_type\": \"LORA\"}")]
    [TestCase("")]
    public void ABrokenFileOfSettingsIsAnErrorThatNamesIt(string json)
    {
        SaveAdapter(LoraGradientTests.Adapt(ModelGradientTests.Models[1], new LoraConfig()), "adapter");
        File.WriteAllText(_directory["adapter/adapter_config.json"], json);
        Assert.That(() => AdapterFiles.LoadModel(_directory["adapter"], ModelGradientTests.Models[1]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("adapter_config.json"));
    }

    [Test]
    public void MergedFoldersComputeWhatTheAdapterDoesAndCanBeUnmerged([Values(0, 1)] int index, [Values(0, 1, 2)] int kind)
    {
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[index], LoraGradientTests.Kinds[kind]);
        using var store = LoraGradientTests.Store(model, DType.F32);
        SaveBase(model, store, "base");
        AdapterFiles.Save(_directory["adapter"], model, store, "base");
        using var decoder = new Decoder(model, store);
        var expected = decoder.Logits([3, 1, 4, 1, 5]);

        AdapterMerge.Merge(_directory["base"], _directory["adapter"], _directory["merged"]);

        Assert.That(Directory.GetFiles(_directory["merged"]).Select(Path.GetFileName),
            Is.EquivalentTo((string[])["config.json", "model.safetensors", "vocab.json"]));
        Assert.That(Error(Logits("merged"), expected), Is.LessThan(1e-5));
        var (merged, parameters) = AdapterFiles.LoadMerged(_directory["base"], _directory["adapter"], Device.Cpu, DType.F32);
        using (parameters)
        using (var fast = new Decoder(merged, parameters))
            Assert.That(fast.Logits([3, 1, 4, 1, 5]), Is.EqualTo(Logits("merged")));

        void Unmerge() => AdapterMerge.Unmerge(_directory["merged"], _directory["adapter"], _directory["again"]);
        if (model.Lora.UseDora)
        {
            Assert.That(Unmerge, Throws.TypeOf<NotSupportedException>());
            Assert.That(Directory.Exists(_directory["again"]), Is.False);
            return;
        }

        Unmerge();
        using var again = SafetensorsFile.Open(_directory["again/model.safetensors"]);
        using var original = SafetensorsFile.Open(_directory["base/model.safetensors"]);
        foreach (var tensor in original.Tensors)
        {
            var (a, b) = (Floats(again[tensor.Name]), Floats(tensor));
            Assert.That(a, model.LinearLayers().Any(l => l.IsAdapted && l.Name + ".weight" == tensor.Name)
                ? Is.EqualTo(b).Within(4 * Math.Pow(2, -23)) : Is.EqualTo(b), tensor.Name);
        }

        Assert.That(Unmerge, Throws.InstanceOf<IOException>().With.Message.Contains("there already"));
    }

    [Test]
    public void MergingKeepsTheDtype()
    {
        var lora = new LoraConfig { Rank = 2, TargetModules = ["q_proj"], ModulesToSave = ["norm"] };
        var model = LoraGradientTests.Adapt(ModelGradientTests.Models[1], lora);
        using var store = LoraGradientTests.Store(model, DType.Bf16);
        SaveBase(model, store, "base");
        AdapterFiles.Save(_directory["adapter"], model, store, "base");
        AdapterMerge.Merge(_directory["base"], _directory["adapter"], _directory["merged"]);
        using var merged = SafetensorsFile.Open(_directory["merged/model.safetensors"]);
        using var original = SafetensorsFile.Open(_directory["base/model.safetensors"]);
        Assert.That(merged.Tensors.Select(t => (t.Name, t.Dtype)), Is.EquivalentTo(original.Tensors.Select(t => (t.Name, t.Dtype))));
        Assert.That(merged["model.layers.0.self_attn.q_proj.weight"].Dtype, Is.EqualTo(SafetensorsDtype.BF16));
        Assert.That(() => AdapterMerge.Unmerge(_directory["merged"], _directory["adapter"], _directory["again"]),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("modules_to_save"));
    }

    private Dictionary<string, float[]> SaveAdapter(AdaptedModel model, string name)
    {
        using var store = LoraGradientTests.Store(model, DType.F32);
        AdapterFiles.Save(_directory[name], model, store, "somewhere");
        return store.Parameters.ToDictionary(p => p.Name, p => store.Read(p.Name));
    }

    private void SaveBase(AdaptedModel model, ParameterStore store, string name)
    {
        Directory.CreateDirectory(_directory[name]);
        File.WriteAllText(_directory[name + "/config.json"], ModelFiles.ConfigText(model));
        File.WriteAllText(_directory[name + "/vocab.json"], "{}");
        File.WriteAllText(_directory[name + "/trainer_state.json"], "{}");
        using var file = File.Create(_directory[name + "/model.safetensors"]);
        CheckpointFile.Safetensors("model.safetensors", [.. ModelFiles.Weights(store, AdaptedModel.IsOfBase)]).WriteTo(file);
    }

    private void Change(string key, JsonNode? value)
    {
        var path = _directory["adapter/adapter_config.json"];
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        json[key] = value;
        File.WriteAllText(path, json.ToJsonString());
    }

    private float[] Logits(string folder)
    {
        var (model, store) = ModelFiles.LoadModel(_directory[folder], Device.Cpu, DType.F32, training: false);
        using (store)
        using (var decoder = new Decoder(model, store))
            return decoder.Logits([3, 1, 4, 1, 5]);
    }

    private static float[] Floats(SafetensorsTensor tensor)
    {
        var values = new float[tensor.Length / 4];
        tensor.CopyTo(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static double Error(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
}
