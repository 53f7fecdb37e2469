using BenchmarkDotNet.Attributes;
using Ingot.Bindings;

namespace Ingot.Benchmarks;

/// <summary>What a run of a program costs beside its kernels: calls that have next to nothing to compute.</summary>
public class ProgramBenchmarks
{
    private DeviceBuffer _buffer = null!;
    private NativeProgram _program = null!;

    /// <summary>Calls of the program.</summary>
    [Params(0, 1, 100)]
    public int Calls { get; set; }

    /// <summary>Whether each call is measured.</summary>
    [Params(false, true)]
    public bool Timed { get; set; }

    [GlobalSetup]
    public void Make()
    {
        _buffer = new DeviceBuffer(Device.Cpu, 64);
        var one = new Operand(_buffer, 0, DType.F32, 1);
        _program = new NativeProgram(Device.Cpu, [.. Enumerable.Repeat(new OpCall("fill", [one]), Calls)], Timed);
    }

    [GlobalCleanup]
    public void Free()
    {
        _program.Dispose();
        _buffer.Dispose();
    }

    [Benchmark]
    public void Run() => _program.Run();
}
