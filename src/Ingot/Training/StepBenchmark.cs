using System.Diagnostics;
using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>What <see cref="StepBenchmark"/> measures.</summary>
public sealed record StepBenchmarkOptions
{
    /// <summary>The model.</summary>
    public required ModelConfig Model { get; init; }

    /// <summary>Where it is computed; the CPU if null.</summary>
    public Device? Device { get; init; }

    /// <summary>Sequences of a step.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>Tokens of each sequence; of an encoder-decoder also those of its source.</summary>
    public int Sequence { get; init; } = 1024;

    /// <summary>Precision of computations.</summary>
    public Precision Precision { get; init; }

    /// <summary>Steps that are measured, after some that are not.</summary>
    public int Steps { get; init; } = 5;

    /// <summary>What is computed again in the backward pass.</summary>
    public GradientCheckpointing GradientCheckpointing { get; init; }

    /// <summary>Kernel variants by op.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>Also measure every call, which costs a little time.</summary>
    public bool Timed { get; init; }
}

/// <summary>Figures of a training step. Times are those of the fastest measured step.</summary>
/// <param name="TokensPerSecond">Tokens trained on in a second.</param>
/// <param name="MsPerStep">Milliseconds for forward, backward, clipping and AdamW.</param>
/// <param name="MedianMsPerStep">Milliseconds of the middle one of the measured steps.</param>
/// <param name="Gflops">Billions of floating-point operations in a second, counting 6 N + 6 L C T for each token.</param>
/// <param name="MatmulGflops">What the matmul library alone reaches on the step's matmul shapes, measured before and after.</param>
/// <param name="Share">Gflops / MatmulGflops.</param>
/// <param name="PeakMemoryMB">Most memory of the process so far, on a GPU that of the library's buffers there, in 2^20 bytes.</param>
/// <param name="HostShare">Share of the step spent in C# and interop; on a GPU that is beside the step, not in it.</param>
/// <param name="Parameters">Number of parameters.</param>
/// <param name="Calls">Time of each call, slowest first, if asked for.</param>
public sealed record StepBenchmarkResult(double TokensPerSecond, double MsPerStep, double MedianMsPerStep, double Gflops,
    double MatmulGflops, double Share, double PeakMemoryMB, double HostShare, long Parameters, IReadOnlyList<CallInfo> Calls);

/// <summary>Measures whole training steps against the rate that the matmul library reaches by itself in the same run.</summary>
public static class StepBenchmark
{
    /// <summary>Runs the benchmark.</summary>
    public static StepBenchmarkResult Run(StepBenchmarkOptions options)
    {
        var (batch, length) = (options.Batch, options.Sequence);
        var computeType = options.Precision == Precision.Bf16 ? DType.Bf16 : DType.F32;
        if (length > options.Model.MaxPositions)
            throw new ArgumentException($"the model has {options.Model.MaxPositions} positions; a sequence of {length} does not fit");
        var device = options.Device ?? Device.Cpu;
        var stepOptions = new TrainingStepOptions
        {
            Batch = batch,
            Length = length,
            SourceLength = options.Model is EncoderDecoderConfig ? length : 0,
            ComputeType = computeType,
            Beta2 = 0.95,
            WeightDecay = 0.1,
            Timed = options.Timed,
            Recompute = options.GradientCheckpointing.ToPolicy(),
            HeadBytes = Head.ChunkBytesFor(device.Kind),
            Kernels = options.Kernels,
        };
        using var parameters = new ParameterStore(device, options.Model.DeclareParameters(), computeType, training: true);
        parameters.Initialize(1);
        using var step = new TrainingStep(options.Model, parameters, stepOptions);
        var tokens = RandomBatch.Make(options.Model, stepOptions);
        var shapes = MatmulShapes(options.Model, stepOptions);
        // A GPU's first run chooses, its second records; a third shows that nothing is left to do.
        for (var i = 0; i < (device.Kind == DeviceKind.Cpu ? 1 : 3); i++)
            Run(step, tokens, i);
        // The step's own peak, before the comparison adds its matrices.
        var peak = device.Kind == DeviceKind.Cpu ? Process.GetCurrentProcess().PeakWorkingSet64 : device.GetMemory().PeakAllocated;
        var matmulBefore = MatmulRate(shapes, computeType, device);

        var times = new double[options.Steps];
        var host = new double[options.Steps];
        Measure(step, tokens, times, host);
        var matmul = Math.Max(matmulBefore, MatmulRate(shapes, computeType, device));
        Array.Sort(times);
        Array.Sort(host);
        var seconds = times[0];
        var gflops = options.Model.TrainingFlopsPerToken(length) * tokens.TokenCount / seconds / 1e9;
        // Two programs run in a step; crossing over to them counts for the host.
        var hostSeconds = host[host.Length / 2] + (2 * CrossingSeconds(device));
        IReadOnlyList<CallInfo> calls = options.Timed
            ? [.. step.Program.GetCalls().Concat(step.UpdateProgram.GetCalls()).OrderByDescending(c => c.TotalSeconds)]
            : [];
        return new StepBenchmarkResult(tokens.TokenCount / seconds, seconds * 1e3, times[times.Length / 2] * 1e3, gflops, matmul,
            gflops / matmul,
            peak / 1048576.0, hostSeconds / times[times.Length / 2], parameters.ParameterCount, calls);
    }

