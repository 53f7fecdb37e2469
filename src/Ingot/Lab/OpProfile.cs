using System.Globalization;
using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;

namespace Ingot.Lab;

/// <summary>Times of one kernel for one call.</summary>
/// <param name="Shape">The call's sizes and attributes.</param>
/// <param name="Variant">The kernel.</param>
/// <param name="Flops">Floating-point operations of a run; 0 if the kernel does not tell.</param>
/// <param name="Bytes">Bytes read and written by a run; 0 if the kernel does not tell.</param>
/// <param name="Warm">Times of runs one after the other; null if the kernel does not support the call.</param>
/// <param name="Cold">Times of runs whose operands are not in any cache.</param>
/// <param name="Refusal">Why the kernel does not support the call; empty if it does.</param>
public sealed record OpTiming(string Shape, string Variant, double Flops, double Bytes, Samples? Warm, Samples? Cold, string Refusal);

/// <summary>
/// Times kernels of an op side by side: they take turns, so that what else the machine does touches all alike; with warm caches, one run
/// after the other, and with cold ones, after something larger than the caches has been written.
/// </summary>
public static class OpProfile
{
    private const double SecondsEach = 0.5;
    private const int MostRounds = 200, FewestRounds = 7, ColdRounds = 15;

    // A run shorter than this is measured several times at once, so that the clock's own time does not count.
    private const double ShortestMeasured = 2e-4;

    /// <summary>Times kernels on every shape.</summary>
    /// <param name="shapes">The calls.</param>
    /// <param name="variants">The kernels; all of the op if there are none.</param>
    /// <param name="type">dtype of the computation.</param>
    /// <param name="device">The device.</param>
    /// <param name="cancellationToken">Ends it before the next round.</param>
    /// <exception cref="IngotException">A kernel fails.</exception>
    public static IEnumerable<OpTiming> Run(IReadOnlyList<ShapeText> shapes, IReadOnlyList<string> variants, DType type, Device device,
        CancellationToken cancellationToken = default)
    {
        using var clock = new RunClock(device);
        using var flush = new CacheFlush(device);
        foreach (var shape in shapes)
        {
            var call = shape.Shapes(type);
            KernelSupport[] kernels = [.. KernelSupport.Of(device, call).Where(kernel => variants.Count == 0
                || variants.Contains(kernel.Kernel))];
            Operand[] operands = [.. shape.Signature.Operands.Zip(call.Operands, (spec, operand) => Fill(spec, operand, shape, device))];
            var programs = new Dictionary<string, NativeProgram>();
            try
            {
                foreach (var kernel in kernels.Where(kernel => kernel.IsSupported))
                    programs.Add(kernel.Kernel, new NativeProgram(device, [call with { Operands = operands, Kernel = kernel.Kernel }]));
                var warm = Rounds(programs, clock, MostRounds, null, cancellationToken);
                var cold = Rounds(programs, clock, ColdRounds, flush, cancellationToken);
                foreach (var kernel in kernels)
                {
                    yield return new OpTiming(shape.ToString(), kernel.Kernel, kernel.Flops, kernel.Bytes,
                        warm.GetValueOrDefault(kernel.Kernel),
                        cold.GetValueOrDefault(kernel.Kernel), kernel.Reason);
                }
            }
            finally
            {
                foreach (var program in programs.Values)
                    program.Dispose();
                foreach (var operand in operands)
                    operand.Buffer?.Dispose();
            }
        }
    }

    private static Dictionary<string, Samples> Rounds(Dictionary<string, NativeProgram> programs, RunClock clock, int most,
        CacheFlush? flush,
        CancellationToken cancellationToken)
    {
        var times = programs.Keys.ToDictionary(variant => variant, _ => new List<double>());
        // The first is not measured; a GPU's program is recorded at its second run.
        var runs = new Dictionary<string, int>();
        foreach (var (variant, program) in programs)
        {
            clock.Time(program);
            clock.Time(program);
            runs[variant] = flush is null ? (int)Math.Clamp(ShortestMeasured / Math.Max(clock.Time(program), 1e-9), 1, 1000) : 1;
        }

        var total = 0.0;
        for (var round = 0; round < most && (round < FewestRounds || total < SecondsEach * programs.Count); round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var (variant, program) in programs)
            {
                // What another kernel left in the caches is not this one's to be measured by.
                if (flush is null)
                    program.Run();
                else
                    flush.Run();
                var seconds = clock.Time(program, runs[variant]);
                times[variant].Add(seconds);
                total += seconds * runs[variant];
            }
        }

