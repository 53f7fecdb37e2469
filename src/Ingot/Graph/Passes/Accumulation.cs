using Ingot.Bindings;
using Ingot.Graphs.Ops;

namespace Ingot.Graphs.Passes;

/// <summary>
/// Settles for every call that writes a parameter's gradient whether it replaces what is there or adds to it. The first one
/// of a pass replaces, unless the pass adds to an earlier one's gradients (gradient accumulation).
/// </summary>
public static class Accumulation
{
    /// <summary>Sets the attribute of all calls of <paramref name="graph"/>.</summary>
    public static void Assign(Graph graph, bool addToEarlier)
    {
        var written = new HashSet<Storage>();
        for (var i = 0; i < graph.Calls.Count; i++)
        {
            var call = graph.Calls[i];
            var sinks = call.Outputs.Select(t => t.Storage).Where(s => s.Kind == StorageKind.Gradient).Distinct().ToList();
            if (sinks.Count == 0)
                continue;
            var add = sinks.Select(s => !written.Add(s) || addToEarlier).Distinct().ToList();
            if (add.Count > 1)
                throw new InvalidOperationException($"{call}: some of its gradients are written before, others are not");
            if (call.Op == Elementwise.AccumulateOp)
            {
                if (!add[0])
                    graph.Calls[i] = new Call(Elementwise.CastOp, [call["x"], call["y"]], [], call.Label);
            }
            else
            {
                call.Set(new OpAttribute("accumulate", add[0]));
            }
        }
    }
}
