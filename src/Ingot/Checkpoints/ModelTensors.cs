using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Checkpoints;

/// <summary>
/// A model folder in Hugging Face's layout, checked: its config.json, and for every parameter of that model the tensor that holds it.
/// Files name tensors in several ways: with the name of the model's body in front or without it, with buffers that follow from the
/// sizes, with a copy of a head that is tied to the token table. Nothing is read but what the check takes.
/// </summary>
public sealed class ModelTensors : IDisposable
{
    private const string HeadName = "lm_head.weight";

    private readonly ModelWeights _weights;
    private readonly Dictionary<string, SafetensorsTensor> _tensors = new(StringComparer.Ordinal);

    private ModelTensors(ModelConfig model, ModelWeights weights)
    {
        Model = model;
        Parameters = model.DeclareParameters();
        _weights = weights;
    }

    /// <summary>The model of the folder's config.json.</summary>
    public ModelConfig Model { get; }

    /// <summary>The model's parameters in the order of declaration.</summary>
    public IReadOnlyList<ParameterInfo> Parameters { get; }

    /// <summary>The file of weights, or the index of several.</summary>
    public string Path => _weights.Path;

    /// <summary>Names of tensors in the files that the model does not need: buffers and copies.</summary>
    public IReadOnlyList<string> Passed { get; private set; } = [];

    /// <summary>The tensor that holds a parameter: of its shape, in F32, F16 or BF16.</summary>
    public SafetensorsTensor this[string parameter] => _tensors[parameter];

    /// <summary>Opens a folder.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read; the message names it.</exception>
    /// <exception cref="InvalidDataException">
    /// A file's content is wrong, or the weights are not those of the config: the message names the tensor and both shapes.
    /// </exception>
    public static ModelTensors Open(string folder)
    {
        var model = ModelFiles.LoadConfig(folder);
        var weights = ModelWeights.Open(folder);
        try
        {
            var tensors = new ModelTensors(model, weights);
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
        var copies = new List<SafetensorsTensor>();
        foreach (var tensor in _weights.Tensors)
        {
            if (FindParameter(tensor.Name, wanted) is { } parameter)
            {
                Take(tensor, parameter);
                continue;
            }

            if (Model.TokenTableCopies.Contains(tensor.Name) || Model.TokenTableCopies.Contains(Model.BodyPrefix + tensor.Name))
                copies.Add(tensor);
            else if (!IsBuffer(tensor.Name) && !Model.IsBuffer(tensor.Name))
                throw Bad($"the tensor '{tensor.Name}' [{Text(tensor.Shape)}] belongs to no part of the {Model.ModelType} of config.json");
            passed.Add(tensor.Name);
        }

        if (Parameters.FirstOrDefault(p => !_tensors.ContainsKey(p.Name)) is { } missing)
        {
            throw Bad($"the tensor '{missing.Name}' [{Text(missing.Shape)}] is missing, which the model of its config.json has"
                + (missing.Name == HeadName ? ": if its head is the token table, set tie_word_embeddings to true there" : ""));
        }

        foreach (var copy in copies)
            CheckCopy(copy, _tensors[Model.TokenTableName]);
        Passed = passed;
    }

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

    // Masks and rotary frequencies, which older versions of transformers saved.
    private static bool IsBuffer(string name) =>
        name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal)
        || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal);

    // The config says that the head is the token table. A file that holds another head as well was trained with it.
    private void CheckCopy(SafetensorsTensor copy, SafetensorsTensor table)
    {
        if (!copy.Shape.SequenceEqual(table.Shape) || !TensorFloats.Supports(copy.Dtype))
        {
            throw Bad($"tensor '{copy.Name}' is {copy.Dtype.FileName()} [{Text(copy.Shape)}], "
                + $"the token table {table.Dtype.FileName()} [{Text(table.Shape)}]");
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
                throw Bad($"the tensor '{copy.Name}' is not the token table '{table.Name}', as tie_word_embeddings of config.json says: "
                    + "set it to false there if the head has weights of its own");
            }
        }
    }

    private InvalidDataException Bad(string problem) => new($"{Path}: {problem}");

    private static string Text(IReadOnlyList<long> shape) => string.Join(", ", shape);
}
