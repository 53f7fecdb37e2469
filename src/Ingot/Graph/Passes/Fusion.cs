using Ingot.Bindings;
using Ingot.Graphs.Ops;

namespace Ingot.Graphs.Passes;

/// <summary>
/// Joins calls into ones that kernels compute in a single pass: linear + bias + activation, residual + norm, and, after the
/// gradients, matmul + activation's gradient. Run <see cref="Forward"/> before and <see cref="Backward"/> after
/// <see cref="Gradients.Build"/>.
/// </summary>
public static class Fusion
{
    /// <summary>Fuses the forward pass.</summary>
    public static void Forward(Graph graph)
    {
        // Every fusion changes who uses what, so each kind looks at the calls afresh.
        Fuse(graph, MatMulBias);
        Fuse(graph, MatMulActivation);
        Fuse(graph, ResidualNorm);
    }

    /// <summary>Fuses the backward pass.</summary>
    public static void Backward(Graph graph) => Fuse(graph, MatMulActivationBackward);

    private delegate Call? Rule(Call call, Func<Tensor, Call?> writer, StorageUses uses, HashSet<Call> gone);

    private static void Fuse(Graph graph, Rule rule)
    {
        var uses = new StorageUses(graph.Calls);
        var writers = new Dictionary<Storage, Call>();
        var gone = new HashSet<Call>();
        for (var i = 0; i < graph.Calls.Count; i++)
        {
            var call = graph.Calls[i];
            if (rule(call, t => writers.GetValueOrDefault(t.Storage), uses, gone) is { } fused)
            {
                graph.Calls[i] = fused;
                foreach (var output in fused.Outputs.Where(o => o.Producer is not null))
                    output.Producer = fused;
                call = fused;
            }

            foreach (var output in call.Outputs)
                writers[output.Storage] = call;
        }

        graph.Calls.RemoveAll(gone.Contains);
    }

    /// <summary>matmul, add_bias → matmul with bias.</summary>
    private static Call? MatMulBias(Call call, Func<Tensor, Call?> writer, StorageUses uses, HashSet<Call> gone)
    {
        if (call.Op != Elementwise.AddBiasOp || writer(call["x"]) is not { } product || product.Op != Linear.MatMulOp
            || product.Find("bias") is not null || product.Text("activation") is not null
            || !uses.OnlyBetween(call["x"], product, call))
            return null;
        gone.Add(product);
        return new Call(Linear.MatMulOp, [product["a"], product["b"], call["bias"], null, call["y"]], product.Attributes, product.Label);
    }

    /// <summary>matmul, activation → matmul with activation; what was before the activation is kept for the gradient.</summary>
    private static Call? MatMulActivation(Call call, Func<Tensor, Call?> writer, StorageUses uses, HashSet<Call> gone)
    {
        if (call.Op != Activation.Op || writer(call["x"]) is not { } product || product.Op != Linear.MatMulOp
            || product.Text("activation") is not null || !uses.OnlyBetween(call["x"], product, call))
            return null;
        gone.Add(product);
        return new Call(Linear.MatMulOp, [product["a"], product["b"], product.Find("bias"), call["x"], call["y"]],
            [.. product.Attributes, new OpAttribute("activation", call.Text("kind")!)], product.Label);
    }

    /// <summary>add, norm → norm with residual, if nobody reads the sum before the norm.</summary>
    private static Call? ResidualNorm(Call call, Func<Tensor, Call?> writer, StorageUses uses, HashSet<Call> gone)
    {
        if ((call.Op != Norm.LayerNormOp && call.Op != Norm.RmsNormOp) || call.Find("residual") is not null
            || writer(call["x"]) is not { } add || add.Op != Elementwise.AddOp || call["x"] != add["y"]
            || uses.Of(call["x"].Storage) is not [var first, var second, ..] || first != add || second != call)
            return null;
        gone.Add(add);
        var operands = call.Operands.ToArray();
        operands[call.Op.IndexOf("x")] = add["a"];
        operands[call.Op.IndexOf("residual")] = add["b"];
        operands[call.Op.IndexOf("sum")] = add["y"];
        return new Call(call.Op, operands, call.Attributes, call.Label);
    }

    /// <summary>matmul, activation_backward → matmul with the activation's gradient.</summary>
    private static Call? MatMulActivationBackward(Call call, Func<Tensor, Call?> writer, StorageUses uses, HashSet<Call> gone)
    {
        if (call.Op != Activation.BackwardOp || writer(call["dy"]) is not { } product || product.Op != Linear.MatMulOp
            || product.Find("bias") is not null || product.Text("activation") is not null || product.Integer("accumulate") != 0
            || !uses.OnlyBetween(call["dy"], product, call))
            return null;
        gone.Add(product);
        return new Call(Linear.MatMulOp, [product["a"], product["b"], null, call["x"], call["dx"]],
            [new OpAttribute("activation", call.Text("kind")!), new OpAttribute("backward", true)], product.Label);
    }
}
