using Ingot.Checkpoints.Gguf;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints.Gguf;

/// <summary>GGUF files against what llama.cpp's architectures want, read by hand.</summary>
internal sealed class GgufExportTests
{
    private const string Gpt2Tokenizer = """
        { "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false },
          "added_tokens": [ { "id": 0, "content": "<|endoftext|>", "special": true }, { "id": 4, "content": "<x>", "special": false } ],
          "model": { "type": "BPE", "vocab": { "<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3 }, "merges": [["a", "b"]] } }
        """;

    private TemporaryDirectory _directory = null!;

    private string Output => _directory["model.gguf"];

    [SetUp]
    public void SetUp() => _directory = new TemporaryDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [Test]
    public void Gpt2()
    {
        var source = HuggingFaceFolder.Gpt2(23, 12, 12, 2);
        var file = Export(source, Gpt2Config);

        Assert.That(file.Values["general.architecture"], Is.EqualTo("gpt2"));
        Assert.That(file.Values["general.file_type"], Is.EqualTo(0));
        foreach (var (key, value) in new[]
                 {
                     ("context_length", 12), ("embedding_length", 12), ("block_count", 2), ("feed_forward_length", 48),
                     ("attention.head_count", 3), ("vocab_size", 23),
                 })
        {
            Assert.That(file.Values[$"gpt2.{key}"], Is.EqualTo(value), key);
        }

        Assert.That(file.Values["gpt2.attention.layer_norm_epsilon"], Is.EqualTo(1e-5f));
        var names = new Dictionary<string, (string Name, bool Transposed)>
        {
            ["token_embd.weight"] = ("wte.weight", false),
            ["position_embd.weight"] = ("wpe.weight", false),
            ["output_norm.weight"] = ("ln_f.weight", false),
            ["output_norm.bias"] = ("ln_f.bias", false),
        };
        for (var i = 0; i < 2; i++)
        {
            foreach (var kind in new[] { "weight", "bias" })
            {
                names.Add($"blk.{i}.attn_norm.{kind}", ($"h.{i}.ln_1.{kind}", false));
                names.Add($"blk.{i}.attn_qkv.{kind}", ($"h.{i}.attn.c_attn.{kind}", kind == "weight"));
                names.Add($"blk.{i}.attn_output.{kind}", ($"h.{i}.attn.c_proj.{kind}", kind == "weight"));
                names.Add($"blk.{i}.ffn_norm.{kind}", ($"h.{i}.ln_2.{kind}", false));
                names.Add($"blk.{i}.ffn_up.{kind}", ($"h.{i}.mlp.c_fc.{kind}", kind == "weight"));
                names.Add($"blk.{i}.ffn_down.{kind}", ($"h.{i}.mlp.c_proj.{kind}", kind == "weight"));
            }
        }

        Assert.That(file.Tensors.Keys, Is.EquivalentTo(names.Keys));
        foreach (var (name, (original, transposed)) in names)
        {
            var (shape, values) = source.Tensors["transformer." + original];
            var expected = values;
            if (transposed)
            {
                expected = [.. Enumerable.Range(0, values.Length).Select(i => values[(i % shape[0] * shape[1]) + (i / shape[0])])];
                shape = [shape[1], shape[0]];
            }

            Assert.That(file.Tensors[name].Shape, Is.EqualTo(shape), name);
            Assert.That(file.Tensors[name].Values, Is.EqualTo(expected), name);
        }

        Assert.That(file.FileLength - file.Length, Is.InRange(0, 31));
    }

