using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Models;

namespace Ingot.Checkpoints;

/// <summary>How <see cref="ModelExport"/> writes a folder.</summary>
public sealed record ModelExportOptions
{
    /// <summary>Type of the weights: F32, BF16 or F16; null keeps each tensor's own.</summary>
    public SafetensorsDtype? Dtype { get; init; }

    /// <summary>Most bytes of weights in one file; a single tensor may be larger. Hugging Face's own default is 5 GB.</summary>
    public long MaxShardSize { get; init; } = 5_000_000_000;

    /// <summary>Is told how many bytes of weights have been written, and of how many.</summary>
    public Action<long, long>? Progress { get; init; }
}

/// <summary>A tensor that was written: its name, shape, type before and after, and file.</summary>
public sealed record ExportedTensor(string Name, IReadOnlyList<long> Shape, SafetensorsDtype From, SafetensorsDtype To, string File);

/// <summary>
/// Writes a model folder anew in the layout that Hugging Face's transformers load: names as there, weights in one file or in shards,
/// config.json for its versions 4 and 5, and the tokenizer's files as they are. Weights stream from file to file; none is held whole.
/// </summary>
public static class ModelExport
{
    /// <summary>
    /// Names, or patterns of them, of the files beside config.json and the weights that belong to a model: tokenizer, chat template, how to
    /// generate.
    /// </summary>
    internal static IReadOnlyList<string> CompanionFiles { get; } =
    [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt",
        "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "*.tiktoken", "source.spm",
        "target.spm", "target_tokenizer.json", "chat_template.jinja",
        "chat_template.json", GenerationName,
    ];

    private const string GenerationName = "generation_config.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the model of a folder to a new one.</summary>
    /// <param name="source">A model folder, from here or elsewhere.</param>
    /// <param name="output">The folder to make; it must not be there, or be empty.</param>
    /// <param name="options">Type and size of the files.</param>
    /// <param name="cancellationToken">Stops the writing; nothing is left then.</param>
    /// <returns>The tensors in the order of the model.</returns>
    /// <exception cref="IOException">A file cannot be read, or the output is there already or has no room.</exception>
    /// <exception cref="InvalidDataException">The source is no model that is supported, or a weight does not fit F16.</exception>
    public static IReadOnlyList<ExportedTensor> Write(
        string source, string output, ModelExportOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxShardSize, nameof(options));
        if (options.Dtype is { } dtype && !TensorFloats.Supports(dtype))
            throw new ArgumentException($"weights can be written as F32, BF16 and F16, not as {dtype.FileName()}");
        using var tensors = ModelTensors.Open(source);
        using var folder = new NewFolder(output);
        var sources = new List<SafetensorsSource>();
        var written = 0L;
        var total = 0L;
        foreach (var p in tensors.Parameters)
        {
            var tensor = tensors[p.Name];
            sources.Add(new SafetensorsSource(p.Name, options.Dtype ?? tensor.Dtype, p.Shape, (offset, destination) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                Convert(tensor, options.Dtype ?? tensor.Dtype, offset, destination);
                options.Progress?.Invoke(written += destination.Length, total);
            }));
        }

        total = sources.Sum(s => s.Length);
        folder.RequireSpace(total);
        var shards = Shards(sources, options.MaxShardSize);
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < shards.Count; i++)
        {
            var name = shards.Count == 1 ? ModelFiles.WeightsName : $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            folder.Write(name, stream => SafetensorsWriter.Write(stream, shards[i], SafetensorsWriter.PyTorchMetadata));
            foreach (var s in shards[i])
                files.Add(s.Name, name);
        }

        if (shards.Count > 1)
            folder.Write(ModelWeights.IndexName, Encoding.UTF8.GetBytes(Index(files, total)));
        folder.Write(ModelFiles.ConfigName, Encoding.UTF8.GetBytes(Config(tensors.Model, sources)));
        CopyCompanions(source, tensors.Model, folder);
        folder.Finish();
        return [.. sources.Select(s => new ExportedTensor(s.Name, s.Shape, tensors[s.Name].Dtype, s.Dtype, files[s.Name]))];
    }

    private static void Convert(SafetensorsTensor tensor, SafetensorsDtype dtype, long offset, Span<byte> destination)
    {
        if (tensor.Dtype == dtype)
        {
            tensor.CopyTo(offset, destination);
            return;
        }

        var size = dtype.Bits() / 8;
        var values = new float[destination.Length / size];
        TensorFloats.Read(tensor, offset / size, values);
        if (dtype == SafetensorsDtype.F16)
            RequireRange(tensor.Name, values);
        TensorFloats.Write(values, dtype, destination);
    }

    internal static void RequireRange(string name, ReadOnlySpan<float> values)
    {
        const float Largest = 65504; // Of binary16; half of the last digit more is rounded to it, 65,520 is not.
        foreach (var value in values)
        {
            if (float.IsFinite(value) && Math.Abs(value) >= Largest + 16)
                throw new InvalidDataException($"tensor '{name}' holds {value}, which is too large for fp16: take bf16 or fp32");
        }
    }

    /// <summary>Parts of at most the given size, in the order of the model; a tensor that is larger has a part for itself.</summary>
    private static List<List<SafetensorsSource>> Shards(List<SafetensorsSource> sources, long most)
    {
        var shards = new List<List<SafetensorsSource>>();
        var size = 0L;
        foreach (var source in sources)
        {
            if (shards.Count == 0 || size + source.Length > most)
            {
                shards.Add([]);
                size = 0;
            }

            shards[^1].Add(source);
            size += source.Length;
        }

        return shards;
    }

    private static string Index(Dictionary<string, string> files, long total)
    {
        var map = new JsonObject();
        foreach (var (tensor, file) in files.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            map[tensor] = file;
        return new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = total }, ["weight_map"] = map }.ToJsonString(Indented);
    }

    private static string Config(ModelConfig model, List<SafetensorsSource> sources)
    {
        var json = model.ToJson();
        // The type of most weights: what transformers make of the model with dtype="auto".
        json["torch_dtype"] = sources.GroupBy(s => s.Dtype).MaxBy(group => group.Sum(s => s.Length))!.Key switch
        {
            SafetensorsDtype.BF16 => "bfloat16",
            SafetensorsDtype.F16 => "float16",
            _ => "float32",
        };
        return json.ToJsonString(Indented);
    }

    private static void CopyCompanions(string source, ModelConfig model, NewFolder folder)
    {
        foreach (var path in CompanionFiles.SelectMany(name => Directory.GetFiles(source, name)))
        {
            using var from = File.OpenRead(path);
            folder.Write(Path.GetFileName(path), from.CopyTo);
        }

        if (File.Exists(Path.Combine(source, GenerationName)))
            return;
        var generation = new JsonObject();
        foreach (var key in new[] { "bos_token_id", "eos_token_id", "pad_token_id" })
        {
            if (model.ToJson()[key] is { } id)
                generation[key] = id.DeepClone();
        }

        folder.Write(GenerationName, Encoding.UTF8.GetBytes(generation.ToJsonString(Indented)));
    }
}
