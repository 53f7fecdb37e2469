using System.Text.Json.Nodes;
using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using NUnit.Framework;

namespace Ingot.Tests.Models;

public sealed class ModelConfigTests
{
    [TestCaseSource(typeof(Presets), nameof(Presets.Names))]
    public void APresetComesBackFromItsJson(string name)
    {
        var config = Presets.Find(name)!;
        config.Validate();
        var back = ModelConfig.FromJson((JsonObject)JsonNode.Parse(config.ToJson().ToJsonString())!);
        Assert.That(back.ToJson().ToJsonString(), Is.EqualTo(config.ToJson().ToJsonString()));
    }

    // As transformers 4 writes them, and the same as version 5 does.
    [TestCase("""
        { "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 64, "intermediate_size": 96,
          "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu",
          "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "rope_scaling": { "factor": 8.0,
          "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_type": "llama3" },
          "attention_bias": false, "attention_dropout": 0.0, "mlp_bias": false, "pretraining_tp": 1, "initializer_range": 0.02,
          "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.0", "use_cache": true,
          "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "pad_token_id": 128004 }
        """)]
    [TestCase("""
        { "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 64, "intermediate_size": 96,
          "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu",
          "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_parameters": { "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_theta": 500000.0, "rope_type": "llama3" },
          "attention_bias": false, "attention_dropout": 0.0, "mlp_bias": false, "pretraining_tp": 1, "initializer_range": 0.02,
          "tie_word_embeddings": false, "dtype": "bfloat16", "transformers_version": "5.0.0", "use_cache": true,
          "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "pad_token_id": 128004 }
        """)]
    public void BothVersionsOfTransformersAreReadAndWritten(string text)
    {
        var read = (LlamaConfig)Parse(text);
        Assert.That(read.RopeTheta, Is.EqualTo(500000));
        Assert.That(read.RopeScaling, Is.EqualTo(new RopeScaling.Llama3
        {
            Factor = 8,
            LowFrequencyFactor = 1,
            HighFrequencyFactor = 4,
            OriginalPositions = 8192,
        }));
        Assert.That(read.BeginOfText, Is.EqualTo(128000));
        Assert.That(read.EndOfText, Is.EqualTo(new[] { 128001, 128008, 128009 }));

        // What is written has every key of either version with its value, but the two that say who wrote it.
        var written = read.ToJson();
        foreach (var (key, value) in Json(text))
        {
            if (key is not ("torch_dtype" or "dtype" or "transformers_version"))
                Assert.That(JsonNode.DeepEquals(Json(written.ToJsonString())[key], value), key);
        }

        Assert.That(written["rope_scaling"]!["rope_type"]!.GetValue<string>(), Is.EqualTo("llama3"));
        Assert.That(written["rope_scaling"]!.AsObject().ContainsKey("rope_theta"), Is.False);
        Assert.That(written["rope_parameters"]!["rope_theta"]!.GetValue<double>(), Is.EqualTo(500000));
        Assert.That(written["rope_theta"]!.GetValue<double>(), Is.EqualTo(500000));
        Assert.That(Parse(written.ToJsonString()).ToJson().ToJsonString(), Is.EqualTo(written.ToJsonString()));
    }

    [TestCase("qwen3", 128)]
    [TestCase("qwen2", 16)]
    [TestCase("llama", 16)]
    public void AHeadSizeThatIsNotGivenIsTheFamilys(string family, int expected) =>
        Assert.That(((LlamaConfig)Parse(Llama(family))).HeadSize, Is.EqualTo(expected));

    [TestCase("llama", "rope_parameters", """{ "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "attention_factor": 1.5 }""")]
    [TestCase("llama", "rope_scaling", """{ "rope_type": "linear", "factor": 2 }""")]
    [TestCase("llama", "rope_scaling", """{ "type": "default" }""")]
    [TestCase("qwen2", "use_sliding_window", "false")]
    [TestCase("qwen2", "sliding_window", "4096")]
    [TestCase("qwen3", "layer_types", """["full_attention", "full_attention"]""")]
    [TestCase("qwen3", "attention_bias", "true")]
    [TestCase("llama", "partial_rotary_factor", "1.0")]
    [TestCase("llama", "quantization_config", "null")]
    [TestCase("llama", "eos_token_id", "2")]
    [TestCase("llama", "eos_token_id", "null")]
    [TestCase("llama", "some_note", """{ "by": ["a", 1, null] }""")]
    public void SettingsThatChangeNothingPass(string family, string key, string value)
    {
        var read = Parse(Llama(family, key, value));
        Assert.That(Parse(read.ToJson().ToJsonString()).ToJson().ToJsonString(), Is.EqualTo(read.ToJson().ToJsonString()));
        if (key == "some_note")
            Assert.That(read.ToJson()["some_note"]!.ToJsonString(), Is.EqualTo("""{"by":["a",1,null]}"""));
    }

