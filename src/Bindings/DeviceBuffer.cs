using System.Runtime.CompilerServices;

namespace Ingot.Bindings;

/// <summary>A piece of memory on a device, zeroed when it is made. Offsets and sizes are bytes.</summary>
public sealed unsafe class DeviceBuffer : IDisposable
{
    private readonly SafeBufferHandle _handle;

    /// <summary>Allocates memory.</summary>
    /// <param name="device">Whose memory it is.</param>
    /// <param name="bytes">Its size, at least 1.</param>
    /// <param name="pinned">Allocate host memory instead, from and to which the device copies without a detour.</param>
    /// <exception cref="IngotException">There is not that much memory.</exception>
    public DeviceBuffer(Device device, long bytes, bool pinned = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        BufferHandle handle;
        IngotException.ThrowIfFailed(pinned
            ? NativeMethods.BufferCreatePinned(device.Index, (ulong)bytes, &handle)
            : NativeMethods.BufferCreate(device.Index, (ulong)bytes, &handle));
        _handle = new(handle);
        Device = device;
        Bytes = bytes;
    }

    /// <summary>The device that it was made for.</summary>
    public Device Device { get; }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <summary>Copies <paramref name="source"/> into the buffer. The source may be reused when the call returns.</summary>
    /// <param name="source">What to copy.</param>
    /// <param name="offset">Where it goes in the buffer.</param>
    /// <param name="stream">The stream in whose order it is done.</param>
    public void Write<T>(ReadOnlySpan<T> source, long offset = 0, NativeStream? stream = null)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using NativeHandle.Use buffer = _handle.Borrow();
        using NativeHandle.Use queue = NativeStream.Borrow(stream);
        fixed (T* data = source)
        {
            IngotException.ThrowIfFailed(
                NativeMethods.BufferWrite(new(buffer.Value), (ulong)offset, data, SizeOf<T>(source.Length), new(queue.Value)));
        }
    }

    /// <summary>Copies out of the buffer and waits until it is there.</summary>
    /// <param name="destination">Where it goes; its length says how much is copied.</param>
    /// <param name="offset">Where it lies in the buffer.</param>
    /// <param name="stream">The stream in whose order it is done.</param>
    public void Read<T>(Span<T> destination, long offset = 0, NativeStream? stream = null)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using NativeHandle.Use buffer = _handle.Borrow();
        using NativeHandle.Use queue = NativeStream.Borrow(stream);
        fixed (T* data = destination)
        {
            IngotException.ThrowIfFailed(
                NativeMethods.BufferRead(new(buffer.Value), (ulong)offset, data, SizeOf<T>(destination.Length), new(queue.Value)));
        }
    }

    /// <summary>Copies into another buffer, in the stream's order. The ranges must not overlap.</summary>
    /// <param name="offset">Where it lies in this buffer.</param>
    /// <param name="destination">The other buffer.</param>
    /// <param name="destinationOffset">Where it goes in the other buffer.</param>
    /// <param name="bytes">How much is copied.</param>
    /// <param name="stream">The stream in whose order it is done.</param>
    public void CopyTo(long offset, DeviceBuffer destination, long destinationOffset, long bytes, NativeStream? stream = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(destinationOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        using NativeHandle.Use from = _handle.Borrow();
        using NativeHandle.Use to = destination._handle.Borrow();
        using NativeHandle.Use queue = NativeStream.Borrow(stream);
        IngotException.ThrowIfFailed(NativeMethods.BufferCopy(
            new(to.Value), (ulong)destinationOffset, new(from.Value), (ulong)offset, (ulong)bytes, new(queue.Value)));
    }

    /// <summary>Sets every byte of a range to <paramref name="value"/>.</summary>
    /// <param name="value">The value.</param>
    /// <param name="offset">Where the range starts.</param>
    /// <param name="bytes">How long it is.</param>
    /// <param name="stream">The stream in whose order it is done.</param>
    public void Fill(byte value, long offset, long bytes, NativeStream? stream = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        using NativeHandle.Use buffer = _handle.Borrow();
        using NativeHandle.Use queue = NativeStream.Borrow(stream);
        IngotException.ThrowIfFailed(NativeMethods.BufferFill(new(buffer.Value), (ulong)offset, value, (ulong)bytes, new(queue.Value)));
    }

    /// <summary>Shows a range of a buffer in host memory (CPU or pinned) in place, for as long as the buffer is not disposed of.</summary>
    /// <param name="offset">Where the range starts; a multiple of the element's size.</param>
    /// <param name="length">How many elements it has.</param>
    /// <exception cref="IngotException">The buffer is in a GPU's memory.</exception>
    public Span<T> Map<T>(long offset, int length)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(offset % Unsafe.SizeOf<T>(), 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + ((long)length * Unsafe.SizeOf<T>()), Bytes, nameof(length));
        using NativeHandle.Use buffer = _handle.Borrow();
        void* address;
        IngotException.ThrowIfFailed(NativeMethods.BufferMap(new(buffer.Value), &address));
        return new((byte*)address + offset, length);
    }

    /// <summary>The buffer's address for kernels of its device, for code outside of this library. Valid until it is disposed of.</summary>
    public ulong DeviceAddress
    {
        get
        {
            using NativeHandle.Use buffer = _handle.Borrow();
            ulong address;
            IngotException.ThrowIfFailed(NativeMethods.BufferDeviceAddress(new(buffer.Value), &address));
            return address;
        }
    }

    /// <summary>Frees the memory, once no program uses it.</summary>
    public void Dispose() => _handle.Dispose();

    internal NativeHandle.Use Borrow() => _handle.Borrow();

    private static ulong SizeOf<T>(int length)
        where T : unmanaged => (ulong)length * (ulong)Unsafe.SizeOf<T>();
}
