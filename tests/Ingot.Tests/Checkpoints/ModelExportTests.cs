using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Ingot.Bindings;
using Ingot.Checkpoints;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>Exported folders against the tables of Hugging Face's files, read by hand.</summary>
internal sealed class ModelExportTests
{
    private const string Gpt2Config = """
        { "model_type": "gpt2", "vocab_size": 23, "n_positions": 12, "n_embd": 12, "n_layer": 2, "n_head": 3 }
        """;

    private TemporaryDirectory _directory = null!;

    private string Source => _directory["source"];

    private string Output => _directory["output"];

    [SetUp]
    public void SetUp()
    {
        _directory = new TemporaryDirectory();
        Directory.CreateDirectory(Source);
    }

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [TestCase("F32", 1)]
    [TestCase("BF16", 1)]
    [TestCase("F16", 3)]
    public void Gpt2HasTheTensorsOfGpt2LmHeadModel(string dtype, int shards)
    {
        // As on the hub: without a prefix, with buffers and a copy of the head.
        var source = HuggingFaceFolder.Gpt2(23, 12, 12, 2, prefix: "");
        source.Add("h.0.attn.bias", 1, 1, 12, 12);
        source.Tensors.Add("lm_head.weight", source.Tensors["wte.weight"]);
        source.Save(Source, Gpt2Config, dtype, shards);

        ModelExport.Write(Source, Output, new ModelExportOptions { Dtype = SafetensorsDtype.F32 });

        HoldsExactly(HuggingFaceFolder.Gpt2(23, 12, 12, 2), name => source.Tensors[name["transformer.".Length..]].Values);
        ReadsBack(source.Values("transformer.").Where(v => v.Key is not ("transformer.h.0.attn.bias" or "lm_head.weight")));
    }

