using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Other views of the same memory: reshape and split. Nothing is computed, but gradients flow through them.</summary>
public static class Views
{
    internal static Op Reshape { get; } = new("reshape", "x -> y", ReshapeGradient) { IsView = true };

    internal static Op Split { get; } = new("split", "x -> y0 y1? y2? y3?", SplitGradient) { IsView = true };

    internal static Op CopyOp { get; } = new("copy", "x -> y", (call, context) =>
    {
        if (context.Gradient(call["y"]) is { } dy)
            context.Add(call["x"], dy);
    });

    /// <summary>The same elements in another shape.</summary>
    public static Tensor View(this Tensor x, params long[] shape)
    {
        if (Tensor.Product(shape) != x.Elements)
            throw new ArgumentException($"{x} cannot be viewed as [{string.Join(", ", shape)}]: the number of elements differs");
        if (x.Shape.SequenceEqual(shape))
            return x;
        if (!x.TryReshapeAlias(shape, out var y))
            return View(Contiguous(x), shape);
        x.Graph.Emit(Reshape, [x, y]);
        return y;
    }

    /// <summary>Cuts the last dimension into up to four pieces of the given widths.</summary>
    public static Tensor[] SplitLast(this Tensor x, params long[] widths)
    {
        if (widths.Length is < 1 or > 4 || widths.Sum() != x.Shape[^1])
            throw new ArgumentException($"the last dimension of {x} cannot be cut into {string.Join(" + ", widths)}");
        var pieces = new Tensor[widths.Length];
        var begin = 0L;
        for (var i = 0; i < widths.Length; i++)
        {
            pieces[i] = x.Columns(begin, widths[i]);
            begin += widths[i];
        }

        x.Graph.Emit(Split, [x, .. pieces]);
        return pieces;
    }

    /// <summary>The same tensor, dense in row-major order; copied if it is not.</summary>
    public static Tensor Contiguous(this Tensor x)
    {
        if (x.IsContiguous)
            return x;
        var y = x.Graph.Like(x);
        x.Graph.Emit(CopyOp, [x, y]);
        return y;
    }

    private static void ReshapeGradient(Call call, GradientContext context)
    {
        var x = call["x"];
        var dy = context.Gradient(call["y"])!;
        if (!dy.TryReshapeAlias(x.Shape, out var dx))
            _ = Contiguous(dy).TryReshapeAlias(x.Shape, out dx);
        context.Add(x, dx!);
    }

    private static void SplitGradient(Call call, GradientContext context)
    {
        var x = call["x"];
        var dx = context.SlotOf(x);
        foreach (var piece in call.Outputs)
        {
            var slot = new Tensor(context.Graph, dx.Storage, dx.DType, [.. piece.Shape], [.. piece.Strides],
                dx.Offset + piece.Offset - x.Offset);
            var gradient = context.Gradient(piece);
            if (gradient is null)
                context.Graph.Emit(CopyOp, [Zeros(context.Graph, piece), slot]);
            else if (!gradient.SamePlace(slot))
                context.Graph.Emit(CopyOp, [gradient, slot]);
        }

        context.Add(x, dx);
    }

    private static Tensor Zeros(Graph graph, Tensor like)
    {
        var zeros = graph.Like(like);
        graph.Emit(Elementwise.FillOp, [zeros], new OpAttribute("value", 0.0));
        return zeros;
    }
}
