using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Ingot.Checkpoints;

/// <summary>
/// The weights of a model folder in Hugging Face's layout: model.safetensors, or shards that model.safetensors.index.json lists as
/// <c>{"weight_map": {tensor: file}}</c>. The files are mapped, not read; if both forms are there, the single file counts.
/// </summary>
public sealed class ModelWeights : IDisposable
{
    /// <summary>Name of the file that says which shard holds a tensor.</summary>
    public const string IndexName = "model.safetensors.index.json";

    private const long MaximumIndexLength = 100_000_000;

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsTensor> _byName = new(StringComparer.Ordinal);

    private ModelWeights(string path) => Path = path;

    /// <summary>The single file or the index.</summary>
    public string Path { get; }

    /// <summary>All tensors of all files.</summary>
    public IReadOnlyCollection<SafetensorsTensor> Tensors => _byName.Values;

    /// <summary>Opens the weights of a folder.</summary>
    /// <exception cref="FileNotFoundException">The folder has no weights, or lacks a shard; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file breaks a rule of its format; the message names file and rule.</exception>
    public static ModelWeights Open(string folder)
    {
        var single = System.IO.Path.Combine(folder, ModelFiles.WeightsName);
        var index = System.IO.Path.Combine(folder, IndexName);
        var sharded = !File.Exists(single) && File.Exists(index);
        if (!sharded && !File.Exists(single))
            throw new FileNotFoundException($"{folder} has no weights: neither {ModelFiles.WeightsName} nor {IndexName} is there");
        var weights = new ModelWeights(sharded ? index : single);
        try
        {
            if (sharded)
                weights.AddShards(folder);
            else
                weights.Add(single);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Looks a tensor up by name.</summary>
    public bool TryGet(string name, [MaybeNullWhen(false)] out SafetensorsTensor tensor) => _byName.TryGetValue(name, out tensor);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private void AddShards(string folder)
    {
        var places = ReadIndex();
        foreach (var shard in places.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var path = System.IO.Path.Combine(folder, shard);
            if (!File.Exists(path))
                throw new FileNotFoundException($"{Path} names the file '{shard}', which is not in the folder: fetch it, or the model "
                    + "again");
            foreach (var tensor in Add(path))
            {
                if (!places.TryGetValue(tensor.Name, out var place) || place != shard)
                    throw Bad($"{shard} holds the tensor '{tensor.Name}', which the index "
                        + $"{(place is null ? "does not name" : $"places in {place}")}");
            }
        }

        foreach (var (name, shard) in places)
        {
            if (!_byName.ContainsKey(name))
                throw Bad($"it places the tensor '{name}' in {shard}, which does not hold it");
        }
    }

    private IReadOnlyList<SafetensorsTensor> Add(string path)
    {
        var file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (var tensor in file.Tensors)
        {
            if (!_byName.TryAdd(tensor.Name, tensor))
                throw Bad($"the tensor '{tensor.Name}' is in two of its files");
        }

        return file.Tensors;
    }

    private Dictionary<string, string> ReadIndex()
    {
        if (new FileInfo(Path).Length > MaximumIndexLength)
            throw Bad($"it is longer than {MaximumIndexLength:N0} bytes");
        return ParseIndex(File.ReadAllBytes(Path), Path);
    }

    /// <summary>Reads an index: the file of every tensor. <paramref name="path"/> is for messages.</summary>
    internal static Dictionary<string, string> ParseIndex(byte[] utf8, string path)
    {
        try
        {
            using var json = JsonDocument.Parse(utf8);
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("weight_map", out var map)
                || map.ValueKind != JsonValueKind.Object)
            {
                throw Bad(path, "it has no object 'weight_map'");
            }

            var places = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in map.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.String)
                    throw Bad(path, $"weight_map: the value of '{entry.Name}' is no file name");
                var shard = entry.Value.GetString()!;
                // A file beside the index and nowhere else.
                if (shard is "" or "." or ".." || shard.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
                    throw Bad(path, $"weight_map: '{shard}' of the tensor '{entry.Name}' is not the name of a file in the same folder");
                if (!places.TryAdd(entry.Name, shard))
                    throw Bad(path, $"weight_map names the tensor '{entry.Name}' twice");
            }

            return places;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Bad(path, e.Message);
        }
    }

    private InvalidDataException Bad(string problem) => Bad(Path, problem);

    private static InvalidDataException Bad(string path, string problem) => new($"{path}: {problem}");
}
