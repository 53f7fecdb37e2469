using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Which keys a query sees, apart from padding and documents.</summary>
/// <param name="Causal">Only keys at its own position and before.</param>
/// <param name="Window">Only the last so many of them; 0 for all.</param>
public readonly record struct AttentionMask(bool Causal, long Window = 0);

/// <summary>Fused scaled dot-product attention with grouped heads.</summary>
public static class Attention
{
    internal static Op Op { get; } = new("attention", "q k v query_segments? key_segments? kv_lengths? bias? -> y lse?", Gradient, Flops);

    internal static Op BackwardOp { get; } = new("attention_backward",
        "q k v query_segments? key_segments? kv_lengths? bias? y lse dy -> dq dk dv dbias?", null, call => 2.5 * Flops(call));

    internal static Op WriteRowsOp { get; } = new("write_rows", "x positions -> cache&");

    /// <summary>Attention of q [B, T, H, D] over k and v [B, S, KV, D], H a multiple of KV.</summary>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="mask">Which keys a query sees.</param>
    /// <param name="querySegments">[B, T] int32: a query sees the keys of its own segment; null for no segments.</param>
    /// <param name="keySegments">[B, S] int32, -1 for padding; null for no segments.</param>
    /// <param name="keyLengths">[B] int32: how many keys count, read at run time; null for all.</param>
    /// <param name="scale">Factor on q·k; 0 for 1/sqrt(D).</param>
    /// <param name="bias">
    /// [P, H], P odd: what is added to the scores of each head by the key's distance from the query, from −(P−1)/2 on; what is farther
    /// takes the first or last row. Null for none. The positions of queries count from 0 or, where the mask is causal, so that the last
    /// query is at the last key.
    /// </param>
    /// <returns>[B, T, H, D], dense.</returns>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, AttentionMask mask, Tensor? querySegments = null,
        Tensor? keySegments = null, Tensor? keyLengths = null, double scale = 0, Tensor? bias = null)
    {
        if (q.Rank != 4 || k.Rank != 4 || !k.Shape.SequenceEqual(v.Shape) || q.Shape[0] != k.Shape[0] || q.Shape[3] != k.Shape[3])
            throw new ArgumentException($"attention: {q}, {k} and {v} do not fit");
        if (q.Shape[2] % k.Shape[2] != 0)
            throw new ArgumentException($"attention: {q.Shape[2]} query heads are not a multiple of {k.Shape[2]} key/value heads");
        if (bias is not null && (bias.Rank != 2 || bias.Shape[0] % 2 == 0 || bias.Shape[1] != q.Shape[2]))
            throw new ArgumentException($"attention: the bias {bias} is not [an odd number of distances, {q.Shape[2]} heads]");
        var g = q.Graph;
        var y = g.Like(q);
        var lse = g.Temporary(DType.F32, [q.Shape[0], q.Shape[2], q.Shape[1]]);
        g.Emit(Op, [q, k, v, querySegments, keySegments, keyLengths, bias, y, lse],
            new OpAttribute("causal", mask.Causal), new OpAttribute("window", mask.Window), new OpAttribute("scale", scale));
        return y;
    }

    /// <summary>Writes x [B, T, KV, D] into the cache [B, S, KV, D] at positions [B, T].</summary>
    internal static void WriteCache(Tensor x, Tensor positions, Tensor cache) =>
        x.Graph.Emit(WriteRowsOp, [x, positions, cache]);

    private static double Flops(Call call)
    {
        var (q, k) = (call["q"], call["k"]);
        var all = 4.0 * q.Elements * k.Shape[1];
        return call.Integer("causal") != 0 && q.Shape[1] == k.Shape[1] ? all / 2 : all;
    }

    private static void Gradient(Call call, GradientContext context)
    {
        var (q, k, v, y) = (call["q"], call["k"], call["v"], call["y"]);
        var (dq, dk, dv) = (context.OutputFor(q), context.OutputFor(k), context.OutputFor(v));
        var bias = call.Find("bias");
        var dbias = GradientContext.Needs(bias) ? context.Graph.Temporary(DType.F32, bias!.Shape) : null;
        context.Graph.Emit(BackwardOp,
            [context.Saved(q), context.Saved(k), context.Saved(v), call.Find("query_segments"), call.Find("key_segments"),
                call.Find("kv_lengths"), bias is null ? null : context.Saved(bias), context.Saved(y), context.Saved(call["lse"]),
                context.Gradient(y), dq, dk, dv, dbias],
            [.. call.Attributes]);
        context.Add(q, dq);
        context.Add(k, dk);
        context.Add(v, dv);
        if (dbias is not null)
            context.Add(bias!, dbias);
    }
}
