using Ingot.Adapters;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Checkpoints;

/// <summary>
/// A model folder in Hugging Face's layout, checked: its config.json, and for every parameter of that model the tensor that holds it.
/// Files name tensors in several ways: with the name of the model's body in front or without it, with buffers that follow from the
/// sizes, with a copy of a head that is tied to the token table. A model may be opened with another head than the folder's: then the
/// folder lacks the new head's tensors, and the old one's are passed over. Nothing is read but what the check takes.
/// </summary>
public sealed class ModelTensors : IDisposable
{
    private readonly ModelWeights _weights;
    private readonly Dictionary<string, SafetensorsTensor> _tensors = new(StringComparer.Ordinal);

    private ModelTensors(ModelConfig saved, ModelConfig model, ModelWeights weights)
    {
        HasNewHead = model.Task != saved.Task || !model.Labels.SequenceEqual(saved.Labels);
        Model = model.AsIn(weights.Tensors.Select(tensor => model.CanonicalName(tensor.Name)).ToHashSet(StringComparer.Ordinal));
        model = Model;
        Parameters = model.DeclareParameters();
        _weights = weights;
    }

    /// <summary>The model of the folder's config.json, or what was made of it.</summary>
    public ModelConfig Model { get; }

    /// <summary>Whether that has another head, or other labels, than config.json says.</summary>
    public bool HasNewHead { get; }

    /// <summary>The model's parameters in the order of declaration.</summary>
    public IReadOnlyList<ParameterInfo> Parameters { get; }

    /// <summary>The file of weights, or the index of several.</summary>
    public string Path => _weights.Path;

    /// <summary>Names of tensors in the files that the model does not need: buffers and copies.</summary>
    public IReadOnlyList<string> Passed { get; private set; } = [];

    /// <summary>Parameters of a new head, which the files do not hold.</summary>
    public IReadOnlyList<string> Missing { get; private set; } = [];

