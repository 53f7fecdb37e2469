using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>What <see cref="StepBenchmark"/> measures.</summary>
public sealed record StepBenchmarkOptions
{
    /// <summary>The model.</summary>
    public required ModelConfig Model { get; init; }

    /// <summary>Sequences of a step.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>Tokens of each sequence.</summary>
    public int Sequence { get; init; } = 1024;

    /// <summary>Precision of computations.</summary>
    public Precision Precision { get; init; }

    /// <summary>Steps that are measured, after one that is not.</summary>
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
/// <param name="PeakMemoryMB">Most memory of the process so far, in 2^20 bytes.</param>
/// <param name="HostShare">Share of the step spent in C# and interop.</param>
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
        var stepOptions = new TrainingStepOptions
        {
            Batch = batch,
            Length = length,
            ComputeType = computeType,
            Beta2 = 0.95,
            WeightDecay = 0.1,
            Timed = options.Timed,
            Recompute = options.GradientCheckpointing.ToPolicy(),
            Kernels = options.Kernels,
        };
        using var parameters = new ParameterStore(Device.Cpu, options.Model.DeclareParameters(), computeType, training: true);
        parameters.Initialize(1);
        using var step = new TrainingStep(options.Model, parameters, stepOptions);
        var random = new Random(1);
        var tokens = new int[batch * length];
        var targets = new int[batch * length];
        for (var i = 0; i < tokens.Length; i++)
            (tokens[i], targets[i]) = (random.Next(options.Model.VocabularySize), random.Next(options.Model.VocabularySize));

        var shapes = MatmulShapes(options.Model, stepOptions);
        step.Run(tokens, targets, 0, 1e-4);
        // The step's own peak, before the comparison adds its matrices.
        var peak = Process.GetCurrentProcess().PeakWorkingSet64;
        var matmulBefore = MatmulRate(shapes, computeType);

        var times = new double[options.Steps];
        var host = new double[options.Steps];
        for (var i = 0; i < times.Length; i++)
        {
            var native = step.NativeTime;
            var start = Stopwatch.GetTimestamp();
            step.Run(tokens, targets, i + 1, 1e-4);
            times[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            host[i] = times[i] - (step.NativeTime - native).TotalSeconds;
        }

        var matmul = Math.Max(matmulBefore, MatmulRate(shapes, computeType));
        Array.Sort(times);
        Array.Sort(host);
        var seconds = times[0];
        var gflops = options.Model.TrainingFlopsPerToken(length) * tokens.Length / seconds / 1e9;
        // Two programs run in a step; crossing over to them counts for the host.
        var hostSeconds = host[host.Length / 2] + (2 * CrossingSeconds());
        IReadOnlyList<CallInfo> calls = options.Timed
            ? [.. step.Program.GetCalls().Concat(step.UpdateProgram.GetCalls()).OrderByDescending(c => c.TotalSeconds)]
            : [];
        return new StepBenchmarkResult(tokens.Length / seconds, seconds * 1e3, times[times.Length / 2] * 1e3, gflops, matmul, gflops / matmul,
            peak / 1048576.0, hostSeconds / times[times.Length / 2], parameters.ParameterCount, calls);
    }

    /// <summary>Rate that the matmul library alone reaches on a step's matmul shapes, in billions of operations a second.</summary>
    internal static double MatmulRate(ModelConfig model, TrainingStepOptions options) =>
        MatmulRate(MatmulShapes(model, options), options.ComputeType, seconds: 0.1);

    /// <summary>The matmuls that together do nine tenths of the step's matmul work, each shape with how often it occurs.</summary>
    private static List<(Call Call, int Count)> MatmulShapes(ModelConfig model, TrainingStepOptions options)
    {
        var graph = TrainingStep.Write(model, options);
        CompiledGraph.Prepare(graph, new CompileOptions { Train = true, Recompute = options.Recompute });
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

    /// <summary>The matmul library alone: each shape by itself for so many seconds, weighted as in the step; the best of its runs.</summary>
    private static double MatmulRate(List<(Call Call, int Count)> shapes, DType dtype, double seconds = 0.5)
    {
        var (flops, time) = (0.0, 0.0);
        foreach (var (call, count) in shapes)
        {
            Operand Dense(Tensor t, DType type) => new(new DeviceBuffer(Device.Cpu, Math.Max(1, t.Elements) * type.Size()), 0, type,
                t.Shape, t.Strides[0] == 1 && t.Shape[0] > 1 ? [1, t.Shape[0]] : [t.Shape[1], 1]);
            Operand[] operands = [Dense(call["a"], dtype), Dense(call["b"], dtype), default, default, Dense(call["y"], call["y"].DType)];
            foreach (var operand in operands.Where(o => o.DType == DType.F32))
                operand.Buffer.Map<float>(0, (int)(operand.Buffer.Bytes / 4)).Fill(0.5f);
            foreach (var operand in operands.Where(o => o.DType == DType.Bf16))
                operand.Buffer.Map<ushort>(0, (int)(operand.Buffer.Bytes / 2)).Fill(0x3f00);
            using (var program = Library(operands))
            {
                program.Run();
                var best = double.PositiveInfinity;
                for (var (i, total) = (0, 0.0); i < 20 && total < seconds; i++)
                {
                    var start = Stopwatch.GetTimestamp();
                    program.Run();
                    var run = Stopwatch.GetElapsedTime(start).TotalSeconds;
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

    /// <summary>A matmul by oneDNN itself, or, where that cannot do it, by the default kernel.</summary>
    private static NativeProgram Library(Operand[] operands)
    {
        try
        {
            return new NativeProgram(Device.Cpu, [new OpCall("matmul", operands) { Kernel = "onednn" }]);
        }
        catch (IngotException e) when (e.Status == Status.ErrorUnsupported)
        {
            return new NativeProgram(Device.Cpu, [new OpCall("matmul", operands)]);
        }
    }

    /// <summary>Seconds of a run of a program that does nothing.</summary>
    private static double CrossingSeconds()
    {
        using var empty = new NativeProgram(Device.Cpu, []);
        const int Runs = 1000;
        empty.Run();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Runs; i++)
            empty.Run();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / Runs;
    }
}
