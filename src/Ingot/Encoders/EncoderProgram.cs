using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Tokenizers;

namespace Ingot.Encoders;

/// <summary>
/// Runs an encoder on batches of texts: what comes out is the logits of its head or, without one, its hidden states. Each length of rows,
/// a multiple of 32, gets a program of its own.
/// </summary>
/// <remarks>Not to be used by several threads at once.</remarks>
internal sealed class EncoderProgram : IDisposable
{
    private const int LengthMultiple = 32;

    private readonly ParameterStore _parameters;
    private readonly int _rows;
    private readonly Dictionary<int, CompiledGraph> _programs = [];

    private EncoderProgram(ModelConfig model, ParameterStore parameters, Tokenizer tokenizer, int rows) =>
        (Model, _parameters, Tokenizer, _rows) = (model, parameters, tokenizer, rows);

    /// <summary>The model.</summary>
    public ModelConfig Model { get; }

    /// <summary>The tokenizer of its folder.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Values that come out for a token, or for a text where that has the label.</summary>
    public int Outputs => Model.Task == ModelTask.FeatureExtraction ? Model.Width : Model.Labels.Count;

    /// <summary>Loads the encoder of a folder.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="computeType">dtype of computations.</param>
    /// <param name="rows">Texts of a batch.</param>
    /// <param name="change">Makes of the folder's model the one that is wanted; null for itself.</param>
    /// <param name="adapter">Folder of an adapter that is merged into the weights; the model's folder may be that of one itself.</param>
    /// <exception cref="InvalidDataException">It is no encoder, or its tokenizer does not fit.</exception>
    public static EncoderProgram Load(string folder, Device device, DType computeType, int rows,
        Func<ModelConfig, ModelConfig>? change = null, string? adapter = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        if (adapter is null && AdapterFiles.IsAdapter(folder))
            (folder, adapter) = (AdapterFiles.FindBase(folder), folder);
        var saved = ModelFiles.LoadConfig(folder);
        if (saved is not BertConfig)
            throw new InvalidDataException($"{folder} holds a {saved.ModelType}, which is no encoder: encoders are bert and roberta");
        var tokenizer = Tokenizer.Load(folder);
        if (tokenizer.VocabularySize > saved.VocabularySize)
        {
            throw new InvalidDataException($"{folder}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                + $"{saved.VocabularySize}; they do not belong together");
        }

        var (model, parameters) = adapter is null
            ? ModelFiles.LoadModel(folder, device, computeType, training: false, change)
            : LoadAdapted(folder, adapter, device, computeType, AdapterFiles.WithHead(adapter, saved), change);
        return new EncoderProgram(model, parameters, tokenizer, rows);
    }

    /// <summary>Encodes a text or a pair.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null for none.</param>
    /// <param name="truncate">Whether a text that is too long is cut.</param>
    /// <exception cref="InvalidDataException">It is too long, or cannot be written in the vocabulary.</exception>
    public TokenEncoding Encode(string text, string? pair, bool truncate)
    {
        var encoding = Tokenizer.Tokenize(text, pair,
            new EncodeOptions { Truncation = truncate ? new TruncationOptions(Model.MaxPositions) : null });
        if (encoding.Ids.Length > Model.MaxPositions)
        {
            throw new InvalidDataException($"the text \"{(text.Length <= 40 ? text : text[..40] + "...")}\" has {encoding.Ids.Length} "
                + $"tokens, and the model has {Model.MaxPositions} positions: shorten it, or have it cut (truncation)");
        }

        return encoding.Ids.Length > 0 ? encoding
            : throw new InvalidDataException("a text without any token has nothing to read: the tokenizer adds none of its own either");
    }

    /// <summary>
    /// Runs texts and gives for each, in their order, its values: [tokens, outputs], or [outputs] where a text has one label. Texts of
    /// about one length go together.
    /// </summary>
    public float[][] Run(IReadOnlyList<TokenEncoding> texts, CancellationToken ct = default)
    {
        var results = new float[texts.Count][];
        foreach (var group in Enumerable.Range(0, texts.Count).OrderByDescending(i => texts[i].Ids.Length).Chunk(_rows))
        {
            ct.ThrowIfCancellationRequested();
            Run(texts, group, results);
        }

        return results;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var program in _programs.Values)
            program.Dispose();
        _parameters.Dispose();
    }

    private static (ModelConfig Model, ParameterStore Parameters) LoadAdapted(
        string folder, string adapter, Device device, DType computeType, ModelConfig model, Func<ModelConfig, ModelConfig>? change)
    {
        // The adapter's tensors have the names of the head that it was trained with.
        return change is null || change(model).Task == model.Task ? AdapterFiles.LoadMerged(folder, adapter, device, computeType)
            : throw new InvalidDataException($"{adapter} is an adapter for {model.Task.Name()}: put it into the base's weights first, "
                + $"`ingot adapter merge --model {folder} --adapter {adapter} --output NEW`, and take NEW as the model");
    }

    private void Run(IReadOnlyList<TokenEncoding> texts, int[] group, float[][] results)
    {
        var longest = texts[group[0]].Ids.Length;
        var length = Math.Min(Model.MaxPositions, (longest + LengthMultiple - 1) / LengthMultiple * LengthMultiple);
        var (tokens, positions, segments, types) =
            (new int[_rows * length], new int[_rows * length], new int[_rows * length], new int[_rows * length]);
        segments.AsSpan().Fill(Batch.Padding);
        foreach (var (row, text) in group.Index())
        {
            var at = row * length;
            texts[text].Ids.CopyTo(tokens, at);
            texts[text].TypeIds.CopyTo(types, at);
            segments.AsSpan(at, texts[text].Ids.Length).Clear();
            for (var i = 0; i < texts[text].Ids.Length; i++)
                positions[at + i] = i;
        }

        var program = ProgramFor(length);
        program.Set<int>("tokens", tokens);
        program.Set<int>("positions", positions);
        program.Set<int>("segments", segments);
        if (program.HasInput("token_types"))
            program.Set<int>("token_types", types);
        program.Run();
        var perRow = Model.TargetsOf(1, length) * Outputs;
        var values = new float[_rows * perRow];
        program.Get<float>("values", values);
        foreach (var (row, text) in group.Index())
            results[text] = values.AsSpan(row * perRow, Model.TargetsOf(1, texts[text].Ids.Length) * Outputs).ToArray();
    }

    private CompiledGraph ProgramFor(int length)
    {
        if (_programs.TryGetValue(length, out var program))
            return program;
        var graph = new Graph(_parameters.ComputeType);
        var context = ForwardContext.WithSegments(graph, _rows, length);
        var values = Model.Task == ModelTask.FeatureExtraction ? Model.Forward(context) : Model.Logits(context);
        graph.Output("values", Elementwise.Cast(values, DType.F32));
        program = CompiledGraph.Compile(graph, _parameters, new CompileOptions());
        _programs.Add(length, program);
        return program;
    }
}
