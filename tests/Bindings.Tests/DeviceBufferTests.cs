using NUnit.Framework;

namespace Ingot.Bindings.Tests;

public class DeviceBufferTests
{
    [Test]
    public void WhatIsWrittenIsReadBack([Values] bool pinned)
    {
        using var buffer = new DeviceBuffer(Device.Cpu, 40, pinned);
        buffer.Write<float>([1, 2, 3], offset: 8);
        var all = new float[10];
        buffer.Read<float>(all);
        Assert.That(all, Is.EqualTo(new float[] { 0, 0, 1, 2, 3, 0, 0, 0, 0, 0 }));
        Assert.That(buffer.Bytes, Is.EqualTo(40));
    }

    [Test]
    public void BuffersAreCopiedAndFilled()
    {
        using var stream = new NativeStream(Device.Cpu);
        using var source = new DeviceBuffer(Device.Cpu, 8);
        using var destination = new DeviceBuffer(Device.Cpu, 8);
        source.Write<byte>([0, 1, 2, 3, 4, 5, 6, 7], stream: stream);
        source.CopyTo(2, destination, 1, 4, stream);
        destination.Fill(9, 6, 2, stream);
        var bytes = new byte[8];
        destination.Read<byte>(bytes, stream: stream);
        Assert.That(bytes, Is.EqualTo(new byte[] { 0, 2, 3, 4, 5, 0, 9, 9 }));
    }

    [Test]
    public void AMappedBufferIsTheBuffer()
    {
        using var buffer = new DeviceBuffer(Device.Cpu, 16);
        buffer.Map<int>(4, 2)[1] = 7;
        var numbers = new int[4];
        buffer.Read<int>(numbers);
        Assert.That(numbers, Is.EqualTo(new[] { 0, 0, 7, 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Map<int>(4, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Map<int>(2, 1));
    }

    [Test]
    public void WhatGoesBeyondTheBufferIsAnError()
    {
        using var buffer = new DeviceBuffer(Device.Cpu, 16);
        using var other = new DeviceBuffer(Device.Cpu, 8);
        Assert.That(Fails(() => buffer.Write<int>([1, 2], offset: 12)).Status, Is.EqualTo(Status.ErrorInvalidArgument));
        Assert.That(Fails(() => buffer.Read<int>(new int[5])).Message, Does.Contain("16"));
        Fails(() => buffer.CopyTo(0, other, 0, 16));
        Fails(() => buffer.Fill(0, long.MaxValue, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Write<int>([1], offset: -4));
    }

    [Test]
    public void AnImpossibleSizeIsAnError()
    {
        Assert.That(Fails(() => new DeviceBuffer(Device.Cpu, 1L << 60)).Status, Is.EqualTo(Status.ErrorOutOfMemory));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DeviceBuffer(Device.Cpu, 0));
    }

    [Test]
    public void ADisposedBufferIsAnError()
    {
        var buffer = new DeviceBuffer(Device.Cpu, 16);
        buffer.Dispose();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.Write<int>([1]));
    }

    private static IngotException Fails(Action action) => Assert.Throws<IngotException>(action)!;
}
