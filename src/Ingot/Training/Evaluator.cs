using Ingot.Bindings;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>Measures a model's loss on batches without changing it. Each length of rows gets a program of its own.</summary>
public sealed class Evaluator : IDisposable
{
    private readonly ModelConfig _model;
    private readonly ParameterStore _parameters;
    private readonly int _batch;
    private readonly int _length;
    private readonly bool _hasSegments;
    private readonly int _sourceLength;
    private readonly bool _predicts;
    private int[] _targets = [];
    private int[] _predictions = [];
    private readonly IReadOnlyDictionary<string, string> _kernels;
    private readonly Dictionary<(int Length, int SourceLength), CompiledGraph> _programs = [];

    /// <summary>Prepares the forward pass for batches of [batch, length].</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="batch">Rows of a batch.</param>
    /// <param name="length">Tokens of a row, at most.</param>
    /// <param name="hasSegments">Whether rows hold several sequences that do not see each other.</param>
    /// <param name="kernels">Kernel variants by op.</param>
    /// <param name="sourceLength">Tokens of a row's source, at most; 0 for models that are not encoder-decoders.</param>
    /// <param name="predicts">Whether the likeliest of each target's place is wanted (<see cref="Predictions"/>).</param>
    public Evaluator(ModelConfig model, ParameterStore parameters, int batch, int length, bool hasSegments = false,
        IReadOnlyDictionary<string, string>? kernels = null, int sourceLength = 0, bool predicts = false)
    {
        _predicts = predicts;
        (_model, _parameters, _batch, _length, _hasSegments) = (model, parameters, batch, length, hasSegments);
        _sourceLength = sourceLength;
        _kernels = kernels ?? new Dictionary<string, string>();
        _programs.Add((length, sourceLength), Compile(length, sourceLength));
    }

    /// <summary>
    /// The targets of the last batch that counted, and for each the likeliest token or label; empty unless they are wanted.
    /// </summary>
    public IEnumerable<(int Target, int Prediction)> Predictions => _targets.Zip(_predictions).Where(pair => pair.First != Batch.Ignore);

    /// <summary>Sum of the negative log-likelihoods of the targets that count, in nats, and how many count.</summary>
    public (double Sum, long Count) Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets) =>
        Run(tokens, targets, [], [], [], [], [], _length);

    /// <inheritdoc cref="Run(ReadOnlySpan{int}, ReadOnlySpan{int})"/>
    public (double Sum, long Count) Run(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return Run(batch.Tokens, batch.Targets, batch.Positions, batch.Segments, batch.TokenTypes, batch.Source, batch.SourceLengths,
            batch.Length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var program in _programs.Values)
            program.Dispose();
    }

    private (double Sum, long Count) Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<int> positions,
        ReadOnlySpan<int> segments, ReadOnlySpan<int> tokenTypes, ReadOnlySpan<int> source, ReadOnlySpan<int> sourceLengths, int length)
    {
        var size = _batch * length;
        if (tokens.Length != size || targets.Length != size || length > _length)
            throw new ArgumentException($"{tokens.Length} tokens and {targets.Length} targets, where {size} belong");
        if (segments.IsEmpty == _hasSegments)
            throw new ArgumentException($"the batch has {(segments.IsEmpty ? "no " : "")}segments, and the evaluator was made for one that "
                + "has");
        if (sourceLengths.IsEmpty == _sourceLength > 0 || source.Length > _batch * _sourceLength)
        {
            throw new ArgumentException(
                $"the batch has {source.Length} tokens of sources, and the evaluator was made for sources of {_sourceLength} at most");
        }

        var counted = targets.Length - targets.Count(Batch.Ignore);
        if (counted == 0)
            return (0, 0);
        var key = (length, source.Length / _batch);
        if (!_programs.TryGetValue(key, out var program))
            _programs.Add(key, program = Compile(length, key.Item2));
        program.Set("tokens", tokens);
        _targets = new int[_model.TargetsOf(_batch, length)];
        _model.TakeTargets(targets, length, _targets);
        program.Set<int>("targets", _targets);
        if (_hasSegments)
        {
            program.Set("positions", positions);
            program.Set("segments", segments);
            if (program.HasInput("token_types"))
                program.Set("token_types", tokenTypes);
        }

        if (_sourceLength > 0)
        {
            program.Set("source", source);
            program.Set("source_lengths", sourceLengths);
        }

        program.Run();
        if (_predicts)
            program.Get<int>("predictions", _predictions = new int[_targets.Length]);
        return (program.Get<float>("loss"), counted);
    }

    private CompiledGraph Compile(int length, int sourceLength)
    {
        var graph = new Graph(_parameters.ComputeType);
        var context = _hasSegments ? ForwardContext.WithSegments(graph, _batch, length)
            : sourceLength > 0 ? ForwardContext.WithSource(graph, _batch, length, sourceLength)
            : new ForwardContext(graph, _batch, length);
        var targets = _model.TargetsInput(graph, _batch, length);
        var one = graph.Input("scale", DType.F32, 1);
        var losses = _model.Losses(context, targets, one, Batch.Ignore, predictions: _predicts ? "predictions" : null);
        var loss = graph.Place(StorageKind.Output, "loss", DType.F32, 1);
        graph.Emit(Elementwise.ReduceSumOp, [losses, one, loss]);
        graph.Output("loss", loss);
        var program = CompiledGraph.Compile(graph, _parameters,
            new CompileOptions { Kernels = _kernels, Arena = _programs.GetValueOrDefault((_length, _sourceLength))?.Arena });
        program.Set<float>("scale", [1]);
        return program;
    }
}
