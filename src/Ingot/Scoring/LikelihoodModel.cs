using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Scoring;

/// <summary>Tokens that a model reads, and what should follow them.</summary>
/// <param name="Tokens">What is read, in order.</param>
/// <param name="Targets">For each of them the token that follows, or <see cref="Batch.Ignore"/> where that does not count.</param>
internal readonly record struct LikelihoodWindow(int[] Tokens, int[] Targets)
{
    /// <summary>What the encoder of an encoder-decoder reads; null for other models.</summary>
    public int[]? Source { get; init; }

    /// <summary>How many targets count.</summary>
    public int Count => Targets.Length - Targets.AsSpan().Count(Batch.Ignore);
}

/// <summary>
/// Computes how likely a model finds given tokens: one that continues texts, or an encoder-decoder, given a source. Windows of about one
/// length go through it together; each length, rounded up, gets a program of its own.
/// </summary>
/// <remarks>Not to be used by several threads at once.</remarks>
public sealed class LikelihoodModel : IDisposable
{
    // So many lengths of programs at most, and none shorter than this.
    private const int MostPrograms = 32;
    private const int LengthMultiple = 32;

    private readonly ParameterStore _parameters;
    private readonly int _rows;
    private readonly Dictionary<(int Length, int SourceLength), CompiledGraph> _programs = [];

    private LikelihoodModel(string folder, ModelConfig model, ParameterStore parameters, Tokenizer tokenizer, int rows) =>
        (Folder, Model, _parameters, Tokenizer, _rows) = (folder, model, parameters, tokenizer, rows);

    /// <summary>The folder of the model, or of the base model of an adapter.</summary>
    public string Folder { get; }

    /// <summary>The model.</summary>
    public ModelConfig Model { get; }

    /// <summary>Its tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Whether it computes in bf16.</summary>
    internal bool IsBf16 => _parameters.ComputeType == DType.Bf16;

    /// <summary>Windows of a batch.</summary>
    internal int Rows => _rows;

