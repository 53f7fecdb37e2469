namespace Ingot.Graphs.Passes;

/// <summary>Drops what nobody reads: calls, and optional outputs of calls. Also drops views, which compute nothing.</summary>
public static class DeadCode
{
    /// <summary>Removes the calls of <paramref name="graph"/> whose results do not matter.</summary>
    public static void Remove(Graph graph)
    {
        var live = new HashSet<Storage>();
        var kept = new List<Call>();
        foreach (var call in Enumerable.Reverse(graph.Calls))
        {
            if (call.Op.IsView || !call.Outputs.Any(Matters))
                continue;
            for (var i = 0; i < call.Operands.Length; i++)
            {
                if (call.Operands[i] is { } t && call.Op.IsOptional(i) && call.Op.AccessOf(i) != Access.In && !Matters(t)
                    && call.Integer("backward") == 0)
                    call.Operands[i] = null;
            }

            foreach (var input in call.Inputs)
                live.Add(input.Storage);
            kept.Add(call);
        }

        kept.Reverse();
        graph.Calls = kept;

        bool Matters(Tensor t) => t.Storage.Kind != StorageKind.Temporary || live.Contains(t.Storage);
    }
}