    /// <summary>The tensor that holds a parameter: of its shape, in F32, F16 or BF16.</summary>
    public SafetensorsTensor this[string parameter] => _tensors[parameter];

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="change">
    /// Makes of the model of config.json the one that is wanted, with another head; null for that of config.json.
    /// </param>
    /// <exception cref="IOException">A file is missing or cannot be read; the message names it.</exception>
    /// <exception cref="InvalidDataException">
    /// A file's content is wrong, or the weights are not those of the config: the message names the tensor and both shapes.
    /// </exception>
    public static ModelTensors Open(string folder, Func<ModelConfig, ModelConfig>? change = null)
    {
        if (AdapterFiles.IsAdapter(folder) && !File.Exists(System.IO.Path.Combine(folder, ModelFiles.WeightsName)))
        {
            throw new InvalidDataException($"{folder} holds an adapter and no model: `ingot adapter merge --model BASE --adapter {folder} "
                + "--output NEW` makes one of it and its base");
        }

        var saved = ModelFiles.LoadConfig(folder);
        var model = change is null ? saved : change(saved);
        var weights = ModelWeights.Open(folder);
        try
        {
            var tensors = new ModelTensors(saved, model, weights);
            tensors.Match();
            return tensors;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _weights.Dispose();

    private void Match()
    {
        var wanted = Parameters.ToDictionary(p => p.Name, StringComparer.Ordinal);
        var passed = new List<string>();
        var copies = new List<(SafetensorsTensor Copy, string Parameter)>();
        foreach (var tensor in _weights.Tensors)
        {
            var name = Model.CanonicalName(tensor.Name);
            var isOfOtherHead = Model.IsOfOtherHead(name, HasNewHead);
            if (!isOfOtherHead && FindParameter(name, wanted) is { } parameter)
            {
                Take(tensor, parameter);
                continue;
            }

            if (Model.TiedNames.TryGetValue(name, out var own) || Model.TiedNames.TryGetValue(Model.BodyPrefix + name, out own))
                copies.Add((tensor, own));
            else if (!isOfOtherHead && !IsBuffer(name) && !Model.IsBuffer(name))
                throw Bad($"the tensor '{tensor.Name}' [{Text(tensor.Shape)}] belongs to no part of the {Model.ModelType} of config.json");
            passed.Add(tensor.Name);
        }

        var lacking = Parameters.Where(p => !_tensors.ContainsKey(p.Name)).ToList();
        if (lacking.Find(p => !HasNewHead || !Model.IsOfHead(p.Name)) is { } missing)
        {
            throw Bad($"the tensor '{missing.Name}' [{Text(missing.Shape)}] is missing, which the model of its config.json has"
                + (IsHead(missing.Name) ? ": if its head is the token table, set tie_word_embeddings to true there" : ""));
        }

        foreach (var (copy, own) in copies)
            CheckCopy(copy, _tensors[own]);
        (Passed, Missing) = (passed, lacking.ConvertAll(p => p.Name));
    }

    private bool IsHead(string parameter) => Model.Task is ModelTask.CausalLm or ModelTask.MaskedLm or ModelTask.Seq2seqLm
        && Model.HeadWeight(new Graph()).Storage.Name == parameter;

    private ParameterInfo? FindParameter(string name, Dictionary<string, ParameterInfo> wanted) =>
        wanted.GetValueOrDefault(name) ?? wanted.GetValueOrDefault(Model.BodyPrefix + name);

    private void Take(SafetensorsTensor tensor, ParameterInfo parameter)
    {
        if (!tensor.Shape.SequenceEqual(parameter.Shape))
        {
            throw Bad($"tensor '{tensor.Name}' has the shape [{Text(tensor.Shape)}], the model of its config.json needs "
                + $"[{Text(parameter.Shape)}]"
                + (tensor.Shape.Count == 2 && tensor.Shape.Reverse().SequenceEqual(parameter.Shape) ? ": it lies transposed" : ""));
        }

        if (!TensorFloats.Supports(tensor.Dtype))
            throw Bad($"tensor '{tensor.Name}' is {tensor.Dtype.FileName()}; F32, F16 and BF16 can be loaded");
        if (!_tensors.TryAdd(parameter.Name, tensor))
            throw Bad($"the tensors '{_tensors[parameter.Name].Name}' and '{tensor.Name}' are the same part of the model");
    }

    // Masks, positions and rotary frequencies, which older versions of transformers saved.
    private static bool IsBuffer(string name) =>
        name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal)
        || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)
        || name.EndsWith("embeddings.position_ids", StringComparison.Ordinal)
        || name.EndsWith("embeddings.token_type_ids", StringComparison.Ordinal);

    // The config says that the head is the token table. A file that holds another head as well was trained with it.
    private void CheckCopy(SafetensorsTensor copy, SafetensorsTensor table)
    {
        var what = copy.Name.EndsWith(".bias", StringComparison.Ordinal) ? "the head's bias" : "the token table";
        if (!copy.Shape.SequenceEqual(table.Shape) || !TensorFloats.Supports(copy.Dtype))
        {
            throw Bad($"tensor '{copy.Name}' is {copy.Dtype.FileName()} [{Text(copy.Shape)}], "
                + $"{what} {table.Dtype.FileName()} [{Text(table.Shape)}]");
        }

        var elements = TensorFloats.ElementsOf(table);
        var (a, b) = (new float[Math.Min(elements, TensorFloats.Chunk)], new float[Math.Min(elements, TensorFloats.Chunk)]);
        for (var done = 0L; done < elements; done += a.Length)
        {
            var part = (int)Math.Min(a.Length, elements - done);
            TensorFloats.Read(copy, done, a.AsSpan(0, part));
            TensorFloats.Read(table, done, b.AsSpan(0, part));
            if (!a.AsSpan(0, part).SequenceEqual(b.AsSpan(0, part)))
            {
                throw Bad($"the tensor '{copy.Name}' is not {what} '{table.Name}', as tie_word_embeddings of config.json says: "
                    + "set it to false there if the head has weights of its own");
            }
        }
    }

    private InvalidDataException Bad(string problem) => new($"{Path}: {problem}");

    private static string Text(IReadOnlyList<long> shape) => string.Join(", ", shape);
}
