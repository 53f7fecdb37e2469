using System.Runtime.InteropServices;
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
    /// Fills one of a store's fp32 buffers from a file that must hold exactly its parameters, in F32, F16 or BF16.
    /// </summary>
    /// <exception cref="InvalidDataException">A tensor is missing, too much, or of another shape or dtype; the message names it.</exception>
    public static void Load(SafetensorsFile file, ParameterStore store, DeviceBuffer buffer, string prefix = "") =>
        Load(file.Path, file.Tensors, store, buffer, prefix);

    private static void Load(string path, IEnumerable<SafetensorsTensor> tensors, ParameterStore store, DeviceBuffer buffer, string prefix)
    {
        var found = tensors.Where(t => t.Name.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Name);
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

            Fill(path, tensor, buffer, store.OffsetOf(p.Name) * 4);
        }
    }

    /// <summary>Loads the model of a folder: its config.json and its weights.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong; the message names file and place.</exception>
    public static (ModelConfig Model, ParameterStore Parameters) LoadModel(string folder, Device device, DType computeType, bool training)
    {
        var model = LoadConfig(folder);
        using var weights = ModelWeights.Open(folder);
        var store = new ParameterStore(device, model.DeclareParameters(), computeType, training);
        try
        {
            Load(weights.Path, weights.Tensors, store, store.Master, prefix: "");
            store.RefreshCompute();
            return (model, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Reads a folder's config.json.</summary>
    public static ModelConfig LoadConfig(string folder)
    {
        var path = Path.Combine(folder, ConfigName);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{folder} is not a model: it has no {ConfigName}. A model is a folder with {ConfigName}, "
                + $"{WeightsName} and tokenizer files, such as runs/NAME/checkpoints/best");
        }

        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) is JsonObject json
                ? ModelConfig.FromJson(json)
                : throw new InvalidDataException($"{path} is not a JSON object");
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private static void Fill(string path, SafetensorsTensor tensor, DeviceBuffer buffer, long offset)
    {
        const int Chunk = 1 << 20;
        var elements = tensor.Length / (tensor.Dtype.Bits() / 8);
        var floats = new float[Math.Min(elements, Chunk)];
        var halves = tensor.Dtype is SafetensorsDtype.BF16 or SafetensorsDtype.F16 ? new ushort[floats.Length] : [];
        for (var done = 0L; done < elements; done += floats.Length)
        {
            var part = floats.AsSpan(0, (int)Math.Min(floats.Length, elements - done));
            switch (tensor.Dtype)
            {
                case SafetensorsDtype.F32:
                    tensor.CopyTo(done * 4, MemoryMarshal.AsBytes(part));
                    break;
                case SafetensorsDtype.BF16:
                    tensor.CopyTo(done * 2, MemoryMarshal.AsBytes(halves.AsSpan(0, part.Length)));
                    for (var i = 0; i < part.Length; i++)
                        part[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                    break;
                case SafetensorsDtype.F16:
                    tensor.CopyTo(done * 2, MemoryMarshal.AsBytes(halves.AsSpan(0, part.Length)));
                    for (var i = 0; i < part.Length; i++)
                        part[i] = (float)BitConverter.UInt16BitsToHalf(halves[i]);
                    break;
                default:
                    throw new InvalidDataException(
                        $"{path}: tensor '{tensor.Name}' is {tensor.Dtype.FileName()}; F32, F16 and BF16 can be loaded");
            }

            buffer.Write<float>(part, offset + (done * 4));
        }
    }
}
