using Ingot.Bindings;
using Ingot.Graphs;

namespace Ingot.Generation;

/// <summary>
/// What attention keeps of the tokens read so far: for every layer keys and values, [rows, capacity, heads, head size]. A row belongs
/// to one sequence, and its first positions are one piece of memory: what a sequence shares with another is copied, not computed.
/// </summary>
internal sealed class KeyValueCache(Device device, int rows, int capacity) : IDisposable
{
    private readonly Dictionary<string, (DeviceBuffer Buffer, long RowBytes)> _buffers = [];

    /// <summary>Number of rows.</summary>
    public int Rows => rows;

    /// <summary>Positions of a row.</summary>
    public int Capacity => capacity;

    /// <summary>Where a program of some rows, from <paramref name="firstRow"/> on, finds one of its inputs "cache. ...".</summary>
    public Place PlaceOf(Storage storage, int programRows, int firstRow)
    {
        var rowBytes = storage.Bytes / programRows;
        if (!_buffers.TryGetValue(storage.Name, out var cache))
            _buffers.Add(storage.Name, cache = (new DeviceBuffer(device, checked(rowBytes * rows)), rowBytes));
        return new Place(cache.Buffer, firstRow * rowBytes);
    }

    /// <summary>Copies positions [first, end) of a row to another.</summary>
    public void CopyRow(int from, int to, int first, int end)
    {
        if (from == to || end <= first)
            return;
        foreach (var (buffer, rowBytes) in _buffers.Values)
        {
            var position = rowBytes / capacity;
            buffer.CopyTo((from * rowBytes) + (first * position), buffer, (to * rowBytes) + (first * position), (end - first) * position);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (buffer, _) in _buffers.Values)
            buffer.Dispose();
    }
}