    [TestCase("llama", false)]
    [TestCase("llama", true)]
    [TestCase("qwen2", true)]
    [TestCase("qwen2", false)]
    [TestCase("qwen3", true)]
    [TestCase("qwen3", false)]
    public void LlamaAndQwenHaveTheirTensors(string family, bool tied)
    {
        var table = HuggingFaceFolder.Llama(family, 23, 12, 20, 2, heads: 4, kv: 2, head: 6, tied);
        table.Save(Source, LlamaConfig(family, tied), shards: 3);

        ModelExport.Write(Source, Output, new ModelExportOptions());

        HoldsExactly(table, name => table.Tensors[name].Values);
        ReadsBack(table.Values());
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Output, "config.json")))!;
        Assert.That(config["architectures"]![0]!.GetValue<string>(), Is.EqualTo(family switch
        {
            "llama" => "LlamaForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            _ => "Qwen3ForCausalLM",
        }));
        Assert.That(config["model_type"]!.GetValue<string>(), Is.EqualTo(family));
        Assert.That(config["torch_dtype"]!.GetValue<string>(), Is.EqualTo("float32"));
        Assert.That(config["tie_word_embeddings"]!.GetValue<bool>(), Is.EqualTo(tied));
        // Numbers with a fraction stay such: version 5 of transformers checks types.
        Assert.That(config["rope_theta"]!.ToJsonString(), Is.EqualTo("10000.0"));
        Assert.That(config["rope_parameters"]!["rope_theta"]!.ToJsonString(), Is.EqualTo("10000.0"));
    }

    [Test]
    public void ShardsHoldAtMostTheirSizeAndTheIndexAllOfThem()
    {
        var table = HuggingFaceFolder.Llama("llama", 23, 12, 20, 2, heads: 4, kv: 2, head: 6, tied: false);
        table.Save(Source, LlamaConfig("llama", tied: false));
        const int Most = 3000;

        ModelExport.Write(Source, Output, new ModelExportOptions { MaxShardSize = Most });

        var files = Directory.GetFiles(Output, "*.safetensors").Order(StringComparer.Ordinal).ToList();
        Assert.That(files, Has.Count.GreaterThan(3));
        Assert.That(files.Select(Path.GetFileName), Is.EqualTo(
            Enumerable.Range(1, files.Count).Select(i => $"model-{i:00000}-of-{files.Count:00000}.safetensors")));
        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(Output, "model.safetensors.index.json")))!;
        var places = index["weight_map"]!.AsObject().ToDictionary(e => e.Key, e => e.Value!.GetValue<string>());
        var total = 0L;
        foreach (var file in files)
        {
            var (tensors, metadata) = SafetensorsBytes.Read(file);
            Assert.That(metadata["format"], Is.EqualTo("pt"));
            Assert.That(tensors.Keys, Is.EquivalentTo(places.Where(p => p.Value == Path.GetFileName(file)).Select(p => p.Key)));
            var size = tensors.Values.Sum(t => (long)t.Data.Length);
            Assert.That(size <= Most || tensors.Count == 1);
            total += size;
        }

        Assert.That(index["metadata"]!["total_size"]!.GetValue<long>(), Is.EqualTo(total));
        Assert.That(places.Keys, Is.EquivalentTo(table.Tensors.Keys));
        ReadsBack(table.Values());
    }

    [Test]
    public void NumbersAreRoundedToTheNearestOfTheType()
    {
        var source = HuggingFaceFolder.Gpt2(23, 12, 12, 2);
        // Between two of bf16's numbers, at ties, at the ends of both ranges, and what is no number.
        float[] values =
        [
            1 + (1f / 256), 1 + (3f / 256), -1.00391f, 3.3e38f, 1e-40f, -0f, float.NaN, float.PositiveInfinity, 1f / 3, -2048.9f, 65519f, 6e-8f,
        ];
        source.Tensors["transformer.ln_f.bias"] = ([12], values);
        source.Save(Source, Gpt2Config);

        ModelExport.Write(Source, Output, new ModelExportOptions { Dtype = SafetensorsDtype.BF16 });

        var bf16 = SafetensorsBytes.Read(Path.Combine(Output, "model.safetensors")).Tensors["transformer.ln_f.bias"];
        Assert.That(bf16.Dtype, Is.EqualTo("BF16"));
        for (var i = 0; i < values.Length; i++)
            Assert.That(BitConverter.ToUInt16(bf16.Data, 2 * i), Is.EqualTo(NearestBf16(values[i])), $"{values[i]:R}");

        Array.Clear(values, 3, 1);
        source.Save(Source, Gpt2Config);
        ModelExport.Write(Source, _directory["halves"], new ModelExportOptions { Dtype = SafetensorsDtype.F16 });
        var f16 = SafetensorsBytes.Read(Path.Combine(_directory["halves"], "model.safetensors")).Tensors["transformer.ln_f.bias"];
        for (var i = 0; i < values.Length; i++)
            Assert.That(BitConverter.ToHalf(f16.Data, 2 * i), Is.EqualTo((Half)values[i]), $"{values[i]:R}");
        Assert.That(File.ReadAllText(Path.Combine(_directory["halves"], "config.json")), Does.Contain("\"torch_dtype\": \"float16\""));
    }

    [Test]
    public void AWeightThatFp16CannotHoldIsNamedAndNothingIsLeft()
    {
        var source = HuggingFaceFolder.Gpt2(23, 12, 12, 2);
        source.Tensors["transformer.h.1.ln_2.bias"].Values[5] = 65520;
        source.Save(Source, Gpt2Config);
        Assert.That(
            () => ModelExport.Write(Source, Output, new ModelExportOptions { Dtype = SafetensorsDtype.F16 }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("'transformer.h.1.ln_2.bias' holds 65520"));
        Assert.That(Directory.GetFileSystemEntries(_directory.FullPath), Is.EqualTo(new[] { Source }));
    }

    [Test]
    public void AnInterruptedExportLeavesNothing()
    {
        HuggingFaceFolder.Gpt2(23, 12, 12, 2).Save(Source, Gpt2Config);
        using var cancel = new CancellationTokenSource();
        var options = new ModelExportOptions { MaxShardSize = 1, Progress = (done, total) => Cancel(done * 2 > total) };
        Assert.That(() => ModelExport.Write(Source, Output, options, cancel.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFileSystemEntries(_directory.FullPath), Is.EqualTo(new[] { Source }));

        void Cancel(bool now)
        {
            if (now)
                cancel.Cancel();
        }
    }

    [Test]
    public void WhatIsThereIsNotReplaced()
    {
        HuggingFaceFolder.Gpt2(23, 12, 12, 2).Save(Source, Gpt2Config);
        Directory.CreateDirectory(Output);
        File.WriteAllText(Path.Combine(Output, "thesis.txt"), "mine");
        Assert.That(() => ModelExport.Write(Source, Output, new ModelExportOptions()),
            Throws.TypeOf<IOException>().With.Message.Contains("is there already"));
        Assert.That(Directory.GetFiles(Output), Has.Length.EqualTo(1));

        File.Delete(Path.Combine(Output, "thesis.txt"));
        ModelExport.Write(Source, Output, new ModelExportOptions());
        Assert.That(File.Exists(Path.Combine(Output, "config.json")), "an empty folder may be there");
    }

    [Test]
    public void WhatBelongsToTheModelComesAlong()
    {
        var config = $"{Gpt2Config[..^1]}, \"bos_token_id\": 3, \"eos_token_id\": [4, 5], \"pad_token_id\": 6 }}";
        HuggingFaceFolder.Gpt2(23, 12, 12, 2).Save(Source, config);
        string[] files =
        [
            "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "chat_template.jinja", "source.spm", "qwen.tiktoken",
            "optimizer.safetensors", "notes.txt",
        ];
        foreach (var file in files)
            File.WriteAllText(Path.Combine(Source, file), file);

        ModelExport.Write(Source, Output, new ModelExportOptions());

        Assert.That(Directory.GetFiles(Output).Select(Path.GetFileName), Is.EquivalentTo(
            files[..7].Concat(["config.json", "generation_config.json", "model.safetensors"])));
        foreach (var file in files[..7])
            Assert.That(File.ReadAllText(Path.Combine(Output, file)), Is.EqualTo(file));
        var generation = JsonNode.Parse(File.ReadAllText(Path.Combine(Output, "generation_config.json")))!;
        Assert.That(generation.ToJsonString(), Is.EqualTo("""{"bos_token_id":3,"eos_token_id":[4,5],"pad_token_id":6}"""));
    }

    // The nearest of all bf16 numbers, found by trying them; the even one of two that are as near.
    private static ushort NearestBf16(float value)
    {
        var upper = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        if (float.IsNaN(value))
            return (ushort)(upper | 0x40);
        if (float.IsInfinity(value))
            return upper;
        double Distance(int bits) => Math.Abs((double)BitConverter.UInt32BitsToSingle((uint)bits << 16) - value);
        return (ushort)new[] { upper, upper + 1 }.MinBy(bits => (Distance(bits), bits & 1));
    }

    private static string LlamaConfig(string family, bool tied) => $$"""
        { "model_type": "{{family}}", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "tie_word_embeddings": {{(tied ? "true" : "false")}} }
        """;

    private void HoldsExactly(HuggingFaceFolder table, Func<string, float[]> values)
    {
        var (tensors, metadata) = SafetensorsBytes.Read(Path.Combine(Output, "model.safetensors"));
        Assert.That(metadata, Is.EqualTo(new Dictionary<string, string> { ["format"] = "pt" }));
        Assert.That(tensors.Keys, Is.EquivalentTo(table.Tensors.Keys));
        foreach (var (name, (shape, _)) in table.Tensors)
        {
            Assert.That(tensors[name].Dtype, Is.EqualTo("F32"), name);
            Assert.That(tensors[name].Shape, Is.EqualTo(shape), name);
            Assert.That(tensors[name].Data, Is.EqualTo(MemoryMarshal.AsBytes<float>(values(name)).ToArray()), name);
        }
    }

    private void ReadsBack(IEnumerable<KeyValuePair<string, double[]>> expected)
    {
        var values = expected.ToDictionary();
        var (model, store) = ModelFiles.LoadModel(Output, Device.Cpu, DType.F32, training: false);
        using (store)
        {
            Assert.That(store.Parameters.Select(p => p.Name), Is.EquivalentTo(values.Keys));
            foreach (var (name, value) in values)
                Assert.That(store.View(store.Master, name).ToArray().Select(v => (double)v), Is.EqualTo(value), name);
            ModelTensorsTests.ComputesAsTheReference(model, store, values);
        }
    }
}
