namespace Ingot.Graphs;

/// <summary>Reverse-mode differentiation: appends the calls that compute the parameters' gradients.</summary>
public static class Gradients
{
    /// <summary>
    /// Appends to <paramref name="graph"/> the gradients of everything that its loss heads (<see cref="Ops.Head"/>) depend on: of
    /// parameters, and of the inputs of which they are asked for (<see cref="Graph.GradientOutput"/>).
    /// </summary>
    /// <param name="graph">A graph with at least one loss.</param>
    /// <param name="recompute">
    /// Which outputs of which calls are not kept for the backward pass but computed again there; null keeps everything.
    /// </param>
    /// <exception cref="InvalidOperationException">An op on the way has no gradient, or there is no loss.</exception>
    public static void Build(Graph graph, Func<Call, Tensor, bool>? recompute = null)
    {
        var forward = graph.Calls.ToList();
        if (!forward.Any(c => c.Op == Ops.Head.Op))
            throw new InvalidOperationException("the graph has no loss: nothing to take gradients of");
        var context = new GradientContext(graph, forward, recompute ?? ((_, _) => false));
        foreach (var call in Enumerable.Reverse(forward))
        {
            var reached = call.Op == Ops.Head.Op || call.Outputs.Any(o => context.Gradient(o) is not null);
            if (!reached || !call.Inputs.Any(t => t.RequiresGradient))
                continue;
            if (call.Op.Gradient is not { } rule)
                throw new InvalidOperationException($"op {call.Op.Name} at '{call.Label}' has no gradient, but one is needed through it");
            using (graph.ScopeOf(call.Label))
                rule(call, context);
        }

        foreach (var (name, input) in graph.InputGradients)
        {
            var gradient = context.Gradient(input) ?? throw new InvalidOperationException($"no gradient reaches the input {input}");
            graph.Output(name, Ops.Elementwise.Cast(Ops.Views.Contiguous(gradient), Bindings.DType.F32));
        }
    }
}
