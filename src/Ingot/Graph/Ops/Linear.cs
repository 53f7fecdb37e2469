using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>How a linear layer's weight lies in memory and in the model's file.</summary>
public enum WeightLayout
{
    /// <summary>[outputs, inputs], as in PyTorch's Linear.</summary>
    OutIn,

    /// <summary>[inputs, outputs], as in GPT-2's Conv1D.</summary>
    InOut,
}

/// <summary>
/// Computes the linear layers of a graph (<see cref="Graph.LinearAdapter"/>), for example with an adapter beside the weight.
/// </summary>
public interface ILinearAdapter
{
    /// <summary>
    /// Writes down one layer, whose name is the graph's current scope: x [N, inputs], weight [inputs, outputs] in whichever layout
    /// it has in memory, bias [outputs] or null. Gives [N, outputs].
    /// </summary>
    Tensor Apply(Tensor x, Tensor weight, Tensor? bias);
}

/// <summary>Matrix products: y = activation(x · W + bias).</summary>
public static class Linear
{
    internal static Op MatMulOp { get; } = new("matmul", "a b bias? aux?& -> y&", Gradient, Flops)
    {
        Again = call => call.Find("aux") is not { } aux ? null : new Shortcut(call["y"], aux, (g, source, y) =>
            g.Emit(Activation.Op, [source, y], new OpAttribute("kind", call.Text("activation")!))),
    };

    internal static Op SumRowsOp { get; } = new("sum_rows", "x -> y&");

    /// <summary>A linear layer with its own parameters "weight" and, if wanted, "bias" in the scope <paramref name="name"/>.</summary>
    /// <param name="x">[N, inputs].</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="name">Scope of the parameters.</param>
    /// <param name="initializer">How the weight starts.</param>
    /// <param name="bias">Whether there is a bias.</param>
    /// <param name="layout">How the weight lies.</param>
    /// <returns>[N, outputs].</returns>
    public static Tensor Apply(Tensor x, long outputs, string name, Initializer initializer, bool bias = true,
        WeightLayout layout = WeightLayout.OutIn)
    {
        var g = x.Graph;
        using (g.Scope(name))
        {
            var inputs = x.Shape[^1];
            var weight = layout == WeightLayout.OutIn
                ? g.Parameter("weight", [outputs, inputs], initializer).Transposed()
                : g.Parameter("weight", [inputs, outputs], initializer);
            var b = bias ? g.Parameter("bias", [outputs], Initializer.Zeros) : null;
            return g.LinearAdapter is { } adapter ? adapter.Apply(x, weight, b) : Apply(x, weight, b);
        }
    }

    /// <summary>x [N, inputs] · weight [inputs, outputs] + bias [outputs], if there is one.</summary>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias) => AddBias(MatMul(x, weight), bias);

    /// <summary>x [N, C] + bias [C] in every row; x itself if there is no bias.</summary>
    public static Tensor AddBias(Tensor x, Tensor? bias)
    {
        if (bias is null)
            return x;
        var y = x.Graph.Like(x);
        x.Graph.Emit(Elementwise.AddBiasOp, [x, bias, y]);
        return y;
    }

    /// <summary>a [M, K] · b [K, N].</summary>
    public static Tensor MatMul(Tensor a, Tensor b)
    {
        if (a.Rank != 2 || b.Rank != 2 || a.Shape[1] != b.Shape[0] || a.DType != b.DType)
            throw new ArgumentException($"matmul: {a} and {b} do not fit");
        var y = a.Graph.Temporary(a.DType, [a.Shape[0], b.Shape[1]]);
        a.Graph.Emit(MatMulOp, [a, b, null, null, y]);
        return y;
    }

    internal static void BiasGradient(Tensor bias, Tensor dy, GradientContext context)
    {
        if (!GradientContext.Needs(bias))
            return;
        if (bias.Storage.Kind != StorageKind.Parameter)
            throw new InvalidOperationException($"the bias {bias} is not a parameter");
        context.Graph.Emit(SumRowsOp, [dy, context.Sink(bias)]);
    }

    private static double Flops(Call call) => 2.0 * call["a"].Shape[0] * call["a"].Shape[1] * call["b"].Shape[1];

    private static void Gradient(Call call, GradientContext context)
    {
        var (g, a, b) = (context.Graph, call["a"], call["b"]);
        var dy = context.Gradient(call["y"])!;
        if (call.Find("aux") is { } aux)
        {
            var d = g.Like(aux);
            g.Emit(Activation.BackwardOp, [context.Saved(aux), Views.Contiguous(dy), d], new OpAttribute("kind", call.Text("activation")!));
            dy = d;
        }

        if (GradientContext.Needs(a))
        {
            var da = context.OutputFor(a);
            g.Emit(MatMulOp, [dy, context.Saved(b).Transposed(), null, null, da]);
            context.Add(a, da);
        }

        if (GradientContext.Needs(b))
        {
            var db = b.Storage.Kind == StorageKind.Parameter ? context.Sink(b) : context.OutputFor(b);
            // The native op writes dense rows: a transposed gradient is computed transposed.
            var savedA = context.Saved(a);
            if (db.Strides[1] == 1)
                g.Emit(MatMulOp, [savedA.Transposed(), dy, null, null, db]);
            else
                g.Emit(MatMulOp, [dy.Transposed(), savedA, null, null, db.Transposed()]);
            if (b.Storage.Kind != StorageKind.Parameter)
                context.Add(b, db);
        }

        if (call.Find("bias") is { } bias)
            BiasGradient(bias, dy, context);
    }
}
