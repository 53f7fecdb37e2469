using System.Runtime.InteropServices;
using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Rotary position embedding (Su et al. 2021).</summary>
public static class Rotary
{
    internal static Op Op { get; } = new("rotary", "x positions? cos sin -> y", (call, context) =>
    {
        var x = call["x"];
        var dx = context.OutputFor(x);
        context.Graph.Emit(Op!, [context.Gradient(call["y"]), call.Find("positions"), call["cos"], call["sin"], dx],
            new OpAttribute("inverse", true), new OpAttribute("interleaved", call.Integer("interleaved")));
        context.Add(x, dx);
    });

    /// <summary>Rotates x [B, T, H, D] by the angles of positions [B, T] (null: 0, 1, 2 ...), tables as <see cref="Tables"/>.</summary>
    public static Tensor Apply(Tensor x, Tensor? positions, (Tensor Cos, Tensor Sin) tables)
    {
        var y = x.Graph.Like(x);
        x.Graph.Emit(Op, [x, positions, tables.Cos, tables.Sin, y], new OpAttribute("inverse", false),
            new OpAttribute("interleaved", false));
        return y;
    }

    /// <summary>
    /// cos and sin of position · frequency, times an amplitude: each [positions, D/2] fp32, computed in double precision.
    /// </summary>
    public static (Tensor Cos, Tensor Sin) Tables(Graph g, long positions, ReadOnlySpan<double> frequencies, double amplitude = 1)
    {
        var half = frequencies.Length;
        var cos = new float[checked(positions * half)];
        var sin = new float[cos.Length];
        for (var p = 0L; p < positions; p++)
        {
            for (var r = 0; r < half; r++)
            {
                var angle = p * frequencies[r];
                cos[(p * half) + r] = (float)(amplitude * Math.Cos(angle));
                sin[(p * half) + r] = (float)(amplitude * Math.Sin(angle));
            }
        }

        return (g.Constant("rotary.cos", DType.F32, MemoryMarshal.AsBytes<float>(cos).ToArray(), positions, half),
            g.Constant("rotary.sin", DType.F32, MemoryMarshal.AsBytes<float>(sin).ToArray(), positions, half));
    }
}
