using BenchmarkDotNet.Attributes;
using Ingot.Bindings;

namespace Ingot.Benchmarks;

/// <summary>What it costs to cross from C# to native code and back.</summary>
public class InteropBenchmarks
{
    private readonly byte[] _page = new byte[4096];
    private DeviceBuffer _buffer = null!;
    private NativeEvent _event = null!;

    [GlobalSetup]
    public void Make() => (_buffer, _event) = (new DeviceBuffer(Device.Cpu, 4096), new NativeEvent(Device.Cpu));

    [GlobalCleanup]
    public void Free()
    {
        _buffer.Dispose();
        _event.Dispose();
    }

    /// <summary>A call without handles.</summary>
    [Benchmark(Baseline = true)]
    public int ReadANumber() => NativeRuntime.Threads;

    /// <summary>A call with a handle, which is kept from being freed meanwhile.</summary>
    [Benchmark]
    public void RecordAnEvent() => _event.Record();

    /// <summary>4,096 bytes.</summary>
    [Benchmark]
    public void CopyAPage() => _buffer.Write<byte>(_page);
}