    /// <summary>Loads the model of a folder.</summary>
    /// <param name="folder">The model's folder; that of an adapter stands for its base with the adapter.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="computeType">dtype of computations: F32 or Bf16.</param>
    /// <param name="batchSize">Windows that go through the model at a time.</param>
    /// <param name="adapter">Folder of an adapter that is merged into the weights; null for none.</param>
    /// <exception cref="InvalidDataException">It is no model that writes texts; the message says what it is.</exception>
    public static LikelihoodModel Load(string folder, Device device, DType computeType = DType.F32, int batchSize = 8,
        string? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        if (adapter is null && AdapterFiles.IsAdapter(folder))
            (folder, adapter) = (AdapterFiles.FindBase(folder), folder);
        CheckKind(folder, ModelFiles.LoadConfig(folder));
        var tokenizer = Tokenizer.Load(folder);
        var (model, parameters) = adapter is null
            ? ModelFiles.LoadModel(folder, device, computeType, training: false)
            : AdapterFiles.LoadMerged(folder, adapter, device, computeType);
        if (tokenizer.VocabularySize > model.VocabularySize)
        {
            parameters.Dispose();
            throw new InvalidDataException($"{folder}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                + $"{model.VocabularySize}; they do not belong together");
        }

        return new LikelihoodModel(folder, model, parameters, tokenizer, batchSize);
    }

    /// <summary>For each window, in their order, log p of its targets together, in nats.</summary>
    /// <param name="windows">The windows.</param>
    /// <param name="progress">Is told how many of them are done.</param>
    /// <param name="ct">Ends it early.</param>
    /// <exception cref="ArgumentException">A window is longer than the model's context.</exception>
    internal double[] Run(IReadOnlyList<LikelihoodWindow> windows, Action<int>? progress = null, CancellationToken ct = default)
    {
        var results = new double[windows.Count];
        var done = 0;
        var longestFirst = Enumerable.Range(0, windows.Count)
            .OrderByDescending(i => windows[i].Tokens.Length).ThenByDescending(i => windows[i].Source?.Length);
        foreach (var group in longestFirst.Chunk(_rows))
        {
            ct.ThrowIfCancellationRequested();
            Run(windows, group, results);
            progress?.Invoke(done += group.Length);
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

    private static void CheckKind(string folder, ModelConfig model)
    {
        if (!model.Task.Writes())
        {
            throw new InvalidDataException($"{folder} holds a {model.ModelType} for {model.Task.Name()}, which does not say how likely "
                + "a text is from its beginning to its end: take a model that continues texts, such as a gpt2, llama or qwen3, or an "
                + "encoder-decoder");
        }
    }

    private void Run(IReadOnlyList<LikelihoodWindow> windows, int[] group, double[] results)
    {
        var length = Padded(windows[group[0]].Tokens.Length);
        var sourceLength = group.Max(i => windows[i].Source?.Length) is { } longest ? Padded(longest) : 0;
        var (tokens, targets) = (new int[_rows * length], new int[_rows * length]);
        targets.AsSpan().Fill(Batch.Ignore);
        foreach (var (row, window) in group.Index())
        {
            // What is behind a window's end is not seen from before it, so that padding needs no mask.
            windows[window].Tokens.CopyTo(tokens, row * length);
            windows[window].Targets.CopyTo(targets, row * length);
        }

        var program = ProgramFor(length, sourceLength);
        if (sourceLength > 0)
        {
            var (sources, sourceLengths) = (new int[_rows * sourceLength], new int[_rows]);
            foreach (var (row, window) in group.Index())
            {
                windows[window].Source!.CopyTo(sources, row * sourceLength);
                sourceLengths[row] = windows[window].Source!.Length;
            }

            program.Set<int>("source", sources);
            program.Set<int>("source_lengths", sourceLengths);
        }

        program.Set<int>("tokens", tokens);
        program.Set<int>("targets", targets);
        program.Run();
        var losses = new float[_rows * length];
        program.Get<float>("losses", losses);
        foreach (var (row, window) in group.Index())
        {
            var sum = 0.0;
            foreach (var loss in losses.AsSpan(row * length, length))
                sum -= loss;
            results[window] = double.IsFinite(sum) ? sum : throw new InvalidDataException($"{Folder}: the model's likelihoods are no "
                + $"numbers ({sum}): its weights are damaged{(IsBf16 ? ", or need precision fp32" : "")}");
        }
    }

    /// <summary>A length for which there is a program.</summary>
    private int Padded(int length)
    {
        if (length > Model.MaxPositions)
            throw new ArgumentException($"a window has {length} tokens, the model {Model.MaxPositions} positions");
        var multiple = Math.Max(LengthMultiple, (Model.MaxPositions + MostPrograms - 1) / MostPrograms);
        return Math.Min(Model.MaxPositions, (length + multiple - 1) / multiple * multiple);
    }

    private CompiledGraph ProgramFor(int length, int sourceLength)
    {
        if (_programs.TryGetValue((length, sourceLength), out var program))
            return program;
        var graph = new Graph(_parameters.ComputeType);
        var context = sourceLength > 0 ? ForwardContext.WithSource(graph, _rows, length, sourceLength)
            : new ForwardContext(graph, _rows, length);
        var targets = Model.TargetsInput(graph, _rows, length);
        var scale = graph.Input("scale", DType.F32, 1);
        graph.Output("losses", Model.Losses(context, targets, scale, Batch.Ignore));
        program = CompiledGraph.Compile(graph, _parameters, new CompileOptions
        {
            HeadBytes = Head.ChunkBytesFor(_parameters.Device.Kind),
            // Only one runs at a time.
            Arena = _programs.Values.Select(other => other.Arena).MaxBy(arena => arena?.Bytes),
        });
        program.Set<float>("scale", [1]);
        _programs.Add((length, sourceLength), program);
        return program;
    }
}
