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

    private const string ConfigOwner = "the model of its config.json";

    private const long MaximumConfigLength = 10_000_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The values of parameters, for a safetensors file: in F32, or in BF16 where that is all there is.</summary>
    /// <param name="store">The parameters.</param>
    /// <param name="which">Which of them; all if it is null.</param>
    /// <param name="prefix">What goes in front of each parameter's name.</param>
    public static IEnumerable<SafetensorsSource> Weights(ParameterStore store, Func<ParameterInfo, bool>? which = null,
        string prefix = "") =>
        store.Parameters.Where(which ?? (_ => true)).Select(p => store.HasMaster(p.Name)
            ? Source(prefix + p.Name, p, store, store.Master, SafetensorsDtype.F32)
            : Source(prefix + p.Name, p, store, store.Compute!, SafetensorsDtype.BF16));

    /// <summary>The optimizer's moments of all trained parameters, for a safetensors file: "m." and "v." and the name.</summary>
    public static IEnumerable<SafetensorsSource> Moments(ParameterStore store)
    {
        var trained = store.Parameters.Where(p => store.Layout.IsTrained(p.Name)).ToList();
        return [.. trained.Select(p => Source("m." + p.Name, p, store, store.FirstMoments!, SafetensorsDtype.F32)),
            .. trained.Select(p => Source("v." + p.Name, p, store, store.SecondMoments!, SafetensorsDtype.F32))];
    }

    /// <summary>config.json as text.</summary>
    public static string ConfigText(ModelConfig model) => model.ToJson().ToJsonString(Indented);

    /// <summary>Fills parameters from a file that must hold exactly them, under their own names, in F32, F16 or BF16.</summary>
    /// <param name="file">The file.</param>
    /// <param name="store">The parameters.</param>
    /// <param name="which">Which of them the file holds; all if it is null.</param>
    /// <param name="prefix">What stands in front of each parameter's name.</param>
    /// <param name="owner">Whose tensors they must be, for messages.</param>
    /// <exception cref="InvalidDataException">
    /// A tensor is missing, too much, or of another shape or dtype; the message names it.
    /// </exception>
    public static void LoadWeights(SafetensorsFile file, ParameterStore store, Func<ParameterInfo, bool>? which = null, string prefix = "",
        string owner = ConfigOwner) =>
        Load(file.Path, file.Tensors, store.Parameters.Where(which ?? (_ => true)).ToDictionary(p => prefix + p.Name), owner,
            (p, values, begin) => store.Write(p.Name, values, begin));

    /// <summary>Fills the optimizer's moments of all trained parameters from a file that must hold exactly them.</summary>
    /// <exception cref="InvalidDataException">
    /// A tensor is missing, too much, or of another shape or dtype; the message names it.
    /// </exception>
    public static void LoadMoments(SafetensorsFile file, ParameterStore store)
    {
        var trained = store.Parameters.Where(p => store.Layout.IsTrained(p.Name)).ToList();
        foreach (var (prefix, buffer) in new[] { ("m.", store.FirstMoments!), ("v.", store.SecondMoments!) })
        {
            Load(file.Path, file.Tensors.Where(t => t.Name.StartsWith(prefix, StringComparison.Ordinal)),
                trained.ToDictionary(p => prefix + p.Name), ConfigOwner,
                (p, values, begin) => buffer.Write(values, (store.OffsetOf(p.Name) + begin) * 4));
        }
    }

    /// <summary>Loads the model of a folder, as training here, Hugging Face's transformers or others have left it.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="device">Where the parameters go.</param>
    /// <param name="computeType">dtype of computations.</param>
    /// <param name="training">Whether gradients and moments are needed.</param>
    /// <param name="change">See <see cref="ModelTensors.Open"/>; parameters that the files do not hold stay zero.</param>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong; the message names file and place.</exception>
    public static (ModelConfig Model, ParameterStore Parameters) LoadModel(string folder, Device device, DType computeType, bool training,
        Func<ModelConfig, ModelConfig>? change = null)
    {
        using var tensors = ModelTensors.Open(folder, change);
        var store = new ParameterStore(device, tensors.Parameters, computeType, training);
        try
        {
            Load(tensors, store);
            return (tensors.Model, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Fills the parameters of a folder's model; the store may have others besides, such as an adapter's.</summary>
    public static void Load(ModelTensors tensors, ParameterStore store)
    {
        foreach (var p in tensors.Parameters.Where(p => !tensors.Missing.Contains(p.Name)))
            Fill(tensors[p.Name], (values, begin) => store.Write(p.Name, values, begin));
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
            var node = JsonNode.Parse(utf8);
            // Half a surrogate pair in a text shows only when the text is read; here it is an error, and not when a model is saved.
            node?.ToJsonString();
            return node is JsonObject json
                ? ModelConfig.FromJson(json)
                : throw new InvalidDataException($"{path} is not a JSON object");
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private delegate void WriteParameter(ParameterInfo parameter, ReadOnlySpan<float> values, long begin);

    private delegate void WritePart(ReadOnlySpan<float> values, long begin);

    private static SafetensorsSource Source(string name, ParameterInfo p, ParameterStore store, DeviceBuffer buffer, SafetensorsDtype dtype)
    {
        var start = store.OffsetOf(p.Name) * (dtype.Bits() / 8);
        return new SafetensorsSource(name, dtype, p.Shape, (offset, destination) => buffer.Read(destination, start + offset));
    }

    private static void Load(string path, IEnumerable<SafetensorsTensor> tensors, Dictionary<string, ParameterInfo> wanted, string owner,
        WriteParameter write)
    {
        var found = tensors.ToDictionary(t => t.Name);
        foreach (var name in found.Keys)
        {
            if (!wanted.ContainsKey(name))
                throw new InvalidDataException($"{path} has a tensor '{name}' that {owner} does not have");
        }

        foreach (var (name, p) in wanted)
        {
            if (!found.TryGetValue(name, out var tensor))
                throw new InvalidDataException($"{path} lacks the tensor '{name}', which {owner} has");
            if (!tensor.Shape.SequenceEqual(p.Shape))
            {
                throw new InvalidDataException($"{path}: tensor '{name}' has the shape [{string.Join(", ", tensor.Shape)}], "
                    + $"{owner} [{string.Join(", ", p.Shape)}]");
            }

            if (!TensorFloats.Supports(tensor.Dtype))
                throw new InvalidDataException($"{path}: tensor '{name}' is {tensor.Dtype.FileName()}; F32, F16 and BF16 can be loaded");
            Fill(tensor, (values, begin) => write(p, values, begin));
        }
    }

    private static void Fill(SafetensorsTensor tensor, WritePart write)
    {
        var elements = TensorFloats.ElementsOf(tensor);
        var floats = new float[Math.Min(elements, TensorFloats.Chunk)];
        for (var done = 0L; done < elements; done += floats.Length)
        {
            var part = floats.AsSpan(0, (int)Math.Min(floats.Length, elements - done));
            TensorFloats.Read(tensor, done, part);
            write(part, done);
        }
    }
}
