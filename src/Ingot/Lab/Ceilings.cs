using Ingot.Bindings;
using Ingot.Graphs;

namespace Ingot.Lab;

/// <summary>What this machine reaches at best, measured when it is asked: the roofs that kernels are set against.</summary>
/// <param name="MatmulFlops">Floating-point operations a second of a large matmul.</param>
/// <param name="Bandwidth">Bytes a second that a sum of two large tensors reads and writes.</param>
public sealed record Ceilings(double MatmulFlops, double Bandwidth)
{
    private const int Side = 1024;
    private const long BandwidthElements = 1 << 24;

    /// <summary>Shortest time in which this machine could do so many operations and move so many bytes.</summary>
    public double Roof(double flops, double bytes) => Math.Max(flops / MatmulFlops, bytes / Bandwidth);

    /// <summary>Measures both for about half a second each; the best of the runs counts.</summary>
    /// <param name="device">The device.</param>
    /// <param name="type">dtype of the matmul's operands.</param>
    public static Ceilings Measure(Device device, DType type)
    {
        var matmul = Fastest(device, new OpCall("matmul", Operands(device, (type, [Side, Side]), (type, [Side, Side]), null, null, (type,
            [Side, Side]))));
        var add = Fastest(device, new OpCall("add", Operands(device, (DType.F32, [BandwidthElements]), (DType.F32, [BandwidthElements]),
            (DType.F32, [BandwidthElements]))));
        return new Ceilings(2.0 * Side * Side * Side / matmul, 12.0 * BandwidthElements / add);
    }

    private static double Fastest(Device device, OpCall call)
    {
        try
        {
            using var program = new NativeProgram(device, [call]);
            using var clock = new RunClock(device);
            for (var i = 0; i < 3; i++)
                clock.Time(program);
            var (best, total) = (double.PositiveInfinity, 0.0);
            for (var i = 0; i < 200 && (total < 0.5 || i < 5); i++)
            {
                var seconds = clock.Time(program);
                best = Math.Min(best, seconds);
                total += seconds;
            }

            return best;
        }
        finally
        {
            foreach (var operand in call.Operands)
                operand.Buffer?.Dispose();
        }
    }

    private static Operand[] Operands(Device device, params (DType Type, long[] Shape)?[] shapes) => [.. shapes.Select(shape =>
        shape is not { } s ? default : new Operand(new DeviceBuffer(device, s.Shape.Aggregate(1L, (a, b) => a * b) * s.Type.Size()), 0,
            s.Type, s.Shape))];
}

/// <summary>Times runs of programs on a device.</summary>
public sealed class RunClock(Device device) : IDisposable
{
    private readonly NativeEvent _begin = new(device);
    private readonly NativeEvent _end = new(device);

    /// <summary>Seconds of a run, as the mean of several one after the other; waits for their end.</summary>
    public double Time(NativeProgram program, int runs = 1)
    {
        _begin.Record();
        for (var i = 0; i < runs; i++)
            program.Run();
        _end.Record();
        _end.Synchronize();
        return _begin.SecondsTo(_end) / runs;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _begin.Dispose();
        _end.Dispose();
    }
}
