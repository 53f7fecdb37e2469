using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Pointwise activations and SwiGLU.</summary>
public static class Activation
{
    internal static Op Op { get; } = new("activation", "x -> y", (call, context) =>
    {
        var x = call["x"];
        var dx = context.OutputFor(x) is { IsContiguous: true } slot ? slot : context.Graph.Like(x);
        context.Graph.Emit(BackwardOp!, [context.Saved(x), Views.Contiguous(context.Gradient(call["y"])!), dx],
            new OpAttribute("kind", call.Text("kind")!));
        context.Add(x, dx);
    })
    { InPlaceOf = "x" };

    internal static Op BackwardOp { get; } = new("activation_backward", "x dy -> dx") { InPlaceOf = "dy" };

    internal static Op SwiGluOp { get; } = new("swiglu", "gate up -> y", (call, context) =>
    {
        var (gate, up) = (call["gate"], call["up"]);
        var (dgate, dup) = (context.OutputFor(gate), context.OutputFor(up));
        context.Graph.Emit(SwiGluBackwardOp!,
            [context.Saved(gate), context.Saved(up), Views.Contiguous(context.Gradient(call["y"])!), dgate, dup]);
        context.Add(gate, dgate);
        context.Add(up, dup);
    });

    internal static Op SwiGluBackwardOp { get; } = new("swiglu_backward", "gate up dy -> dgate dup");

    /// <summary>act(x), where kind is gelu_tanh, gelu (exact, with erf), silu or relu.</summary>
    public static Tensor Apply(Tensor x, string kind)
    {
        var y = x.Graph.Like(x);
        x.Graph.Emit(Op, [Views.Contiguous(x), y], new OpAttribute("kind", kind));
        return y;
    }

    /// <summary>silu(gate) · up (Shazeer 2020); both [N, C].</summary>
    public static Tensor SwiGlu(Tensor gate, Tensor up)
    {
        if (!gate.Shape.SequenceEqual(up.Shape))
            throw new ArgumentException($"swiglu: {gate} and {up} must have the same shape");
        var y = gate.Graph.Like(gate);
        gate.Graph.Emit(SwiGluOp, [gate, up, y]);
        return y;
    }
}
