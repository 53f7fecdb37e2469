namespace Ingot.Bindings;

/// <summary>
/// A queue of work on a device, done in order. Where a stream is optional, null means the device's default stream. On the CPU
/// work is done when the call returns.
/// </summary>
public sealed unsafe class NativeStream : IDisposable
{
    private readonly SafeStreamHandle _handle;

    /// <summary>Makes a stream on <paramref name="device"/>.</summary>
    public NativeStream(Device device)
    {
        StreamHandle handle;
        IngotException.ThrowIfFailed(NativeMethods.StreamCreate(device.Index, &handle));
        _handle = new(handle);
        Device = device;
    }

    /// <summary>The device that does the work.</summary>
    public Device Device { get; }

    /// <summary>Waits until everything in the stream is done.</summary>
    public void Synchronize()
    {
        using NativeHandle.Use stream = _handle.Borrow();
        IngotException.ThrowIfFailed(NativeMethods.StreamSynchronize(new(stream.Value)));
    }

    /// <summary>Lets work that is given to the stream from now on start only after <paramref name="mark"/>.</summary>
    public void Wait(NativeEvent mark)
    {
        using NativeHandle.Use stream = _handle.Borrow();
        using NativeHandle.Use other = mark.Borrow();
        IngotException.ThrowIfFailed(NativeMethods.StreamWait(new(stream.Value), new(other.Value)));
    }

    /// <summary>Waits for the stream's work, then frees it.</summary>
    public void Dispose() => _handle.Dispose();

    internal static NativeHandle.Use Borrow(NativeStream? stream) => stream is null ? default : stream._handle.Borrow();
}
