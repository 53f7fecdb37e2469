using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>Measures a model's loss on batches without changing it.</summary>
public sealed class Evaluator : IDisposable
{
    private readonly CompiledGraph _graph;
    private readonly int _size;
    private readonly int _ignoreIndex;

    /// <summary>Prepares the forward pass for batches of [batch, length].</summary>
    public Evaluator(ModelConfig model, ParameterStore parameters, int batch, int length, int ignoreIndex = -100,
        IReadOnlyDictionary<string, string>? kernels = null)
    {
        _size = batch * length;
        _ignoreIndex = ignoreIndex;
        var graph = new Graph(parameters.ComputeType);
        var context = new ForwardContext(graph, batch, length);
        var targets = graph.Input("targets", DType.I32, batch, length);
        var one = graph.Input("scale", DType.F32, 1);
        var losses = Head.CrossEntropy(model.Forward(context), model.HeadWeight(graph), targets, one, ignoreIndex);
        var loss = graph.Place(StorageKind.Output, "loss", DType.F32, 1);
        graph.Emit(Elementwise.ReduceSumOp, [losses, one, loss]);
        graph.Output("loss", loss);
        _graph = CompiledGraph.Compile(graph, parameters, new CompileOptions { Kernels = kernels ?? new Dictionary<string, string>() });
        _graph.Set<float>("scale", [1]);
    }

    /// <summary>Sum of the negative log-likelihoods of the targets that count, in nats, and how many count.</summary>
    public (double Sum, long Count) Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets)
    {
        if (tokens.Length != _size || targets.Length != _size)
            throw new ArgumentException($"{tokens.Length} tokens and {targets.Length} targets, where {_size} belong");
        var counted = targets.Length - targets.Count(_ignoreIndex);
        if (counted == 0)
            return (0, 0);
        _graph.Set("tokens", tokens);
        _graph.Set("targets", targets);
        _graph.Run();
        return (_graph.Get<float>("loss"), counted);
    }

    /// <inheritdoc/>
    public void Dispose() => _graph.Dispose();
}
