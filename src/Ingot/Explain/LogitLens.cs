using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Explain;

/// <summary>A token, or a label, with its probability.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Probability">0 to 1.</param>
public readonly record struct Prediction(int Id, double Probability);

/// <summary>What the head makes of a hidden state.</summary>
/// <param name="Top">The likeliest, in falling order.</param>
/// <param name="Actual">What really stands there, and how probable it was; null where nothing does.</param>
/// <param name="Rank">How many are likelier than that.</param>
public sealed record LensReading(IReadOnlyList<Prediction> Top, Prediction? Actual, int Rank);

/// <summary>
/// The logit lens (nostalgebraist 2020): hidden states between the blocks, read as if they were the last ones, through the last norm and
/// the head. What comes out of the last block is the model's own prediction.
/// </summary>
internal static class LogitLens
{
    private const long ChunkBytes = 64L << 20;

    /// <summary>Reads rows of hidden states.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="rows">Hidden states, [width] each.</param>
    /// <param name="actual">For each row the id that really stands there; null for none.</param>
    /// <param name="count">How many of the likeliest are kept.</param>
    /// <param name="ct">Ends it between two chunks of rows.</param>
    public static LensReading[] Read(ModelConfig model, ParameterStore parameters, IReadOnlyList<ReadOnlyMemory<float>> rows,
        IReadOnlyList<int?> actual, int count, CancellationToken ct = default)
    {
        var outputs = model.Task.IsClassification() ? model.Labels.Count : model.VocabularySize;
        var chunk = (int)Math.Clamp(ChunkBytes / (4L * outputs), 1, Math.Min(128, Math.Max(1, rows.Count)));
        var graph = new Graph(parameters.ComputeType);
        var hidden = graph.Input("hidden", parameters.ComputeType, chunk, model.Width);
        // Each row is a text of one token, so that a classifier of texts finds it where it looks.
        var read = model.BeforeHead(new ForwardContext(graph, chunk, 1), hidden);
        graph.Output("logits", Elementwise.Cast(Linear.Apply(read, model.HeadWeight(graph), model.HeadBias(graph)), DType.F32));
        using var program = CompiledGraph.Compile(graph, parameters, new CompileOptions());
        var (values, logits) = (new float[chunk * model.Width], new float[checked(chunk * outputs)]);
        var readings = new LensReading[rows.Count];
        for (var begin = 0; begin < rows.Count; begin += chunk)
        {
            ct.ThrowIfCancellationRequested();
            var these = Math.Min(chunk, rows.Count - begin);
            for (var i = 0; i < these; i++)
                rows[begin + i].Span.CopyTo(values.AsSpan(i * model.Width));
            program.SetNumbers("hidden", parameters.ComputeType, values);
            program.Run();
            program.Get<float>("logits", logits);
            var at = begin;
            Parallel.For(0, these, i => readings[at + i] = Read(logits.AsSpan(i * outputs, outputs), actual[at + i], count));
        }

        return readings;
    }

    private static LensReading Read(ReadOnlySpan<float> logits, int? actual, int count)
    {
        double most = float.NegativeInfinity, total = 0;
        foreach (var logit in logits)
            most = Math.Max(most, logit);
        foreach (var logit in logits)
            total += Math.Exp(logit - most);
        var top = new List<Prediction>(count + 1);
        for (var id = 0; id < logits.Length; id++)
        {
            var probability = Math.Exp(logits[id] - most) / total;
            if (top.Count == count && !(probability > top[^1].Probability))
                continue;
            top.Insert(top.FindIndex(p => p.Probability < probability) is var at && at < 0 ? top.Count : at,
                new Prediction(id, probability));
            if (top.Count > count)
                top.RemoveAt(count);
        }

        if (actual is not { } there)
            return new LensReading(top, null, 0);
        var rank = 0;
        foreach (var logit in logits)
            rank += logit > logits[there] ? 1 : 0;
        return new LensReading(top, new Prediction(there, Math.Exp(logits[there] - most) / total), rank);
    }
}
