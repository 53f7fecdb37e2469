using System.Buffers.Binary;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>The hashes of all lines so far: a set, and a file of what was added, from which the set is built again after an
/// interruption.</summary>
internal sealed class LineIndex : IDisposable
{
    private readonly HashIndex<ulong> _lines;
    private readonly FileStream _file;
    private readonly byte[] _item = new byte[sizeof(ulong)];
    private readonly Lock _turn = new(); // Cleaners add, one after the other, while what they added before is made durable.

    /// <summary>Opens the file with so many hashes; what lies behind them goes.</summary>
    public LineIndex(string path, long count, MemoryBudget budget)
    {
        _lines = new HashIndex<ulong>(budget);
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1 << 16);
        try
        {
            for (var i = 0L; i < count; i++)
            {
                _file.ReadExactly(_item);
                _lines.Add(BinaryPrimitives.ReadUInt64LittleEndian(_item));
            }

            _file.SetLength(count * sizeof(ulong));
        }
        catch (EndOfStreamException e)
        {
            Dispose();
            throw new InvalidDataException($"{path} is shorter than it was. Begin again with overwriteOutput.", e);
        }
    }

    /// <summary>How many different lines there are.</summary>
    public long Count => _lines.Count;

    /// <summary>Says which of a document's lines stood before, in it or in others; zeros did not.</summary>
    public bool[] AddAll(ReadOnlySpan<ulong> hashes)
    {
        using var turn = _turn.EnterScope();
        var repeated = new bool[hashes.Length];
        for (var i = 0; i < hashes.Length; i++)
        {
            if (hashes[i] == 0)
                continue;
            repeated[i] = !_lines.Add(hashes[i]);
            if (repeated[i])
                continue;
            BinaryPrimitives.WriteUInt64LittleEndian(_item, hashes[i]);
            _file.Write(_item);
        }

        return repeated;
    }

    /// <summary>Makes the file durable.</summary>
    public void FlushToDisk()
    {
        using var turn = _turn.EnterScope();
        _file.Flush(flushToDisk: true);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lines.Dispose();
        _file.Dispose();
    }
}
