using NUnit.Framework;

namespace Ingot.Bindings.Tests;

public class DeviceTests
{
    [Test]
    public void TheFirstDeviceIsTheCpu()
    {
        Assert.That(Device.Cpu, Is.SameAs(Device.All[0]));
        DeviceProperties cpu = Device.Cpu.Properties;
        Assert.That(cpu.Kind, Is.EqualTo(DeviceKind.Cpu));
        Assert.That(cpu.Name, Is.Not.Empty);
        Assert.That(cpu.ComputeUnits, Is.Positive);
        Assert.That(cpu.ComputeCapability, Is.Zero);
        Assert.That(cpu.MemoryBytes, Is.GreaterThan(64L << 20));
    }

    [Test]
    public void AllocatedMemoryIsCounted()
    {
        const long Bytes = 3 << 20;
        long before = Device.Cpu.GetMemory().Allocated;
        using (new DeviceBuffer(Device.Cpu, Bytes))
        {
            DeviceMemory memory = Device.Cpu.GetMemory();
            Assert.That(memory.Allocated, Is.GreaterThanOrEqualTo(before + Bytes));
            Assert.That(memory.PeakAllocated, Is.GreaterThanOrEqualTo(memory.Allocated));
            Assert.That(memory.Available, Is.Positive);
        }

        Assert.That(Device.Cpu.GetMemory().Allocated, Is.EqualTo(before));
    }

    [Test]
    public void BuildInfoIsFilled()
    {
        BuildInfo info = NativeRuntime.BuildInfo;
        Assert.That(new[] { info.Version, info.Compiler, info.Configuration, info.MatmulLibrary, info.Simd }, Has.All.Not.Empty);
    }

    [Test]
    public void CudaInfoSaysWhyThereIsNoGpu()
    {
        CudaInfo info = NativeRuntime.CudaInfo;
        Assert.That(info.Module, Is.Not.Empty);
        Assert.That(info.Available, Is.EqualTo(Device.All.Any(device => device.Kind == DeviceKind.Cuda)));
        Assert.That(info.Problem, info.Available ? Is.Not.Null : Is.Not.Empty);
    }

    [Test]
    public void ThreadsCanBeSet()
    {
        int usual = NativeRuntime.Threads;
        NativeRuntime.Threads = 3;
        Assert.That(NativeRuntime.Threads, Is.EqualTo(3));
        IngotException e = Assert.Throws<IngotException>(() => NativeRuntime.Threads = 100000)!;
        Assert.That(e.Status, Is.EqualTo(Status.ErrorInvalidArgument));
        Assert.That(e.Message, Does.Contain("100000"));
        NativeRuntime.Threads = 0;
        Assert.That(NativeRuntime.Threads, Is.EqualTo(usual));
    }

    [Test]
    public void OpsAreListed()
    {
        IReadOnlyList<Op> ops = Op.GetAll();
        Assert.That(ops.Select(op => op.Name), Is.Ordered.And.Unique.And.Contains("layer_norm"));
        Assert.That(ops.SelectMany(op => new[] { op.Description, op.Operands }), Has.All.Not.Empty);
    }

    [Test]
    public void APluginThatIsNotThereIsAnError()
    {
        IngotException e = Assert.Throws<IngotException>(() => NativeRuntime.LoadPlugin("/no/such/plug-in.so"))!;
        Assert.That(e.Status, Is.EqualTo(Status.ErrorNotFound));
        Assert.That(e.Message, Does.Contain("/no/such/plug-in.so"));
        Assert.Throws<ArgumentException>(() => NativeRuntime.LoadPlugin("a\0b"));
    }

    [Test]
    public void EventsMeasureTime()
    {
        using var stream = new NativeStream(Device.Cpu);
        using var start = new NativeEvent(Device.Cpu);
        using var stop = new NativeEvent(Device.Cpu);
        Assert.Throws<IngotException>(start.Synchronize);
        start.Record(stream);
        stream.Wait(start);
        Thread.Sleep(2);
        stop.Record();
        stop.Synchronize();
        stream.Synchronize();
        Assert.That(start.SecondsTo(stop), Is.InRange(0.001, 60));
    }
}