    [TestCase("llama", false)]
    [TestCase("qwen2", true)]
    [TestCase("qwen3", false)]
    public void LlamaAndQwen(string family, bool tied)
    {
        const int Head = 6;
        var source = HuggingFaceFolder.Llama(family, 23, 12, 20, 2, heads: 4, kv: 2, Head, tied);
        var file = Export(source, LlamaConfig(family, tied));

        foreach (var (key, value) in new[]
                 {
                     ("context_length", 64), ("embedding_length", 12), ("block_count", 2), ("feed_forward_length", 20),
                     ("attention.head_count", 4), ("attention.head_count_kv", 2), ("attention.key_length", Head), ("attention.value_length", Head),
                     ("rope.dimension_count", Head),
                 })
        {
            Assert.That(file.Values[$"{family}.{key}"], Is.EqualTo(value), key);
        }

        Assert.That(file.Values[$"{family}.attention.layer_norm_rms_epsilon"], Is.EqualTo(1e-6f));
        Assert.That(file.Values[$"{family}.rope.freq_base"], Is.EqualTo(5000f));
        var names = new Dictionary<string, string>
        {
            ["token_embd.weight"] = "model.embed_tokens.weight",
            ["output_norm.weight"] = "model.norm.weight",
        };
        if (!tied)
            names.Add("output.weight", "lm_head.weight");
        for (var i = 0; i < 2; i++)
        {
            var (b, l) = ($"blk.{i}.", $"model.layers.{i}.");
            names.Add($"{b}attn_norm.weight", $"{l}input_layernorm.weight");
            names.Add($"{b}ffn_norm.weight", $"{l}post_attention_layernorm.weight");
            names.Add($"{b}attn_output.weight", $"{l}self_attn.o_proj.weight");
            foreach (var x in "qkv")
            {
                names.Add($"{b}attn_{x}.weight", $"{l}self_attn.{x}_proj.weight");
                if (family == "qwen2")
                    names.Add($"{b}attn_{x}.bias", $"{l}self_attn.{x}_proj.bias");
                if (family == "qwen3" && x != 'v')
                    names.Add($"{b}attn_{x}_norm.weight", $"{l}self_attn.{x}_norm.weight");
            }

            foreach (var x in new[] { "gate", "up", "down" })
                names.Add($"{b}ffn_{x}.weight", $"{l}mlp.{x}_proj.weight");
        }

        Assert.That(file.Tensors.Keys, Is.EquivalentTo(names.Keys));
        foreach (var (name, original) in names)
        {
            var (shape, values) = source.Tensors[original];
            if (family == "llama" && (name[6..] is "attn_q.weight" or "attn_k.weight"))
                values = Interleaved(values, (int)shape[1], Head);
            Assert.That(file.Tensors[name].Shape, Is.EqualTo(shape), name);
            Assert.That(file.Tensors[name].Values, Is.EqualTo(values), name);
        }
    }

    [Test]
    public void BiasesOfRotatedProjectionsMoveWithTheirRows()
    {
        var source = HuggingFaceFolder.Llama("llama", 23, 12, 20, 1, heads: 2, kv: 2, head: 4, tied: true);
        foreach (var (x, outputs) in new[] { ("q", 8), ("k", 8), ("v", 8), ("o", 12) })
            source.Add($"model.layers.0.self_attn.{x}_proj.bias", outputs);
        var file = Export(source, $$"""
            { "model_type": "llama", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 1,
              "num_attention_heads": 2, "head_dim": 4, "attention_bias": true, "tie_word_embeddings": true }
            """);
        Assert.That(file.Tensors["blk.0.attn_q.bias"].Values,
            Is.EqualTo(Interleaved(source.Tensors["model.layers.0.self_attn.q_proj.bias"].Values, 1, 4)));
        Assert.That(file.Tensors["blk.0.attn_v.bias"].Values, Is.EqualTo(source.Tensors["model.layers.0.self_attn.v_proj.bias"].Values));
    }

    [Test]
    public void Llama3ScalesItsFrequenciesByATensor()
    {
        var source = HuggingFaceFolder.Llama("llama", 23, 12, 20, 2, heads: 4, kv: 2, head: 6, tied: true);
        var file = Export(source, LlamaConfig("llama", true, """
            , "rope_scaling": { "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                "original_max_position_embeddings": 64 }
            """));
        // Waves of 2π, 2π · 5000^⅓ = 107 and 2π · 5000^⅔ = 1837 positions: the first turns 10 times in 64, the others less than once.
        Assert.That(file.Tensors["rope_freqs.weight"].Values, Is.EqualTo(new[] { 1f, 8f, 8f }).Within(1e-6));
    }

