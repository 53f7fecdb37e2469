using System.Runtime.InteropServices;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// A large array outside of the collected heap, whose memory goes back to the system as soon as it is freed: tables grow by being copied,
/// and what they leave behind must not stay.
/// </summary>
internal sealed unsafe class NativeTable<T> : IDisposable
    where T : unmanaged
{
    private T* _items;

    /// <summary>Allocates zeros.</summary>
    /// <exception cref="OutOfMemoryException">There is not so much memory.</exception>
    public NativeTable(long length)
    {
        Length = length;
        _items = (T*)NativeMemory.AllocZeroed(checked((nuint)length), (nuint)sizeof(T));
        GC.AddMemoryPressure(length * sizeof(T));
    }

    ~NativeTable() => Free();

    /// <summary>How many items there are.</summary>
    public long Length { get; }

    /// <summary>An item; the index is not checked.</summary>
    public ref T this[long index] => ref _items[index];

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_items is null)
            return;
        NativeMemory.Free(_items);
        _items = null;
        GC.RemoveMemoryPressure(Length * sizeof(T));
    }
}