    /// <summary>
    /// Seconds of each step, and of them those in C#; as in training, a GPU is given the next step before the result is read.
    /// </summary>
    private static void Measure(TrainingStep step, Batch batch, double[] times, double[] host)
    {
        var onHost = step.Parameters.Device.Kind == DeviceKind.Cpu;
        if (!onHost)
            step.Begin(batch, 0);
        for (var i = 0; i < times.Length; i++)
        {
            var native = step.NativeTime;
            var start = Stopwatch.GetTimestamp();
            if (onHost)
                step.Begin(batch, i);
            step.Update(1e-4);
            var begun = Stopwatch.GetElapsedTime(start).TotalSeconds - (step.NativeTime - native).TotalSeconds;
            if (!onHost)
                step.Begin(batch, i + 1);
            step.Finish();
            times[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            host[i] = onHost ? times[i] - (step.NativeTime - native).TotalSeconds : begun;
        }
    }

    private static void Run(TrainingStep step, Batch batch, int number)
    {
        step.Begin(batch, number);
        step.Update(1e-4);
        step.Finish();
    }

    /// <summary>Rate that the matmul library alone reaches on a step's matmul shapes, in billions of operations a second.</summary>
    internal static double MatmulRate(ModelConfig model, TrainingStepOptions options, Device device) =>
        MatmulRate(MatmulShapes(model, options), options.ComputeType, device, seconds: 0.1);

    /// <summary>The matmuls that together do nine tenths of the step's matmul work, each shape with how often it occurs.</summary>
    private static List<(Call Call, int Count)> MatmulShapes(ModelConfig model, TrainingStepOptions options)
    {
        var graph = TrainingStep.Write(model, options);
        CompiledGraph.Prepare(graph, new CompileOptions { Train = true, Recompute = options.Recompute, HeadBytes = options.HeadBytes });
        var groups = graph.Calls.Where(c => c.Op == Linear.MatMulOp)
            .GroupBy(c => (c["a"].ShapeText, c["b"].ShapeText, c["a"].Strides[0] == 1, c["b"].Strides[0] == 1, c["y"].DType))
            .Select(g => (Call: g.First(), Count: g.Count())).OrderByDescending(g => g.Count * Linear.MatMulOp.Flops!(g.Call)).ToList();
        var all = groups.Sum(g => g.Count * Linear.MatMulOp.Flops!(g.Call));
        var taken = 0.0;
        return [.. groups.TakeWhile(g =>
        {
            var more = taken < 0.9 * all;
            taken += g.Count * Linear.MatMulOp.Flops!(g.Call);
            return more;
        })];
    }

    /// <summary>
    /// The matmul library alone: each shape by itself for so many seconds, weighted as in the step; the best of its runs.
    /// </summary>
    private static double MatmulRate(List<(Call Call, int Count)> shapes, DType dtype, Device device, double seconds = 0.5)
    {
        var (flops, time) = (0.0, 0.0);
        foreach (var (call, count) in shapes)
        {
            Operand Dense(Tensor t, DType type) => new(new DeviceBuffer(device, Math.Max(1, t.Elements) * type.Size()), 0, type,
                t.Shape, t.Strides[0] == 1 && t.Shape[0] > 1 ? [1, t.Shape[0]] : [t.Shape[1], 1]);
            Operand[] operands = [Dense(call["a"], dtype), Dense(call["b"], dtype), default, default, Dense(call["y"], call["y"].DType)];
            foreach (var operand in operands.Where(o => o.DType != DType.None))
                FillWithHalves(operand);
            using (var program = Library(operands, device))
            {
                for (var i = 0; i < (device.Kind == DeviceKind.Cpu ? 1 : 3); i++)
                    program.Run();
                using var begin = new NativeEvent(device);
                using var end = new NativeEvent(device);
                var best = double.PositiveInfinity;
                for (var (i, total) = (0, 0.0); i < 20 && total < seconds; i++)
                {
                    begin.Record();
                    program.Run();
                    end.Record();
                    end.Synchronize();
                    var run = begin.SecondsTo(end);
                    best = Math.Min(best, run);
                    total += run;
                }

                time += count * best;
                flops += count * Linear.MatMulOp.Flops!(call);
            }

            foreach (var operand in operands)
                operand.Buffer?.Dispose();
        }

        return flops / time / 1e9;
    }

    /// <summary>Sets all elements to 0.5.</summary>
    private static void FillWithHalves(Operand operand)
    {
        var half = new byte[1 << 20];
        if (operand.DType == DType.F32)
            MemoryMarshal.Cast<byte, float>(half.AsSpan()).Fill(0.5f);
        else
            MemoryMarshal.Cast<byte, ushort>(half.AsSpan()).Fill(0x3f00);
        for (var at = 0L; at < operand.Buffer.Bytes; at += half.Length)
            operand.Buffer.Write<byte>(half.AsSpan(0, (int)Math.Min(half.Length, operand.Buffer.Bytes - at)), at);
    }

    /// <summary>A matmul by oneDNN or cuBLASLt itself, or, where that cannot do it, by the default kernel.</summary>
    private static NativeProgram Library(Operand[] operands, Device device)
    {
        try
        {
            var kernel = device.Kind == DeviceKind.Cpu ? "onednn" : "cublaslt";
            return new NativeProgram(device, [new OpCall("matmul", operands) { Kernel = kernel }]);
        }
        catch (IngotException e) when (e.Status is Status.ErrorUnsupported or Status.ErrorNotFound)
        {
            return new NativeProgram(device, [new OpCall("matmul", operands)]);
        }
    }

    /// <summary>Seconds of a run of a program that does nothing.</summary>
    private static double CrossingSeconds(Device device)
    {
        using var empty = new NativeProgram(device, []);
        const int Runs = 1000;
        empty.Run();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Runs; i++)
            empty.Run();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / Runs;
    }
}
