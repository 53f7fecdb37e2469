using NUnit.Framework;

namespace Ingot.Bindings.Tests;

public class NativeProgramTests
{
    private static readonly float[] Input = [1, -2, 3, -4, 5, -6];

    private DeviceBuffer _x = null!;
    private DeviceBuffer _y = null!;

    private Operand X => new(_x, 0, DType.F32, 2, 3);

    private Operand Y => new(_y, 0, DType.F32, 2, 3);

    [SetUp]
    public void MakeBuffers()
    {
        _x = new(Device.Cpu, 24);
        _y = new(Device.Cpu, 24);
        _x.Write<float>(Input);
    }

    [TearDown]
    public void FreeBuffers()
    {
        _x.Dispose();
        _y.Dispose();
    }

    [Test]
    public void KernelsAreListed()
    {
        Kernel kernel = Kernel.GetAll().First(kernel => kernel.Op == "add");
        Assert.That(kernel.DeviceKind, Is.EqualTo(DeviceKind.Cpu));
        Assert.That(kernel.Origin, Is.EqualTo("built-in"));
        Assert.That(new[] { kernel.Variant, kernel.Description }, Has.All.Not.Empty);
    }

    [Test]
    public void CallsRunInOrder()
    {
        using var stream = new NativeStream(Device.Cpu);
        using var program = new NativeProgram(Device.Cpu, [new("add", [X, X, Y]), new("multiply", [Y, X, Y])]);
        program.Run();
        Assert.That(Result(), Is.EqualTo(Input.Select(x => 2 * x * x)));
        program.Run(stream);
        Assert.That(program.GetInfo(), Has.Property("CallCount").EqualTo(2).And.Property("RunCount").EqualTo(2));
    }

    [Test]
    public void AttributesOfEveryKindArrive()
    {
        using var factor = new DeviceBuffer(Device.Cpu, 4);
        factor.Write<float>([10]);
        using var program = new NativeProgram(Device.Cpu,
        [
            new("scale", [X, default, Y]) { Attributes = [new("factor", 3.0)] },
            new("scale", [Y, new(factor, 0, DType.F32, 1), Y]),
            new("activation", [Y, Y]) { Attributes = [new("kind", "relu")] },
        ]);
        program.Run();
        Assert.That(Result(), Is.EqualTo(Input.Select(x => Math.Max(0, 30 * x))));
    }

    [Test]
    public void FlagsArrive()
    {
        using var ones = new DeviceBuffer(Device.Cpu, 36);
        ones.Write<float>([1, 0, 0, 0, 1, 0, 0, 0, 1]);
        Operand identity = new(ones, 0, DType.F32, 3, 3);
        using var program = new NativeProgram(Device.Cpu,
        [
            new("copy", [X, Y]),
            new("matmul", [X, identity, default, default, Y]) { Attributes = [new("accumulate", true)] },
        ]);
        program.Run();
        Assert.That(Result(), Is.EqualTo(Input.Select(x => 2 * x)));
    }

    [Test]
    public void StridesMakeViews()
    {
        Operand transposed = new(_y, 0, DType.F32, [2, 3], [1, 2]);
        using var program = new NativeProgram(Device.Cpu, [new("copy", [X, transposed])]);
        program.Run();
        Assert.That(Result(), Is.EqualTo(new float[] { 1, -4, -2, 5, 3, -6 }));
    }

    [Test]
    public void ATimedProgramTellsItsKernelsAndTimes()
    {
        string variant = Kernel.GetAll().First(kernel => kernel.Op == "add").Variant;
        using var program = new NativeProgram(Device.Cpu, [new("add", [X, X, Y]) { Label = "täst", Kernel = variant }], timed: true);
        program.Run();
        program.Run();
        CallInfo call = program.GetCalls().Single();
        Assert.That((call.Op, call.Kernel, call.Label), Is.EqualTo(("add", variant, "täst")));
        Assert.That(call.Seconds, Is.Positive);
        Assert.That(call.TotalSeconds, Is.GreaterThan(call.Seconds));
    }

    [Test]
    public void TheCallThatDoesNotPassIsNamed()
    {
        Operand wrong = new(_y, 0, DType.F32, 3, 2);
        IngotException e = Fails(new OpCall("add", [X, X, Y]), new OpCall("add", [X, X, wrong]) { Label = "h.3.add" });
        Assert.That(e.Status, Is.EqualTo(Status.ErrorInvalidArgument));
        Assert.That(e.Message, Does.Contain("h.3.add"));
        Assert.That(Fails(new OpCall("no_such_op", [X])).Message, Does.Contain("no_such_op"));
        Assert.That(Fails(new OpCall("add", [X, X, Y]) { Kernel = "no_such_kernel" }).Message, Does.Contain("no_such_kernel"));
        Assert.That(Fails(new OpCall("scale", [X, default, Y]) { Attributes = [new("facto", 1.0)] }).Message, Does.Contain("facto"));
        Fails(new OpCall("add", [X, X, new(_y, 4, DType.F32, 2, 3)]));
        Assert.Throws<ArgumentException>(() => new NativeProgram(Device.Cpu, [new("copy", [X, new(_y, 0, DType.F32, [2, 3], [1])])]));
    }

    [Test]
    public void AProgramKeepsItsBuffersMemory()
    {
        using var program = new NativeProgram(Device.Cpu, [new("add", [X, X, Y])]);
        _x.Dispose();
        program.Run();
        Assert.That(Result(), Is.EqualTo(Input.Select(x => 2 * x)));
        program.Dispose();
        Assert.Throws<ObjectDisposedException>(() => program.Run());
    }

    [Test]
    public void ADisposedBufferIsAnError()
    {
        _y.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new NativeProgram(Device.Cpu, [new("add", [X, X, Y])]));
    }

    [Test]
    public void ARunAllocatesNothing()
    {
        using var program = new NativeProgram(Device.Cpu, [new("add", [X, X, Y])]);
        program.Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            program.Run();
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread(), Is.EqualTo(before));
    }

    private static IngotException Fails(params OpCall[] calls) =>
        Assert.Throws<IngotException>(() => new NativeProgram(Device.Cpu, calls))!;

    private float[] Result()
    {
        var result = new float[6];
        _y.Read<float>(result);
        return result;
    }
}
