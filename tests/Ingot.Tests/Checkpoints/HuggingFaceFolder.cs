using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Ingot.Tests.Checkpoints;

/// <summary>
/// A model folder as Hugging Face's transformers write it: the tables of tensor names and shapes of its models, and a writer of
/// safetensors, both made from the formats' descriptions and sharing nothing with the library.
/// </summary>
internal sealed class HuggingFaceFolder
{
    /// <summary>Shape and values of every tensor by name.</summary>
    public SortedDictionary<string, (long[] Shape, float[] Values)> Tensors { get; } = new(StringComparer.Ordinal);

    /// <summary>GPT-2 as GPT2LMHeadModel saves it, or with an empty prefix as GPT2Model does.</summary>
    public static HuggingFaceFolder Gpt2(
        int vocabulary, int positions, int width, int layers, int? inner = null, string prefix = "transformer.")
    {
        long d = width, f = inner ?? (4 * width);
        var folder = new HuggingFaceFolder();
        folder.Add($"{prefix}wte.weight", vocabulary, d);
        folder.Add($"{prefix}wpe.weight", positions, d);
        for (var i = 0; i < layers; i++)
        {
            var h = $"{prefix}h.{i}.";
            folder.Add($"{h}ln_1.weight", d);
            folder.Add($"{h}ln_1.bias", d);
            folder.Add($"{h}attn.c_attn.weight", d, 3 * d);
            folder.Add($"{h}attn.c_attn.bias", 3 * d);
            folder.Add($"{h}attn.c_proj.weight", d, d);
            folder.Add($"{h}attn.c_proj.bias", d);
            folder.Add($"{h}ln_2.weight", d);
            folder.Add($"{h}ln_2.bias", d);
            folder.Add($"{h}mlp.c_fc.weight", d, f);
            folder.Add($"{h}mlp.c_fc.bias", f);
            folder.Add($"{h}mlp.c_proj.weight", f, d);
            folder.Add($"{h}mlp.c_proj.bias", d);
        }

        folder.Add($"{prefix}ln_f.weight", d);
        folder.Add($"{prefix}ln_f.bias", d);
        return folder;
    }

    /// <summary>LlamaForCausalLM, Qwen2ForCausalLM and Qwen3ForCausalLM.</summary>
    public static HuggingFaceFolder Llama(
        string family, int vocabulary, int width, int inner, int layers, int heads, int kv, int head, bool tied)
    {
        var folder = new HuggingFaceFolder();
        folder.Add("model.embed_tokens.weight", vocabulary, width);
        for (var i = 0; i < layers; i++)
        {
            var l = $"model.layers.{i}.";
            folder.Add($"{l}input_layernorm.weight", width);
            folder.Add($"{l}self_attn.q_proj.weight", heads * head, width);
            folder.Add($"{l}self_attn.k_proj.weight", kv * head, width);
            folder.Add($"{l}self_attn.v_proj.weight", kv * head, width);
            folder.Add($"{l}self_attn.o_proj.weight", width, heads * head);
            if (family == "qwen2")
            {
                folder.Add($"{l}self_attn.q_proj.bias", heads * head);
                folder.Add($"{l}self_attn.k_proj.bias", kv * head);
                folder.Add($"{l}self_attn.v_proj.bias", kv * head);
            }

            if (family == "qwen3")
            {
                folder.Add($"{l}self_attn.q_norm.weight", head);
                folder.Add($"{l}self_attn.k_norm.weight", head);
            }

            folder.Add($"{l}post_attention_layernorm.weight", width);
            folder.Add($"{l}mlp.gate_proj.weight", inner, width);
            folder.Add($"{l}mlp.up_proj.weight", inner, width);
            folder.Add($"{l}mlp.down_proj.weight", width, inner);
        }

        folder.Add("model.norm.weight", width);
        if (!tied)
            folder.Add("lm_head.weight", vocabulary, width);
        return folder;
    }

    /// <summary>Adds a tensor of values that F32, F16 and BF16 all hold exactly.</summary>
    public void Add(string name, params long[] shape)
    {
        var random = new Random(name.Sum(c => c) + Tensors.Count);
        var elements = (int)shape.Aggregate(1L, (a, b) => a * b);
        Tensors.Add(name, (shape, [.. Enumerable.Range(0, elements).Select(_ => random.Next(-127, 128) / 256f)]));
    }

    /// <summary>The values in double precision, under the names that GPT2LMHeadModel and the others give them.</summary>
    public Dictionary<string, double[]> Values(string prefix = "") => Tensors.ToDictionary(
        t => t.Key.StartsWith("lm_head", StringComparison.Ordinal) ? t.Key : prefix + t.Key,
        t => t.Value.Values.Select(v => (double)v).ToArray());

    /// <summary>Writes config.json and the weights.</summary>
    public void Save(string folder, string config, string dtype = "F32", int shards = 1)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        if (shards == 1)
        {
            SaveWeights(Path.Combine(folder, "model.safetensors"), Tensors.Keys, dtype);
            return;
        }

        var map = new StringBuilder();
        for (var s = 0; s < shards; s++)
        {
            var file = $"model-{s + 1:00000}-of-{shards:00000}.safetensors";
            var names = Tensors.Keys.Where((_, i) => i * shards / Tensors.Count == s).ToList();
            SaveWeights(Path.Combine(folder, file), names, dtype);
            foreach (var name in names)
                map.Append(CultureInfo.InvariantCulture, $"{(map.Length > 0 ? "," : "")}\n    \"{name}\": \"{file}\"");
        }

        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"),
            $$"""{ "metadata": { "total_size": 1 }, "weight_map": {{{map}} } }""");
    }

    private void SaveWeights(string path, IEnumerable<string> names, string dtype)
    {
        var header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        var data = new MemoryStream();
        foreach (var name in names)
        {
            var (shape, values) = Tensors[name];
            var start = data.Length;
            foreach (var value in values)
            {
                data.Write(dtype switch
                {
                    "F32" => BitConverter.GetBytes(value),
                    "F16" => BitConverter.GetBytes((Half)value),
                    "F64" => BitConverter.GetBytes((double)value),
                    _ => BitConverter.GetBytes(value)[2..],
                });
            }

            header.Append(CultureInfo.InvariantCulture,
                $",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{start},{data.Length}]}}");
        }

        header.Append('}');
        using var file = File.Create(path);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        file.Write(length);
        file.Write(Encoding.UTF8.GetBytes(header.ToString()));
        data.WriteTo(file);
    }
}
