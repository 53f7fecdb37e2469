using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>
/// Memory that the host fills anew for every run of a program. On the CPU it is the memory that the program reads. On a GPU the host
/// fills pinned memory, which is copied in the stream's order; there are two such pieces, so that the host fills one for the next run
/// while the other's is under way. Nothing is allocated after the constructor.
/// </summary>
public sealed class HostInput : IDisposable
{
    private readonly Slot[] _slots = [];
    private int _next;

    /// <summary>Allocates it.</summary>
    public HostInput(Device device, long bytes)
    {
        try
        {
            Buffer = new DeviceBuffer(device, bytes, pinned: device.Kind == DeviceKind.Cpu);
            if (device.Kind != DeviceKind.Cpu)
                _slots = [new Slot(device, bytes), new Slot(device, bytes)];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What programs read.</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>The host's view of a range, to be filled before <see cref="Send"/>; what it held before is lost.</summary>
    public Span<T> Map<T>(long offset, int length)
        where T : unmanaged
    {
        if (_slots.Length == 0)
            return Buffer.Map<T>(offset, length);
        var slot = _slots[_next];
        slot.WaitUntilFree();
        return slot.Memory.Map<T>(offset, length);
    }

    /// <summary>Makes what was filled the content that programs read from here on.</summary>
    public void Send()
    {
        if (_slots.Length == 0)
            return;
        _slots[_next].SendTo(Buffer);
        _next = (_next + 1) % _slots.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Buffer?.Dispose();
        foreach (var slot in _slots)
            slot.Dispose();
    }

    /// <summary>Pinned memory, and whether it is still being copied.</summary>
    private sealed class Slot(Device device, long bytes) : IDisposable
    {
        private readonly NativeEvent _copied = new(device);
        private bool _busy;

        public DeviceBuffer Memory { get; } = new(device, bytes, pinned: true);

        public void WaitUntilFree()
        {
            if (_busy)
                _copied.Synchronize();
            _busy = false;
        }

        public void SendTo(DeviceBuffer buffer)
        {
            Memory.CopyTo(0, buffer, 0, buffer.Bytes);
            _copied.Record();
            _busy = true;
        }

        public void Dispose()
        {
            Memory.Dispose();
            _copied.Dispose();
        }
    }
}