        return times.ToDictionary(pair => pair.Key, pair => new Samples(pair.Value));
    }

    // Numbers from -1 to 1 where nothing else is asked for, and indices that lie within what they index.
    private static Operand Fill(OperandSpec spec, Operand shape, ShapeText sizes, Device device)
    {
        if (shape.DType == DType.None)
            return default;
        var count = shape.Shape.Aggregate(1L, (product, length) => checked(product * length));
        var buffer = new DeviceBuffer(device, Math.Max(1, count) * shape.DType.Size());
        var random = new Random(1);
        var limit = sizes.Signature.Letters.Contains("V") ? sizes["V"] : sizes.Signature.Letters.Contains("P") ? sizes["P"]
            : sizes.Signature.Letters.Contains("S") ? sizes["S"] : 2;
        const int Piece = 1 << 16;
        for (var at = 0L; at < count; at += Piece)
        {
            var n = (int)Math.Min(Piece, count - at);
            switch (shape.DType)
            {
                case DType.F32:
                    float[] numbers = [.. Enumerable.Range(0, n).Select(i => Number(spec.Name, at + i, random))];
                    buffer.Write<float>(numbers, at * 4);
                    break;
                case DType.Bf16:
                    ushort[] halves = [.. Enumerable.Range(0, n).Select(i => Bf16.Round(Number(spec.Name, at + i, random)))];
                    buffer.Write<ushort>(halves, at * 2);
                    break;
                case DType.I32:
                    int[] ids = [.. Enumerable.Range(0, n).Select(_ => (int)random.NextInt64(limit))];
                    buffer.Write<int>(ids, at * 4);
                    break;
                case DType.I64:
                    long[] seeds = [.. Enumerable.Range(0, n).Select(i => at + i)];
                    buffer.Write<long>(seeds, at * 8);
                    break;
                default:
                    break;
            }
        }

        return shape with { Buffer = buffer };
    }

    private static float Number(string operand, long at, Random random) => operand switch
    {
        // Temperature, top-k, top-p, min-p.
        "settings" => at == 1 ? 50 : at == 3 ? 0 : 1,
        "schedule" => at == 0 ? 1e-6f : 0.1f,
        "v" or "squares" => random.NextSingle(),
        _ => (2 * random.NextSingle()) - 1,
    };

    /// <summary>Writes more than the caches hold.</summary>
    private sealed class CacheFlush : IDisposable
    {
        private readonly DeviceBuffer _buffer;
        private readonly NativeProgram _program;

        public CacheFlush(Device device)
        {
            var bytes = Math.Max(64L << 20, 2 * LastLevelCache());
            _buffer = new DeviceBuffer(device, bytes);
            _program = new NativeProgram(device, [new OpCall("fill", [new Operand(_buffer, 0, DType.F32, bytes / 4)])]);
        }

        public void Run() => _program.Run();

        public void Dispose()
        {
            _program.Dispose();
            _buffer.Dispose();
        }

        // "32768K"; a GPU's is smaller than what is taken at least.
        private static long LastLevelCache()
        {
            const string Path = "/sys/devices/system/cpu/cpu0/cache/index3/size";
            return RuntimeInformation.IsOSPlatform(OSPlatform.Linux) && File.Exists(Path) && File.ReadAllText(Path)
                .Trim() is [.. var number, 'K']
                && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var kilobytes) ? Math.Min(kilobytes,
                    512 << 10) << 10 : 0;
        }
    }
}
