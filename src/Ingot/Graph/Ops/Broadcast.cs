using System.Runtime.InteropServices;
using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>The same row many times. Natively it is an embedding whose ids are all 0.</summary>
public static class Broadcast
{
    internal static Op Op { get; } = new("embedding", "ids table -> y", (call, context) =>
    {
        var (row, dy) = (call["table"], Views.Contiguous(context.Gradient(call["y"])!));
        var sum = context.Graph.Temporary(DType.F32, [row.Shape[1]]);
        context.Graph.Emit(Linear.SumRowsOp, [dy, sum]);
        _ = Elementwise.Cast(sum, row.DType).TryReshapeAlias(row.Shape, out var drow);
        context.Add(row, drow!);
    });

    /// <summary>x [C] in each of <paramref name="count"/> rows: [count, C].</summary>
    public static Tensor Rows(Tensor x, long count)
    {
        var g = x.Graph;
        var zeros = g.Constant("zeros", DType.I32, MemoryMarshal.AsBytes<int>(new int[count]).ToArray(), count);
        var y = g.Temporary(x.DType, [count, x.Elements]);
        g.Emit(Op, [zeros, x.View(1, x.Elements), y]);
        return y;
    }
}