    [TestCase(GgufType.F16, 1u, 1u)]
    [TestCase(GgufType.BF16, 32u, 30u)]
    [TestCase(GgufType.Q8_0, 7u, 8u)]
    public void MatricesHaveTheTypeAndVectorsStay(GgufType type, uint fileType, uint number)
    {
        var source = HuggingFaceFolder.Llama("llama", 23, 64, 40, 1, heads: 4, kv: 2, head: 16, tied: true);
        var exact = source.Tensors["model.layers.0.mlp.up_proj.weight"].Values;
        var random = new Random(1);
        for (var i = 0; i < exact.Length; i++)
            exact[i] = (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-8, 8)));
        Array.Clear(exact, 0, 32); // A block of zeros has no scale.
        var file = Export(source, """
            { "model_type": "llama", "vocab_size": 23, "hidden_size": 64, "intermediate_size": 40, "num_hidden_layers": 1,
              "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true }
            """, type);

        Assert.That(file.Values["general.file_type"], Is.EqualTo(fileType));
        Assert.That(file.Tensors["blk.0.attn_norm.weight"].Type, Is.Zero);
        Assert.That(file.Tensors["blk.0.ffn_up.weight"].Type, Is.EqualTo(number));
        // Rows of 40 do not divide into blocks of 32.
        Assert.That(file.Tensors["blk.0.ffn_down.weight"].Type, Is.EqualTo(type == GgufType.Q8_0 ? 1 : number));
        var rounded = file.Tensors["blk.0.ffn_up.weight"].Values;
        for (var i = 0; i < exact.Length; i++)
        {
            // Half of the last digit; or half a step of the block, whose own rounding to fp16 shows in the greatest values, 127 steps.
            var greatest = exact.Skip(i / 32 * 32).Take(32).Max(Math.Abs);
            var error = type switch
            {
                GgufType.F16 => (Math.Abs(exact[i]) * Math.Pow(2, -11)) + Math.Pow(2, -25),
                GgufType.BF16 => Math.Abs(exact[i]) * Math.Pow(2, -8),
                _ => (greatest / 127 * 0.5001) + (greatest * Math.Pow(2, -11)) + (127 * Math.Pow(2, -25)),
            };
            Assert.That(rounded[i], Is.EqualTo(exact[i]).Within(error), $"{i}");
        }
    }

    [Test]
    public void TheTokenizerComesAlong()
    {
        var file = Export(HuggingFaceFolder.Gpt2(7, 12, 12, 1), """
            { "model_type": "gpt2", "vocab_size": 7, "n_positions": 12, "n_embd": 12, "n_layer": 1, "n_head": 3, "bos_token_id": 0,
              "eos_token_id": [0, 4], "pad_token_id": 4 }
            """);
        Assert.That(file.Values["tokenizer.ggml.model"], Is.EqualTo("gpt2"));
        Assert.That(file.Values["tokenizer.ggml.pre"], Is.EqualTo("gpt-2"));
        Assert.That(file.Values["tokenizer.ggml.tokens"], Is.EqualTo(new[] { "<|endoftext|>", "a", "b", "ab", "<x>", "[PAD5]", "[PAD6]" }));
        Assert.That(file.Values["tokenizer.ggml.token_type"], Is.EqualTo(new[] { 3, 1, 1, 1, 4, 5, 5 }));
        Assert.That(file.Values["tokenizer.ggml.merges"], Is.EqualTo(new[] { "a b" }));
        Assert.That(file.Values["tokenizer.ggml.bos_token_id"], Is.Zero);
        Assert.That(file.Values["tokenizer.ggml.eos_token_id"], Is.Zero);
        Assert.That(file.Values["tokenizer.ggml.padding_token_id"], Is.EqualTo(4));
        Assert.That(file.Values["tokenizer.ggml.add_bos_token"], Is.False);
        Assert.That(file.Values, Does.Not.ContainKey("tokenizer.chat_template"));
    }

    [TestCase("""\\p{N}{1,3}""", "llama-bpe")]
    [TestCase("""\\p{N}""", "qwen2")]
    public void PreTokensAreNamed(string numbers, string name)
    {
        var pattern = """(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|""" + numbers
            + """| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""";
        var config = Gpt2Config.Replace("}", ", \"bos_token_id\": 1 }", StringComparison.Ordinal);
        var file = Export(HuggingFaceFolder.Gpt2(23, 12, 12, 2), config, tokenizer: $$"""
            { "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": "{{pattern}}" }, "behavior": "Isolated", "invert": false },
                { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false } ] },
              "post_processor": { "type": "Sequence", "processors": [
                { "type": "ByteLevel" },
                { "type": "TemplateProcessing", "single": [
                  { "SpecialToken": { "id": "a", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } } ] } ] },
              "model": { "type": "BPE", "vocab": { "a": 1, "b": 2, "ab": 3 }, "merges": ["a b"] } }
            """);
        Assert.That(file.Values["tokenizer.ggml.pre"], Is.EqualTo(name));
        Assert.That(file.Values["tokenizer.ggml.merges"], Is.EqualTo(new[] { "a b" }));
        Assert.That(file.Values["tokenizer.ggml.add_bos_token"], Is.True);
    }

    [TestCase("""{ "model": { "type": "Unigram", "vocab": [] } }""", "Unigram")]
    [TestCase("""{ "model": { "type": "BPE", "byte_fallback": true, "vocab": {}, "merges": [] } }""", "byte_fallback")]
    [TestCase("""{ "pre_tokenizer": { "type": "Whitespace" }, "model": { "type": "BPE", "vocab": {}, "merges": [] } }""", "Whitespace")]
    [TestCase("""{ "model": { "type": "BPE", "vocab": {}, "merges": [] } }""", "no pre_tokenizer")]
    [TestCase("""{ "model": { "type": "BPE" } }""", "no pre_tokenizer")]
    [TestCase("{}", "tokenizer.json")]
    [TestCase("[", "tokenizer.json")]
    [TestCase("""
        { "pre_tokenizer": { "type": "ByteLevel" }, "model": { "type": "BPE", "vocab": { "a": 1, "b": 1 }, "merges": [] } }
        """, "another token's")]
    [TestCase("""
        { "pre_tokenizer": { "type": "ByteLevel" }, "model": { "type": "BPE", "vocab": { "a": 99 }, "merges": [] } }
        """, "token 99 is beyond")]
    public void ATokenizerThatLlamaCppDoesNotKnowIsRefused(string tokenizer, string message)
    {
        HuggingFaceFolder.Gpt2(23, 12, 12, 2).Save(_directory.FullPath, Gpt2Config);
        File.WriteAllText(_directory["tokenizer.json"], tokenizer);
        Assert.That(() => GgufExport.Write(_directory.FullPath, Output, GgufType.F32),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(message));
        Assert.That(File.Exists(Output), Is.False);
    }

    [Test]
    public void AModelThatLlamaCppWouldComputeOtherwiseIsRefused()
    {
        var config = Gpt2Config.Replace("}", ", \"activation_function\": \"gelu\" }", StringComparison.Ordinal);
        HuggingFaceFolder.Gpt2(23, 12, 12, 2).Save(_directory.FullPath, config);
        File.WriteAllText(_directory["tokenizer.json"], Gpt2Tokenizer);
        Assert.That(() => GgufExport.Write(_directory.FullPath, Output, GgufType.F32),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("gelu_new").And.Message.Contains("--format huggingface"));
    }

    private const string Gpt2Config = """
        { "model_type": "gpt2", "vocab_size": 23, "n_positions": 12, "n_embd": 12, "n_layer": 2, "n_head": 3 }
        """;

    private static string LlamaConfig(string family, bool tied, string more = "") => $$"""
        { "model_type": "{{family}}", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "rope_theta": 5000.0, "max_position_embeddings": 64,
          "tie_word_embeddings": {{(tied ? "true" : "false")}} {{more}} }
        """;

    // Row r of a head and row r + half rotate together; llama.cpp wants them side by side.
    private static float[] Interleaved(float[] values, int width, int head)
    {
        var result = new float[values.Length];
        for (var row = 0; row < values.Length / width; row++)
        {
            var (start, r) = (row / head * head, row % head);
            var target = start + (r < head / 2 ? 2 * r : (2 * (r - (head / 2))) + 1);
            Array.Copy(values, row * width, result, target * width, width);
        }

        return result;
    }

    private GgufReader Export(HuggingFaceFolder source, string config, GgufType type = GgufType.F32, string tokenizer = Gpt2Tokenizer)
    {
        source.Save(_directory.FullPath, config);
        File.WriteAllText(_directory["tokenizer.json"], tokenizer);
        GgufExport.Write(_directory.FullPath, Output, type);
        return new GgufReader(Output);
    }
}
