namespace Ingot.Graphs;

/// <summary>INGOT_DEBUG=1 prints each graph as it is compiled: its calls, where its temporaries lie, what they take.</summary>
internal static class GraphDump
{
    private static readonly bool Enabled = Environment.GetEnvironmentVariable("INGOT_DEBUG") is "1" or "true";

    public static void Write(Graph graph, MemoryPlan plan)
    {
        if (!Enabled)
            return;
        var o = Console.Error;
        o.WriteLine($"graph: {graph.Calls.Count} calls, {graph.Parameters.Count} parameters, "
            + $"arena {plan.ArenaBytes:N0} bytes ({plan.UnsharedBytes:N0} without sharing)");
        for (var i = 0; i < graph.Calls.Count; i++)
        {
            var call = graph.Calls[i];
            var places = call.Outputs.Where(t => t.Storage.Kind == StorageKind.Temporary).Select(t => $"+{plan.OffsetOf(t.Storage):N0}");
            o.WriteLine($"{i,5} {call} {string.Join(' ', places)}");
        }
    }
}