    [TestCase("rope_scaling", """{ "rope_type": "dynamic", "factor": 2.0 }""", "rotary scaling 'dynamic'", "linear, llama3 and yarn")]
    [TestCase("rope_scaling", """{ "type": "longrope", "short_factor": [1], "long_factor": [2] }""", "rotary scaling 'longrope'")]
    [TestCase("rope_scaling", """{ "type": "yarn", "factor": 2.0, "mscale": 0.7 }""", "'rope_scaling.mscale' is 0.7")]
    [TestCase("rope_scaling", """{ "type": "linear" }""", "has no 'rope_scaling.factor'")]
    [TestCase("rope_scaling", """{ "type": "linear", "factor": -1 }""", "factor -1")]
    [TestCase("rope_scaling", """{ "type": "default", "mrope_section": [16, 24, 24] }""", "'rope_scaling.mrope_section' is [16,24,24]")]
    [TestCase("rope_scaling", "[]", "'rope_scaling' is []")]
    [TestCase("rope_parameters", """{ "full_attention": { "rope_type": "default" } }""", "'rope_parameters.full_attention'")]
    [TestCase("rope_parameters", """{ "rope_theta": "big" }""", "'rope_parameters.rope_theta' is \"big\"", "number belongs")]
    [TestCase("rope_parameters", """{ "partial_rotary_factor": 0.5 }""", "'rope_parameters.partial_rotary_factor' is 0.5")]
    [TestCase("rope_theta", "0", "rope_theta 0 must be above 0")]
    [TestCase("use_sliding_window", "true", "'use_sliding_window' is true")]
    [TestCase("layer_types", """["full_attention", "sliding_attention"]""", "'layer_types' has \"sliding_attention\"")]
    [TestCase("mlp_bias", "true", "'mlp_bias' is true", "only false is")]
    [TestCase("hidden_act", "\"gelu\"", "hidden_act 'gelu'")]
    [TestCase("quantization_config", """{ "quant_method": "gptq" }""", "'quantization_config' is {\"quant_method\":\"gptq\"}")]
    [TestCase("partial_rotary_factor", "0.5", "'partial_rotary_factor' is 0.5")]
    [TestCase("final_logit_softcapping", "30.0", "'final_logit_softcapping' is 30.0")]
    [TestCase("embedding_multiplier", "12", "'embedding_multiplier' is 12")]
    [TestCase("vocab_size", "1e30", "'vocab_size' is 1e30", "whole number belongs")]
    [TestCase("vocab_size", "2.5", "'vocab_size' is 2.5")]
    [TestCase("vocab_size", "-5", "must be 1 or more")]
    [TestCase("hidden_size", "null", "has no 'hidden_size'")]
    [TestCase("head_dim", "2147483646", "the head size 2147483646")]
    [TestCase("eos_token_id", """[1, "a"]""", "'eos_token_id' is [1,\"a\"]", "list of token ids belongs")]
    [TestCase("model_type", "\"mistral\"", "model_type 'mistral'", "gpt2, llama, qwen2, qwen3")]
    [TestCase("model_type", "7", "'model_type' is 7")]
    public void SettingsOfAnotherComputationAreRefused(string key, string value, params string[] fragments)
    {
        var error = Assert.Catch(() => Parse(Llama("llama", key, value)));
        Assert.That(error, Is.InstanceOf<FormatException>().Or.InstanceOf<ArgumentException>());
        foreach (var fragment in fragments)
            Assert.That(error!.Message, Does.Contain(fragment));
    }

    [TestCase("scale_attn_weights", "false")]
    [TestCase("scale_attn_by_inverse_layer_idx", "true")]
    [TestCase("add_cross_attention", "true")]
    [TestCase("activation_function", "\"quick_gelu\"")]
    public void SettingsOfAnotherGpt2AreRefused(string key, string value) => Assert.That(
        () => Parse($$"""{ "model_type": "gpt2", "{{key}}": {{value}} }"""),
        Throws.InstanceOf<Exception>().With.Message.Contains(key));

    [Test]
    public void SizesThatDoNotFitAreRefused()
    {
        void Refused(ModelConfig config, string fragment) =>
            Assert.That(config.Validate, Throws.ArgumentException.With.Message.Contains(fragment));
        Refused(new Gpt2Config { Embedding = 100, Heads = 12 }, "not divisible by 12 heads");
        Refused(new Gpt2Config { LayerCount = 2_000_000 }, "1 to 1000 layers");
        Refused(new Gpt2Config { ActivationFunction = "tanh" }, "activation_function 'tanh' is not known");
        Refused(new LlamaConfig { LayerCount = 0 }, "1 to 1000 layers");
        Refused(new LlamaConfig { Heads = 32, KeyValueHeads = 5 }, "not a multiple of 5 key/value heads");
        Refused(new LlamaConfig { HeadDim = 7 }, "must be even");
    }

    [TestCase("gpt2-124m", 124_439_808)]
    [TestCase("gpt2-1.5b", 1_557_611_200)]
    [TestCase("llama2-7b", 6_738_415_616)]
    [TestCase("qwen2-0.5b", 494_032_768)]
    [TestCase("qwen3-0.6b", 596_049_920)]
    public void PresetsHaveTheirPublishedNumberOfParameters(string name, long parameters) =>
        Assert.That(Presets.Find(name)!.DeclareParameters().Sum(p => p.Elements), Is.EqualTo(parameters));

    private static string Llama(string family, string key = "use_cache", string value = "true")
    {
        var json = Json("""
            { "vocab_size": 100, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4 }
            """);
        json["model_type"] = family;
        json[key] = JsonNode.Parse(value);
        return json.ToJsonString();
    }

    private static JsonObject Json(string text) => (JsonObject)JsonNode.Parse(text)!;

    private static ModelConfig Parse(string text) => ModelConfig.FromJson(Json(text));
}
