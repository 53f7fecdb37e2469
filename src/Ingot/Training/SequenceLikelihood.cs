using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>How likely a model finds the targets of whole sequences. Nothing is allocated while it runs.</summary>
internal sealed class SequenceLikelihood : IDisposable
{
    private readonly CompiledGraph _graph;
    private readonly TrainingStepOptions _options;
    private readonly float[] _losses;

    /// <summary>Prepares the forward pass for batches of the options' size.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Its parameters, and perhaps others besides.</param>
    /// <param name="options">Sizes, precision, kernels; the seed of dropout.</param>
    /// <param name="dropout">Whether dropout is on: with the step's number, the masks are those of <see cref="TrainingStep"/>.</param>
    /// <param name="arena">Memory for temporaries that others use, too, at other times.</param>
    public SequenceLikelihood(
        ModelConfig model, ParameterStore parameters, TrainingStepOptions options, bool dropout, DeviceBuffer? arena = null)
    {
        _options = options;
        _losses = new float[options.Batch * options.Length];
        var graph = new Graph(options.ComputeType);
        var seed = graph.Input("seed", DType.I64, 2);
        var context = new ForwardContext(graph, options.Batch, options.Length) { DropoutSeed = dropout ? seed : null };
        var targets = model.TargetsInput(graph, options.Batch, options.Length);
        var scale = graph.Input("scale", DType.F32, 1);
        graph.Output("losses", model.Losses(context, targets, scale, options.IgnoreIndex));
        _graph = CompiledGraph.Compile(graph, parameters, new CompileOptions
        {
            Fuse = options.Fuse,
            HeadBytes = options.HeadBytes,
            Tf32 = options.Tf32,
            Kernels = options.Kernels,
            Arena = arena,
        });
        _graph.Set<float>("scale", [1]);
    }

    /// <summary>log p of each sequence's targets together, in nats.</summary>
    /// <param name="tokens">[batch, length].</param>
    /// <param name="targets">What follows each token, or the ignore index.</param>
    /// <param name="pass">Number of the pass, for dropout.</param>
    /// <param name="logProbabilities">[batch].</param>
    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, long pass, Span<double> logProbabilities)
    {
        _graph.Set("tokens", tokens);
        _graph.Set("targets", targets);
        _graph.Set<long>("seed", [_options.Seed, pass]);
        _graph.Run();
        _graph.Get("losses", _losses.AsSpan());
        for (var row = 0; row < logProbabilities.Length; row++)
        {
            var sum = 0.0;
            foreach (var loss in _losses.AsSpan(row * _options.Length, _options.Length))
                sum -= loss;
            logProbabilities[row] = sum;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _graph.Dispose();
}
