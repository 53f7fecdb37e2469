using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Dropout with a counter-based generator: the same seed and step give the same mask.</summary>
public static class Dropout
{
    internal static Op Op { get; } = new("dropout", "x seed -> y", (call, context) =>
    {
        var dx = context.Graph.Like(call["x"]);
        context.Graph.Emit(Op!, [Views.Contiguous(context.Gradient(call["y"])!), call["seed"], dx], [.. call.Attributes]);
        context.Add(call["x"], dx);
    })
    { InPlaceOf = "x" };

    /// <summary>x with elements dropped at <paramref name="rate"/>; seed is [2] int64: {seed, step}. Rate 0 gives x itself.</summary>
    public static Tensor Apply(Tensor x, double rate, Tensor? seed)
    {
        if (rate == 0 || seed is null)
            return x;
        var g = x.Graph;
        var y = g.Like(x);
        long stream = g.Calls.Count(c => c.Op == Op);
        g.Emit(Op, [Views.Contiguous(x), seed, y], new OpAttribute("rate", rate), new OpAttribute("stream", stream));
        return y;
    }
}
