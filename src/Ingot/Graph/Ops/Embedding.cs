using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Rows of a table by index.</summary>
public static class Embedding
{
    internal static Op Op { get; } = new("embedding", "ids table -> y", (call, context) =>
    {
        var table = call["table"];
        var dy = Views.Contiguous(context.Gradient(call["y"])!);
        if (!GradientContext.Needs(table))
            return;
        if (table.Storage.Kind != StorageKind.Parameter)
            throw new InvalidOperationException($"the table {table} is not a parameter: its gradient cannot be taken");
        context.Graph.Emit(BackwardOp!, [call["ids"], dy, context.Sink(table)]);
    });

    internal static Op BackwardOp { get; } = new("embedding_backward", "ids dy -> dtable&");

    /// <summary>table[ids]: ids [...] of int32, table [V, C] → [number of ids, C].</summary>
    public static Tensor Apply(Tensor ids, Tensor table)
    {
        var g = table.Graph;
        var flat = ids.View(ids.Elements);
        var y = g.Temporary(table.DType, [ids.Elements, table.Shape[1]]);
        g.Emit(Op, [flat, table, y]);
        return y;
    }
}
