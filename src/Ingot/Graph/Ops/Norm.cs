using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>LayerNorm and RMSNorm over the last dimension.</summary>
public static class Norm
{
    internal static Op LayerNormOp { get; } = new("layer_norm", "x residual? weight bias? -> y sum mean? rstd?", (call, context) =>
    {
        if (Prepare(call, context) is not var (x, dy, dsum, dx))
            return;
        var dweight = Sink(call["weight"], context);
        var dbias = call.Find("bias") is { } bias ? Sink(bias, context) : null;
        context.Graph.Emit(LayerNormBackwardOp!, [dy, context.Saved(x), call["weight"], context.Saved(call["mean"]),
            context.Saved(call["rstd"]), dsum, dx, dweight, dbias]);
        AddToInputs(call, context, dx);
    })
    {
        Again = call => call.Find("sum") is not { } sum ? null : new Shortcut(call["y"], sum, (g, source, y) =>
            g.Emit(LayerNormOp!, [source, null, call["weight"], call.Find("bias"), y], [.. call.Attributes])),
    };

    internal static Op LayerNormBackwardOp { get; } = new("layer_norm_backward", "dy x weight mean rstd dsum? -> dx dweight& dbias?&");

    internal static Op RmsNormOp { get; } = new("rms_norm", "x residual? weight -> y sum rstd?", (call, context) =>
    {
        if (Prepare(call, context) is not var (x, dy, dsum, dx))
            return;
        var dweight = Sink(call["weight"], context);
        context.Graph.Emit(RmsNormBackwardOp!, [dy, context.Saved(x), call["weight"], context.Saved(call["rstd"]), dsum, dx, dweight]);
        AddToInputs(call, context, dx);
    })
    {
        Again = call => call.Find("sum") is not { } sum ? null : new Shortcut(call["y"], sum, (g, source, y) =>
            g.Emit(RmsNormOp!, [source, null, call["weight"], y], [.. call.Attributes])),
    };

    internal static Op RmsNormBackwardOp { get; } = new("rms_norm_backward", "dy x weight rstd dsum? -> dx dweight&");

    /// <summary>LayerNorm (Ba et al. 2016) of x [N, C] with its own parameters in the scope <paramref name="name"/>.</summary>
    public static Tensor LayerNorm(Tensor x, string name, double epsilon, bool bias = true)
    {
        var g = x.Graph;
        using (g.Scope(name))
        {
            var c = x.Shape[^1];
            var weight = g.Parameter("weight", [c], Initializer.Ones);
            var b = bias ? g.Parameter("bias", [c], Initializer.Zeros) : null;
            var y = g.Like(x);
            g.Emit(LayerNormOp, [Views.Contiguous(x), null, weight, b, y, null, Statistic(x), Statistic(x)],
                new OpAttribute("epsilon", epsilon));
            return y;
        }
    }

    /// <summary>
    /// RMSNorm (Zhang and Sennrich 2019) of x [N, C] with its own parameter in the scope <paramref name="name"/>, which starts as it is
    /// said, or else with ones.
    /// </summary>
    public static Tensor RmsNorm(Tensor x, string name, double epsilon, Initializer? initializer = null)
    {
        var g = x.Graph;
        using (g.Scope(name))
        {
            var weight = g.Parameter("weight", [x.Shape[^1]], initializer ?? Initializer.Ones);
            var y = g.Like(x);
            g.Emit(RmsNormOp, [Views.Contiguous(x), null, weight, y, null, Statistic(x)], new OpAttribute("epsilon", epsilon));
            return y;
        }
    }

    /// <summary>1 / √(mean of squares) of each row of x [N, C]: [N] in F32. It has no gradient.</summary>
    internal static Tensor InverseRms(Tensor x)
    {
        var g = x.Graph;
        var rstd = Statistic(x);
        var one = g.Temporary(x.DType, [x.Shape[1]]);
        g.Emit(Elementwise.FillOp, [one], new OpAttribute("value", 1.0));
        g.Emit(RmsNormOp, [x, null, one, g.Like(x), null, rstd], new OpAttribute("epsilon", 0.0));
        return rstd;
    }

    private static Tensor Statistic(Tensor x) => x.Graph.Temporary(DType.F32, [x.Shape[0]]);

    private static (Tensor X, Tensor Dy, Tensor? Dsum, Tensor Dx)? Prepare(Call call, GradientContext context)
    {
        // What was normalised: with a fused residual the sum, to which gradients also come from elsewhere.
        var x = call.Find("sum") ?? call["x"];
        var dsum = context.Gradient(call.Find("sum"));
        var dy = context.Gradient(call["y"]);
        if (dy is null)
        {
            AddToInputs(call, context, dsum!);
            return null;
        }

        return (x, Views.Contiguous(dy), dsum is null ? null : Views.Contiguous(dsum), context.Graph.Like(x));
    }

    private static Tensor Sink(Tensor parameter, GradientContext context) =>
        // The kernel always writes it; a frozen weight's gradient goes nowhere.
        GradientContext.Needs(parameter) ? context.Sink(parameter) : context.Graph.Temporary(DType.F32, parameter.Shape);

    private static void AddToInputs(Call call, GradientContext context, Tensor dx)
    {
        context.Add(call["x"], dx);
        if (call.Find("residual") is { } residual)
            context.Add(residual, dx);
    }
}
