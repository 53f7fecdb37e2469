using System.Runtime.InteropServices;
using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>
/// A head's last layer and its loss in one: logits = x · Wᵀ + b, losses = cross-entropy(logits, targets). It is lowered in
/// chunks of rows, so that the logits of a whole batch never exist, and its gradients are computed in the same pass.
/// </summary>
public static class Head
{
    /// <summary>
    /// Elements that rows of logits are a multiple of: with those of a vocabulary like 50257 apart, no row but the first would start
    /// where matmuls can read whole lines of memory.
    /// </summary>
    private const long RowMultiple = 64;

    /// <summary>
    /// Bytes that the logits of one chunk should take at most. A GPU wants many rows, for enough tiles to share out, and few chunks,
    /// each of which reads and writes the weight's gradient once.
    /// </summary>
    public static long ChunkBytesFor(DeviceKind kind) => kind == DeviceKind.Cpu ? 64L << 20 : 1L << 30;

    internal static Op Op { get; } = new("head_cross_entropy", "x weight bias? targets scale -> losses predictions? dx? dweight?& dbias?&",
        Gradient,
        call => 2.0 * call["x"].Elements * call["weight"].Shape[1] * (call.Find("dx") is null ? 1 : 3));

    internal static Op CrossEntropyOp { get; } = new("cross_entropy", "logits& targets scale? -> losses");

    /// <summary>
    /// Losses [N] of x [N, C] with the head's weight [C, V] and bias [V] or null against targets [N] int32. Gradients are times scale [S]:
    /// one for all rows, or one for each of S equal parts of them, such as sequences. If <paramref name="predictions"/> names an output,
    /// the likeliest of each row is kept under that name, [N] int32.
    /// </summary>
    public static Tensor CrossEntropy(Tensor x, Tensor weight, Tensor targets, Tensor scale, int ignoreIndex = -100,
        double labelSmoothing = 0, long chunkRows = 0, Tensor? bias = null, string? predictions = null)
    {
        if (x.Rank != 2 || weight.Rank != 2 || x.Shape[1] != weight.Shape[0] || targets.Elements != x.Shape[0])
            throw new ArgumentException($"head: {x}, {weight} and {targets} do not fit");
        if (bias is not null && (bias.Rank != 1 || bias.Elements != weight.Shape[1]))
            throw new ArgumentException($"head: {weight} and its bias {bias} do not fit");
        if (scale.Rank != 1 || x.Shape[0] % scale.Shape[0] != 0)
            throw new ArgumentException($"head: {x} cannot be cut into equal parts for {scale}");
        var g = x.Graph;
        var losses = g.Temporary(DType.F32, [x.Shape[0]]);
        var likeliest = predictions is null ? null : g.Temporary(DType.I32, [x.Shape[0]], predictions);
        if (likeliest is not null)
            g.Output(predictions!, likeliest);
        g.Emit(Op, [x, weight, bias, targets.View(targets.Elements), scale, losses, likeliest],
            new OpAttribute("ignore_index", (long)ignoreIndex), new OpAttribute("label_smoothing", labelSmoothing),
            new OpAttribute("chunk_rows", chunkRows));
        return losses;
    }

    /// <summary>Writes the call as matmuls and cross-entropies of chunks of rows, whose logits take so many bytes at most.</summary>
    internal static void Lower(Call call, Graph g, long chunkBytes)
    {
        var (x, weight, losses) = (call["x"], call["weight"], call["losses"]);
        var (parts, vocabulary) = (call["scale"].Shape[0], weight.Shape[1]);
        var n = x.Shape[0] / parts; // Rows of a part.
        var width = (vocabulary + RowMultiple - 1) / RowMultiple * RowMultiple;
        var rows = call.Integer("chunk_rows");
        if (rows <= 0)
        {
            // As few chunks as the limit allows, all of about the same size.
            var most = Math.Max(1, chunkBytes / (width * x.DType.Size()));
            var chunks = (n + most - 1) / most;
            rows = (n + chunks - 1) / chunks;
        }

        var logits = g.Temporary(x.DType, [Math.Min(rows, n), width], "logits").Columns(0, vocabulary);
        var accumulate = call.Integer("accumulate") != 0;
        string[] gradients = ["dx", "dweight", "dbias"];
        // The likeliest is what sampling without any temperature takes.
        var greedy = call.Find("predictions") is null ? ((Tensor, Tensor)?)null
            : (g.Constant("greedy", DType.F32, MemoryMarshal.AsBytes<float>([0, 0, 1, 0]).ToArray(), 4),
                g.Constant("random", DType.I64, new byte[16 * logits.Shape[0]], logits.Shape[0], 2));
        for (var part = 0L; part < parts; part++)
        {
            for (var at = 0L; at < n; at += rows)
                Chunk((part * n) + at, Math.Min(rows, n - at), call["scale"].Rows(part, 1));
        }

        void Chunk(long begin, long count, Tensor scale)
        {
            var (chunk, input) = (logits.Rows(0, count), x.Rows(begin, count));
            g.Emit(Linear.MatMulOp, [input, weight, call.Find("bias"), null, chunk]);
            if (greedy is var (settings, random))
                g.Emit(Sample.Op, [chunk, settings, random.Rows(0, count), call["predictions"].Rows(begin, count)]);
            g.Emit(CrossEntropyOp, [chunk, call["targets"].Rows(begin, count), scale, losses.Rows(begin, count)],
                new OpAttribute("gradient", gradients.Any(name => call.Find(name) is not null)),
                new OpAttribute("ignore_index", call.Integer("ignore_index")),
                new OpAttribute("label_smoothing", call.Number("label_smoothing")));
            if (call.Find("dx") is { } dx)
                g.Emit(Linear.MatMulOp, [chunk, weight.Transposed(), null, null, dx.Rows(begin, count)]);
            if (call.Find("dweight") is { } dweight)
            {
                if (dweight.Strides[1] == 1)
                    g.Emit(Linear.MatMulOp, [input.Transposed(), chunk, null, null, dweight], new OpAttribute("accumulate", accumulate));
                else
                    g.Emit(Linear.MatMulOp, [chunk.Transposed(), input, null, null, dweight.Transposed()],
                    new OpAttribute("accumulate", accumulate));
            }

            if (call.Find("dbias") is { } dbias)
                g.Emit(Linear.SumRowsOp, [chunk, dbias], new OpAttribute("accumulate", accumulate));
            accumulate = true;
        }
    }

    private static void Gradient(Call call, GradientContext context)
    {
        // The forward call itself computes the gradients: the loss is where they start.
        var (x, weight) = (call["x"], call["weight"]);
        if (GradientContext.Needs(x))
        {
            var dx = context.Graph.Like(x);
            call.Operands[Op.IndexOf("dx")] = dx;
            context.Add(x, dx);
        }

        foreach (var (name, parameter) in new[] { ("dweight", weight), ("dbias", call.Find("bias")) })
        {
            if (!GradientContext.Needs(parameter))
                continue;
            if (parameter!.Storage.Kind != StorageKind.Parameter)
                throw new InvalidOperationException($"the head's {name[1..]} {parameter} is not a parameter");
            call.Operands[Op.IndexOf(name)] = context.Sink(parameter);
        }
    }
}
