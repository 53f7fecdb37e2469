using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Explain;

/// <summary>How a prediction is attributed to what was read.</summary>
public enum AttributionMethod
{
    /// <summary>gradient × input: the gradient for a token's embedding times that embedding (Shrikumar et al. 2016).</summary>
    GradientTimesInput,

    /// <summary>
    /// Integrated gradients (Sundararajan et al. 2017) from the mean of all embeddings of the vocabulary in every place: the mean of the
    /// gradients on the straight way from there, times the way. They add up to the difference of the log-probabilities at both ends, but
    /// for the steps' error.
    /// </summary>
    /// <remarks>
    /// Not from zero: the first norm makes the shortest embedding as long as any, and so much would happen at lengths that are nearly zero,
    /// where no step is.
    /// </remarks>
    IntegratedGradients,
}

/// <summary>How much every token that a model read spoke for a prediction, in nats of its log-probability.</summary>
/// <param name="Position">Place of the prediction: the token at which the model makes it; 0 where a whole text has a label.</param>
/// <param name="Target">The predicted token's or label's id.</param>
/// <param name="LogProbability">Its log-probability.</param>
/// <param name="Baseline">
/// What that would be if the embeddings of all tokens were zero or, for integrated gradients, the mean of the vocabulary's.
/// </param>
/// <param name="Tokens">For each token; those that the prediction does not see have 0.</param>
/// <param name="Source">For each token of the source; null where there is none.</param>
public sealed record Attribution(int Position, int Target, double LogProbability, double Baseline, IReadOnlyList<double> Tokens,
    IReadOnlyList<double>? Source)
{
    /// <summary>
    /// All of it: with integrated gradients the difference of the two log-probabilities, with gradient × input any number.
    /// </summary>
    public double Sum => Tokens.Sum() + (Source?.Sum() ?? 0);
}

/// <summary>
/// Gradients of a prediction's log-probability for the embeddings of tokens, for as many predictions of one input as are wanted.
/// </summary>
internal sealed class AttributionProgram : IDisposable
{
    private const int Ignored = -100;

    private readonly ModelConfig _model;
    private readonly ParameterStore _parameters;
    private readonly CompiledGraph _program;
    private readonly float[] _tokens;
    private readonly float[]? _source;
    private readonly int _rows;
    private double[]? _mean;

    public AttributionProgram(ModelConfig model, ParameterStore parameters, ModelInput input)
    {
        (_model, _parameters) = (model, parameters);
        var graph = new Graph(parameters.ComputeType) { IsTrained = _ => false };
        var context = input.Declare(graph, model);
        context.TokenEmbeddings = Embeddings("token", input.Tokens.Count);
        if (input.Source is { } source)
            context.SourceEmbeddings = Embeddings("source", source.Count);
        // A loss is -log p: with the scale -1 the gradients are those of log p.
        var losses = model.Losses(context, model.TargetsInput(graph, 1, input.Tokens.Count), graph.Input("scale", DType.F32, 1), Ignored);
        graph.Output("losses", losses);
        _rows = (int)losses.Elements;
        _program = CompiledGraph.Compile(graph, parameters,
            new CompileOptions { Train = true, HeadBytes = Head.ChunkBytesFor(parameters.Device.Kind) });
        input.Set(_program);
        _program.Set<float>("scale", [-1]);
        _tokens = Look(input.Tokens);
        _source = input.Source is null ? null : Look(input.Source);

        Tensor Embeddings(string name, int count)
        {
            var x = graph.Input(name + "_embeddings", parameters.ComputeType, count, model.Width);
            graph.GradientOutput(name + "_gradients", x);
            return x;
        }
    }

    /// <summary>Attributes a prediction.</summary>
    /// <param name="position">Place of the prediction.</param>
    /// <param name="target">Id of the predicted token or label.</param>
    /// <param name="method">How.</param>
    /// <param name="steps">Gradients on the way, for integrated gradients.</param>
    /// <param name="ct">Ends it between two of them.</param>
    public Attribution Attribute(int position, int target, AttributionMethod method, int steps = 50, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, _rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        var targets = new int[_rows];
        targets.AsSpan().Fill(Ignored);
        targets[position] = target;
        _program.Set<int>("targets", targets);
        var row = Row(method);
        var baseline = Run(row, 0, position);
        var (tokens, source) = (new double[_tokens.Length / _model.Width],
            _source is null ? null : new double[_source.Length / _model.Width]);
        if (method == AttributionMethod.IntegratedGradients)
        {
            for (var step = 0; step < steps; step++)
            {
                ct.ThrowIfCancellationRequested();
                Run(row, (step + 0.5) / steps, position);
                Add(1.0 / steps);
            }
        }

        var value = Run(row, 1, position);
        if (method == AttributionMethod.GradientTimesInput)
            Add(1);
        return new Attribution(position, target, value, baseline, tokens, source);

        void Add(double weight)
        {
            AddProducts(tokens, "token_gradients", _tokens, row, weight);
            if (source is not null)
                AddProducts(source, "source_gradients", _source!, row, weight);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _program.Dispose();

    /// <summary>Runs on the way from a row in every place, 0, to the embeddings, 1; gives the log-probability.</summary>
    private double Run(double[] row, double way, int position)
    {
        Write("token_embeddings", _tokens);
        if (_source is not null)
            Write("source_embeddings", _source);
        _program.Run();
        var losses = new float[_rows];
        _program.Get<float>("losses", losses);
        return -losses[position];

        void Write(string name, float[] values) => _program.SetNumbers(name, _parameters.ComputeType,
            way == 1 ? values : [.. values.Select((value, i) => (float)(((1 - way) * row[i % row.Length]) + (way * value)))]);
    }

    private void AddProducts(double[] sums, string name, float[] embeddings, double[] row, double weight)
    {
        var gradients = new float[embeddings.Length];
        _program.Get<float>(name, gradients);
        for (var i = 0; i < gradients.Length; i++)
            sums[i / _model.Width] += weight * gradients[i] * (embeddings[i] - row[i % row.Length]);
    }

    /// <summary>The row that a method starts from.</summary>
    private double[] Row(AttributionMethod method) =>
        method == AttributionMethod.GradientTimesInput ? new double[_model.Width] : _mean ??= Mean();

    private double[] Mean()
    {
        const int Rows = 1024;
        var (sums, part) = (new double[_model.Width], new float[Rows * _model.Width]);
        for (var begin = 0; begin < _model.VocabularySize; begin += Rows)
        {
            var these = part.AsSpan(0, Math.Min(Rows, _model.VocabularySize - begin) * _model.Width);
            _parameters.Read(_model.TokenTableName, these, (long)begin * _model.Width);
            for (var i = 0; i < these.Length; i++)
                sums[i % sums.Length] += these[i];
        }

        return Array.ConvertAll(sums, sum => sum / _model.VocabularySize);
    }

    /// <summary>Rows of the token table.</summary>
    private float[] Look(IReadOnlyList<int> ids)
    {
        var rows = new float[ids.Count * _model.Width];
        for (var i = 0; i < ids.Count; i++)
            _parameters.Read(_model.TokenTableName, rows.AsSpan(i * _model.Width, _model.Width), (long)ids[i] * _model.Width);
        return rows;
    }
}
