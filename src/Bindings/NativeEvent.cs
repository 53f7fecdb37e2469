namespace Ingot.Bindings;

/// <summary>A mark in a stream, for waiting and timing.</summary>
public sealed unsafe class NativeEvent : IDisposable
{
    private readonly SafeEventHandle _handle;

    /// <summary>Makes an event on <paramref name="device"/>.</summary>
    public NativeEvent(Device device)
    {
        EventHandle handle;
        IngotException.ThrowIfFailed(NativeMethods.EventCreate(device.Index, &handle));
        _handle = new(handle);
    }

    /// <summary>Puts the event behind what the stream has been given so far.</summary>
    public void Record(NativeStream? stream = null)
    {
        using NativeHandle.Use mark = _handle.Borrow();
        using NativeHandle.Use queue = NativeStream.Borrow(stream);
        IngotException.ThrowIfFailed(NativeMethods.EventRecord(new(mark.Value), new(queue.Value)));
    }

    /// <summary>Waits until the event has happened.</summary>
    /// <exception cref="IngotException">It was never recorded.</exception>
    public void Synchronize()
    {
        using NativeHandle.Use mark = _handle.Borrow();
        IngotException.ThrowIfFailed(NativeMethods.EventSynchronize(new(mark.Value)));
    }

    /// <summary>Seconds from this event to a later one; both must have happened.</summary>
    public double SecondsTo(NativeEvent later)
    {
        using NativeHandle.Use start = _handle.Borrow();
        using NativeHandle.Use stop = later._handle.Borrow();
        double seconds;
        IngotException.ThrowIfFailed(NativeMethods.EventElapsed(new(start.Value), new(stop.Value), &seconds));
        return seconds;
    }

    /// <summary>Frees the event.</summary>
    public void Dispose() => _handle.Dispose();

    internal NativeHandle.Use Borrow() => _handle.Borrow();
}
