using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;

namespace Ingot.Checkpoints.Gguf;

/// <summary>
/// Writes a model folder as one GGUF file for llama.cpp, under the names that its architectures gpt2, llama, qwen2 and qwen3 have.
/// Matrices lie there as [outputs, inputs], so that GPT-2's are transposed; Llama's queries and keys are in the order in which its
/// rotary positions pair neighbours. Norms, biases and tables of positions stay fp32.
/// </summary>
public static class GgufExport
{
    /// <summary>Writes the model of a folder to a file.</summary>
    /// <param name="source">A model folder, from here or elsewhere, with its tokenizer.</param>
    /// <param name="output">The file to make.</param>
    /// <param name="type">Type of the matrices.</param>
    /// <param name="progress">Is told how many bytes of weights have been written, and of how many.</param>
    /// <param name="cancellationToken">Stops the writing; nothing is left then.</param>
    /// <returns>Names, shapes (outermost first) and types of the tensors.</returns>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    /// <exception cref="InvalidDataException">The source is no model that is supported, or llama.cpp would compute another.</exception>
    public static IReadOnlyList<(string Name, IReadOnlyList<long> Shape, GgufType Type)> Write(
        string source, string output, GgufType type, Action<long, long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (File.Exists(output) || Directory.Exists(output))
            throw new IOException($"'{output}' is there already: give another name, or remove it first.");
        using var tensors = ModelTensors.Open(source);
        var file = new GgufFile();
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        Describe(file, tensors.Model, name, type);
        GgufTokenizer.Load(source).AddTo(file, tensors.Model.VocabularySize, tensors.Model.BeginOfText, tensors.Model.EndOfText,
            (int?)tensors.Model.OtherSettings?["pad_token_id"]);
        foreach (var tensor in Tensors(tensors))
            file.Add(tensor with { Type = TypeFor(tensor, type) });

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!);
        var (written, total) = (0L, file.DataLength);
        DurableFile.Write(output, stream => file.Write(stream, bytes =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Invoke(written += bytes, total);
        }));
        return [.. file.Tensors.Select(t => (t.Name, (IReadOnlyList<long>)t.Shape, t.Type))];
    }

    private static GgufType TypeFor(GgufTensor tensor, GgufType type)
    {
        if (tensor.Shape.Length == 1 || tensor.Name == "position_embd.weight")
            return GgufType.F32;
        // Blocks lie within rows.
        return type == GgufType.Q8_0 && tensor.Width % GgufTypes.Block != 0 ? GgufType.F16 : type;
    }

    private static void Describe(GgufFile file, ModelConfig model, string name, GgufType type)
    {
        if (model is not (Gpt2Config or LlamaConfig))
            throw Unsupported($"a {model.ModelType} is not written as GGUF; gpt2, llama, qwen2 and qwen3 are");
        var arch = model.ModelType;
        file.Add("general.architecture", arch);
        file.Add("general.type", "model");
        file.Add("general.name", name);
        file.Add("general.file_type", type switch
        {
            GgufType.F32 => 0u,
            GgufType.F16 => 1u,
            GgufType.Q8_0 => 7u,
            _ => 32u,
        });
        if (type == GgufType.Q8_0)
            file.Add("general.quantization_version", 2u);
        file.Add($"{arch}.vocab_size", (uint)model.VocabularySize);
        file.Add($"{arch}.context_length", (uint)model.MaxPositions);
        file.Add($"{arch}.embedding_length", (uint)model.Width);
        file.Add($"{arch}.block_count", (uint)model.Layers);
        switch (model)
        {
            case Gpt2Config c:
                if (c.Activation != "gelu_tanh")
                    throw Unsupported($"llama.cpp computes GPT-2 with the activation gelu_new; this one has '{c.ActivationFunction}'");
                file.Add($"{arch}.feed_forward_length", (uint)(c.Inner ?? (4 * c.Embedding)));
                file.Add($"{arch}.attention.head_count", (uint)c.Heads);
                file.Add($"{arch}.attention.layer_norm_epsilon", (float)c.LayerNormEpsilon);
                break;
            case LlamaConfig c:
                if (c.AttentionBias && c.Flavor != LlamaFlavor.Llama)
                    throw Unsupported($"llama.cpp has no attention_bias for {arch}");
                file.Add($"{arch}.feed_forward_length", (uint)c.IntermediateSize);
                file.Add($"{arch}.attention.head_count", (uint)c.Heads);
                file.Add($"{arch}.attention.head_count_kv", (uint)c.KvHeads);
                file.Add($"{arch}.attention.key_length", (uint)c.HeadSize);
                file.Add($"{arch}.attention.value_length", (uint)c.HeadSize);
                file.Add($"{arch}.attention.layer_norm_rms_epsilon", (float)c.RmsNormEpsilon);
                file.Add($"{arch}.rope.dimension_count", (uint)c.HeadSize);
                file.Add($"{arch}.rope.freq_base", (float)c.RopeTheta);
                DescribeScaling(file, c);
                break;
        }
    }

    private static void DescribeScaling(GgufFile file, LlamaConfig c)
    {
        switch (c.RopeScaling)
        {
            case null:
                break;
            case RopeScaling.Linear s:
                file.Add($"{c.ModelType}.rope.scaling.type", "linear");
                file.Add($"{c.ModelType}.rope.scaling.factor", (float)s.Factor);
                break;
            case RopeScaling.Llama3 when c.Flavor == LlamaFlavor.Llama:
                break; // A tensor: rope_freqs.weight.
            case RopeScaling.Yarn { AttentionFactor: null, BetaFast: 32, BetaSlow: 1 } s:
                file.Add($"{c.ModelType}.rope.scaling.type", "yarn");
                file.Add($"{c.ModelType}.rope.scaling.factor", (float)s.Factor);
                file.Add($"{c.ModelType}.rope.scaling.original_context_length", (uint)s.OriginalPositions);
                break;
            default:
                throw Unsupported($"llama.cpp has no rotary scaling {c.RopeScaling.Type} with these settings for {c.ModelType}");
        }
    }

    private static IEnumerable<GgufTensor> Tensors(ModelTensors tensors)
    {
        if (tensors.Model is LlamaConfig { RopeScaling: RopeScaling.Llama3 } llama)
        {
            yield return GgufTensor.Of("rope_freqs.weight", [.. llama.RotaryFrequencies().Select((stretched, pair) =>
                (float)(Math.Pow(llama.RopeTheta, -2.0 * pair / llama.HeadSize) / stretched))]);
        }

        foreach (var p in tensors.Parameters)
        {
            var tensor = tensors[p.Name];
            var name = NameOf(p.Name);
            if (tensors.Model is Gpt2Config && p.Shape.Count == 2 && p.Name.StartsWith("transformer.h.", StringComparison.Ordinal))
                yield return new GgufTensor(name, [p.Shape[1], p.Shape[0]], GgufTensor.Transposed(tensor));
            else if (tensors.Model is LlamaConfig { Flavor: LlamaFlavor.Llama } c && IsRotated(p.Name))
                yield return new GgufTensor(name, [.. p.Shape], GgufTensor.Interleaved(tensor, c.HeadSize));
            else
                yield return new GgufTensor(name, [.. p.Shape], GgufTensor.Plain(tensor));
        }
    }

    private static bool IsRotated(string name) =>
        name.Contains(".q_proj.", StringComparison.Ordinal) || name.Contains(".k_proj.", StringComparison.Ordinal);

    /// <summary>llama.cpp's name of a parameter.</summary>
    private static string NameOf(string parameter)
    {
        var end = parameter.LastIndexOf('.');
        var (module, kind) = (parameter[..end], parameter[(end + 1)..]);
        foreach (var blocks in new[] { "transformer.h.", "model.layers." })
        {
            if (module.StartsWith(blocks, StringComparison.Ordinal))
            {
                var rest = module[blocks.Length..];
                var dot = rest.IndexOf('.', StringComparison.Ordinal);
                return $"blk.{rest[..dot]}.{InBlock(rest[(dot + 1)..])}.{kind}";
            }
        }

        return module switch
        {
            "transformer.wte" or "model.embed_tokens" => "token_embd",
            "transformer.wpe" => "position_embd",
            "transformer.ln_f" or "model.norm" => "output_norm",
            "lm_head" => "output",
            _ => throw new NotSupportedException(parameter),
        } + "." + kind;
    }

    private static string InBlock(string module) => module switch
    {
        "ln_1" or "input_layernorm" => "attn_norm",
        "attn.c_attn" => "attn_qkv",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "attn.c_proj" or "self_attn.o_proj" => "attn_output",
        "ln_2" or "post_attention_layernorm" => "ffn_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.c_fc" or "mlp.up_proj" => "ffn_up",
        "mlp.c_proj" or "mlp.down_proj" => "ffn_down",
        _ => throw new NotSupportedException(module),
    };

    private static InvalidDataException Unsupported(string problem) => new($"{problem}: export it with --format huggingface");
}
