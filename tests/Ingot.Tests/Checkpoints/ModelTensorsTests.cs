using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>Folders in Hugging Face's layout: what is loaded computes what the reference computes, and what does not fit is named.</summary>
internal sealed class ModelTensorsTests
{
    private const string Gpt2Sizes = """
        "model_type": "gpt2", "vocab_size": 23, "n_positions": 12, "n_ctx": 12, "n_embd": 12, "n_layer": 2, "n_head": 3,
        "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1, "summary_type": "cls_index", "task_specific_params": {"a": {}}
        """;

    private const string LlamaSizes = """
        "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 64, "hidden_act": "silu", "pretraining_tp": 1, "use_cache": true
        """;

    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TemporaryDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [TestCase("transformer.", "F32", 1)]
    [TestCase("transformer.", "F16", 3)]
    [TestCase("", "BF16", 1)]
    [TestCase("", "F32", 2)]
    public void Gpt2(string prefix, string dtype, int shards)
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2, prefix: prefix);
        folder.Save(_directory.FullPath, $"{{ {Gpt2Sizes} }}", dtype, shards);
        ComputesAsTheReference(folder, prefix.Length == 0 ? "transformer." : "");
    }

    [Test]
    public void Gpt2WithAnInnerWidth()
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2, inner: 20);
        folder.Save(_directory.FullPath, $$"""{ {{Gpt2Sizes}}, "n_inner": 20 }""");
        ComputesAsTheReference(folder);
    }

    [Test]
    public void Gpt2WithAHeadOfItsOwn()
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2);
        folder.Add("lm_head.weight", 23, 12);
        folder.Save(_directory.FullPath, $$"""{ {{Gpt2Sizes}}, "tie_word_embeddings": false }""");
        ComputesAsTheReference(folder);
    }

    [Test]
    public void BuffersAndACopyOfATiedHeadArePassedOver()
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2, prefix: "");
        var values = folder.Values("transformer.");
        folder.Add("h.0.attn.bias", 1, 1, 12, 12);
        folder.Add("h.0.attn.masked_bias");
        folder.Add("h.1.attn.bias", 1, 1, 12, 12);
        folder.Tensors.Add("lm_head.weight", folder.Tensors["wte.weight"]);
        folder.Save(_directory.FullPath, $"{{ {Gpt2Sizes} }}");
        using (var tensors = ModelTensors.Open(_directory.FullPath))
            Assert.That(tensors.Passed, Is.EquivalentTo(new[] { "h.0.attn.bias", "h.0.attn.masked_bias", "h.1.attn.bias", "lm_head.weight" }));
        ComputesAsTheReference(values);
    }

    [TestCase("llama", false, 3, """ "rope_theta": 5000.0, "rope_scaling": null """)]
    [TestCase("llama", true, 3, """ "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0} """)]
    [TestCase("llama", false, 4, """ "head_dim": 4, "rope_scaling": {"type": "linear", "factor": 2.0} """)]
    [TestCase("llama", false, 4, """
        "head_dim": 4, "rope_theta": 100.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 12}
        """)]
    [TestCase("llama", false, 16, """
        "head_dim": 16, "rope_parameters": {"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
        """)]
    [TestCase("qwen2", true, 3, """
        "rope_theta": 1000000.0, "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 21
        """)]
    [TestCase("qwen2", false, 16, """
        "head_dim": 16, "rope_theta": 100.0, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16,
        "beta_fast": 8, "beta_slow": 1}
        """)]
    [TestCase("qwen3", true, 8, """
        "head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000}, "layer_types": ["full_attention", "full_attention"]
        """)]
    public void LlamaAndQwen(string family, bool tied, int head, string settings)
    {
        // A head of 3 would be odd; hidden_size / num_attention_heads decides where head_dim is not given.
        var width = head == 3 ? 16 : 12;
        head = head == 3 ? 4 : head;
        var sizes = LlamaSizes.Replace("\"hidden_size\": 12", $"\"hidden_size\": {width}", StringComparison.Ordinal);
        var folder = HuggingFaceFolder.Llama(family, 23, width, 20, 2, heads: 4, kv: 2, head, tied);
        var config = $$"""
            { "model_type": "{{family}}", {{sizes}}, "tie_word_embeddings": {{(tied ? "true" : "false")}}, {{settings}} }
            """;
        folder.Save(_directory.FullPath, config, "BF16", shards: 3);
        ComputesAsTheReference(folder);
    }

    [Test]
    public void OldRotaryBuffersArePassedOver()
    {
        var folder = HuggingFaceFolder.Llama("llama", 23, 16, 20, 2, 4, 2, 4, tied: false);
        var values = folder.Values();
        folder.Add("model.layers.0.self_attn.rotary_emb.inv_freq", 2);
        folder.Save(_directory.FullPath, LlamaConfig());
        ComputesAsTheReference(values);
    }

    [Test]
    public void AMissingTensorIsNamedWithItsShape()
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2, prefix: "");
        folder.Tensors.Remove("h.1.mlp.c_fc.weight");
        folder.Save(_directory.FullPath, $"{{ {Gpt2Sizes} }}");
        Refused("'transformer.h.1.mlp.c_fc.weight' [12, 48] is missing");
    }

    [Test]
    public void AMissingHeadSaysHowToTieIt()
    {
        HuggingFaceFolder.Llama("llama", 23, 16, 20, 2, 4, 2, 4, tied: true).Save(_directory.FullPath, LlamaConfig());
        Refused("'lm_head.weight' [23, 16] is missing", "set tie_word_embeddings to true");
    }

    [Test]
    public void AHeadOfItsOwnThatTheConfigTiesIsRefused()
    {
        var folder = HuggingFaceFolder.Llama("llama", 23, 16, 20, 2, 4, 2, 4, tied: false);
        folder.Save(_directory.FullPath, LlamaConfig(tied: true));
        Refused("'lm_head.weight' is not the token table", "set it to false");
    }

    [Test]
    public void AnUnknownTensorIsNamed()
    {
        var folder = HuggingFaceFolder.Llama("llama", 23, 16, 20, 2, 4, 2, 4, tied: false);
        folder.Add("model.layers.2.input_layernorm.weight", 16);
        folder.Save(_directory.FullPath, LlamaConfig());
        Refused("'model.layers.2.input_layernorm.weight' [16] belongs to no part");
    }

    [Test]
    public void AnotherShapeIsNamedBesideTheExpectedOne()
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2);
        folder.Tensors["transformer.h.0.attn.c_attn.weight"] = ([36, 12], folder.Tensors["transformer.h.0.attn.c_attn.weight"].Values);
        folder.Save(_directory.FullPath, $"{{ {Gpt2Sizes} }}");
        Refused("'transformer.h.0.attn.c_attn.weight' has the shape [36, 12]", "needs [12, 36]", "transposed");
    }

    [Test]
    public void ATensorUnderBothOfItsNamesIsRefused()
    {
        var folder = HuggingFaceFolder.Gpt2(23, 12, 12, 2);
        folder.Tensors.Add("ln_f.bias", folder.Tensors["transformer.ln_f.bias"]);
        folder.Save(_directory.FullPath, $"{{ {Gpt2Sizes} }}");
        Refused("'ln_f.bias'", "'transformer.ln_f.bias'", "same part");
    }

    [Test]
    public void AnotherTypeOfNumbersIsRefused()
    {
        HuggingFaceFolder.Gpt2(23, 12, 12, 2).Save(_directory.FullPath, $"{{ {Gpt2Sizes} }}", "F64");
        Refused("is F64; F32, F16 and BF16 can be loaded");
    }

    private static string LlamaConfig(bool tied = false)
    {
        var sizes = LlamaSizes.Replace("\"hidden_size\": 12", "\"hidden_size\": 16", StringComparison.Ordinal);
        return $$"""{ "model_type": "llama", {{sizes}}, "tie_word_embeddings": {{(tied ? "true" : "false")}} }""";
    }

    private void Refused(params string[] fragments)
    {
        var error = Assert.Throws<InvalidDataException>(() => ModelTensors.Open(_directory.FullPath).Dispose());
        foreach (var fragment in fragments)
            Assert.That(error!.Message, Does.Contain(fragment));
    }

    private void ComputesAsTheReference(HuggingFaceFolder folder, string prefix = "") => ComputesAsTheReference(folder.Values(prefix));

    private void ComputesAsTheReference(Dictionary<string, double[]> values)
    {
        var (model, store) = ModelFiles.LoadModel(_directory.FullPath, Device.Cpu, DType.F32, training: false);
        using (store)
            ComputesAsTheReference(model, store, values);
    }

    internal static void ComputesAsTheReference(ModelConfig model, ParameterStore store, Dictionary<string, double[]> values)
    {
        int[] tokens = [3, 22, 0, 7, 7, 1, 19, 4, 11, 2];
        new ReferenceModel(model, values, 1, tokens.Length).Loss(tokens, new int[tokens.Length], out var expected);
        using var decoder = new Decoder(model, store);
        for (var length = 1; length <= tokens.Length; length++)
        {
            var actual = decoder.Logits(tokens[..length]);
            var (difference, size) = (0.0, 0.0);
            for (var i = 0; i < actual.Length; i++)
            {
                difference += Math.Pow(actual[i] - expected[length - 1][i], 2);
                size += Math.Pow(expected[length - 1][i], 2);
            }

            Assert.That(Math.Sqrt(difference / size), Is.LessThan(1e-5), $"after {length} tokens");
        }
    }
}
