using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Element-by-element ops: sums, products, scaling, casts.</summary>
public static class Elementwise
{
    internal static Op AddOp { get; } = new("add", "a b -> y", (call, context) =>
    {
        var dy = context.Gradient(call["y"])!;
        context.Add(call["a"], dy);
        context.Add(call["b"], dy);
    })
    { InPlaceOf = "a" };

    internal static Op MultiplyOp { get; } = new("multiply", "a b -> y", (call, context) =>
    {
        var dy = Views.Contiguous(context.Gradient(call["y"])!);
        foreach (var (input, other) in new[] { ("a", "b"), ("b", "a") })
        {
            if (!GradientContext.Needs(call[input]))
                continue;
            var d = context.Graph.Like(call[input]);
            context.Graph.Emit(MultiplyOp!, [dy, context.Saved(call[other]), d]);
            context.Add(call[input], d);
        }
    })
    { InPlaceOf = "a" };

    internal static Op ScaleOp { get; } = new("scale", "x factor_at_run_time? -> y", (call, context) =>
    {
        var d = context.Graph.Like(call["x"]);
        context.Graph.Emit(ScaleOp!, [Views.Contiguous(context.Gradient(call["y"])!), call.Find("factor_at_run_time"), d],
            [.. call.Attributes]);
        context.Add(call["x"], d);
    })
    { InPlaceOf = "x" };

    internal static Op AddBiasOp { get; } = new("add_bias", "x bias -> y", (call, context) =>
    {
        var dy = Views.Contiguous(context.Gradient(call["y"])!);
        context.Add(call["x"], dy);
        Linear.BiasGradient(call["bias"], dy, context);
    })
    { InPlaceOf = "x" };

    internal static Op CastOp { get; } = new("cast", "x -> y", (call, context) =>
    {
        var d = context.Graph.Like(call["x"]);
        context.Graph.Emit(CastOp!, [Views.Contiguous(context.Gradient(call["y"])!), d]);
        context.Add(call["x"], d);
    });

    internal static Op AccumulateOp { get; } = new("accumulate", "x -> y&");

    internal static Op FillOp { get; } = new("fill", "-> y");

    internal static Op ReduceSumOp { get; } = new("reduce_sum", "x scale? -> y&");

    /// <summary>a + b; both of the same shape and dtype.</summary>
    public static Tensor Add(Tensor a, Tensor b) => Binary(AddOp, a, b);

    /// <summary>a · b element by element; both of the same shape and dtype.</summary>
    public static Tensor Multiply(Tensor a, Tensor b) => Binary(MultiplyOp, a, b);

    /// <summary>factor · x.</summary>
    public static Tensor Scale(Tensor x, double factor)
    {
        var y = x.Graph.Like(x);
        x.Graph.Emit(ScaleOp, [x, null, y], new OpAttribute("factor", factor));
        return y;
    }

    /// <summary>x in another dtype; itself if it has that dtype already.</summary>
    public static Tensor Cast(Tensor x, DType dtype)
    {
        if (x.DType == dtype)
            return x;
        var y = x.Graph.Temporary(dtype, x.Shape);
        x.Graph.Emit(CastOp, [Views.Contiguous(x), y]);
        return y;
    }

    private static Tensor Binary(Op op, Tensor a, Tensor b)
    {
        if (!a.Shape.SequenceEqual(b.Shape) || a.DType != b.DType)
            throw new ArgumentException($"{op.Name}: {a} and {b} must have the same shape and dtype");
        var y = a.Graph.Like(a);
        a.Graph.Emit(op, [Views.Contiguous(a), Views.Contiguous(b), y]);
        return y;
    }
}
