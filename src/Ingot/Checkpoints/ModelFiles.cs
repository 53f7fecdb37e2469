using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Checkpoints;

/// <summary>Parameters to and from Hugging Face's model folders: config.json and model.safetensors.</summary>
public static class ModelFiles
{
    /// <summary>Name of the file of sizes.</summary>
    public const string ConfigName = "config.json";

    /// <summary>Name of the file of weights.</summary>
    public const string WeightsName = "model.safetensors";

    private const long MaximumConfigLength = 10_000_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The tensors of one of a store's fp32 buffers, for a safetensors file.</summary>
    /// <param name="store">The parameters.</param>
    /// <param name="buffer">Its master copies, or a moment.</param>
    /// <param name="prefix">What goes in front of each parameter's name.</param>
    public static IEnumerable<SafetensorsSource> Sources(ParameterStore store, DeviceBuffer buffer, string prefix = "") =>
        store.Parameters.Select(p =>
        {
            var start = store.OffsetOf(p.Name) * 4;
            return new SafetensorsSource(prefix + p.Name, SafetensorsDtype.F32, p.Shape,
                (offset, destination) => buffer.Read(destination, start + offset));
        });

    /// <summary>config.json as text.</summary>
    public static string ConfigText(ModelConfig model) => model.ToJson().ToJsonString(Indented);

    /// <summary>
    /// Fills one of a store's fp32 buffers from a file of a checkpoint, which must hold exactly its parameters under their own names.
    /// </summary>
    /// <exception cref="InvalidDataException">A tensor is missing, too much, or of another shape or dtype; the message names it.</exception>
    public static void Load(SafetensorsFile file, ParameterStore store, DeviceBuffer buffer, string prefix = "")
    {
        var path = file.Path;
        var found = file.Tensors.Where(t => t.Name.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Name);
        var wanted = store.Parameters.ToDictionary(p => prefix + p.Name);
        foreach (var name in found.Keys)
        {
            if (!wanted.ContainsKey(name))
                throw new InvalidDataException($"{path} has a tensor '{name}' that the model of its config.json does not have");
        }

        foreach (var (name, p) in wanted)
        {
            if (!found.TryGetValue(name, out var tensor))
                throw new InvalidDataException($"{path} lacks the tensor '{name}', which the model of its config.json has");
            if (!tensor.Shape.SequenceEqual(p.Shape))
            {
                throw new InvalidDataException($"{path}: tensor '{name}' has the shape [{string.Join(", ", tensor.Shape)}], "
                    + $"the model of its config.json [{string.Join(", ", p.Shape)}]");
            }

            if (!TensorFloats.Supports(tensor.Dtype))
                throw new InvalidDataException($"{path}: tensor '{name}' is {tensor.Dtype.FileName()}; F32, F16 and BF16 can be loaded");
            Fill(tensor, buffer, store.OffsetOf(p.Name) * 4);
        }
    }

    /// <summary>Loads the model of a folder, as training here, Hugging Face's transformers or others have left it.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong; the message names file and place.</exception>
    public static (ModelConfig Model, ParameterStore Parameters) LoadModel(string folder, Device device, DType computeType, bool training)
    {
        using var tensors = ModelTensors.Open(folder);
        var store = new ParameterStore(device, tensors.Parameters, computeType, training);
        try
        {
            foreach (var p in tensors.Parameters)
                Fill(tensors[p.Name], store.Master, store.OffsetOf(p.Name) * 4);
            store.RefreshCompute();
            return (tensors.Model, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Reads a folder's config.json.</summary>
    /// <exception cref="IOException">There is none, or it cannot be read.</exception>
    /// <exception cref="InvalidDataException">Its content is wrong or not supported; the message names file and key.</exception>
    public static ModelConfig LoadConfig(string folder)
    {
        var path = Path.Combine(folder, ConfigName);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{folder} is not a model: it has no {ConfigName}. A model is a folder with {ConfigName}, "
                + $"{WeightsName} and tokenizer files, such as runs/NAME/checkpoints/best");
        }

        if (new FileInfo(path).Length > MaximumConfigLength)
            throw new InvalidDataException($"{path} is longer than {MaximumConfigLength:N0} bytes: that is no {ConfigName}");
        return ParseConfig(File.ReadAllBytes(path), path);
    }

    /// <summary>Reads the bytes of a config.json; <paramref name="path"/> is for messages.</summary>
    internal static ModelConfig ParseConfig(byte[] utf8, string path)
    {
        try
        {
            return JsonNode.Parse(utf8) is JsonObject json
                ? ModelConfig.FromJson(json)
                : throw new InvalidDataException($"{path} is not a JSON object");
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private static void Fill(SafetensorsTensor tensor, DeviceBuffer buffer, long offset)
    {
        var elements = TensorFloats.ElementsOf(tensor);
        var floats = new float[Math.Min(elements, TensorFloats.Chunk)];
        for (var done = 0L; done < elements; done += floats.Length)
        {
            var part = floats.AsSpan(0, (int)Math.Min(floats.Length, elements - done));
            TensorFloats.Read(tensor, done, part);
            buffer.Write<float>(part, offset + (done * 4));
        }
    }
}
