using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// The hashes and signatures of the documents that were kept, on the disk: a record of fixed size for each. Only candidates are read back;
/// after an interruption, the whole file, to build the tables again. Signatures keep 16 bits of each value (b-bit minwise hashing, Li and
/// König 2010), by which unequal values agree once in 65,536 times.
/// </summary>
internal sealed class SignatureFile : IDisposable
{
    private const int HashSize = 16;
    private const int BlockRecords = 4096; // The newest wait in memory to be written together.

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly int _recordSize;
    private readonly byte[] _block;
    private long _written;
    private int _waiting;

    /// <summary>Opens the file with so many records; what lies behind them goes.</summary>
    /// <param name="path">The file; made if need be.</param>
    /// <param name="values">Values of a signature; 0 to keep hashes only.</param>
    /// <param name="count">Records that it holds.</param>
    /// <exception cref="InvalidDataException">It holds fewer.</exception>
    public SignatureFile(string path, int values, long count)
    {
        _path = path;
        _recordSize = HashSize + (values * sizeof(ushort));
        _block = new byte[BlockRecords * _recordSize];
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (RandomAccess.GetLength(_file) < count * _recordSize)
        {
            _file.Dispose();
            throw new InvalidDataException($"{path} is shorter than it was. Begin again with overwriteOutput.");
        }

        RandomAccess.SetLength(_file, count * _recordSize);
        _written = count;
    }

    /// <summary>How many records there are.</summary>
    public long Count => _written + _waiting;

    /// <summary>Appends a record.</summary>
    public void Add(UInt128 hash, ReadOnlySpan<ushort> signature)
    {
        var record = _block.AsSpan(_waiting * _recordSize, _recordSize);
        MemoryMarshal.Write(record, hash);
        var values = MemoryMarshal.Cast<byte, ushort>(record[HashSize..]);
        signature.CopyTo(values);
        values[signature.Length..].Clear();
        if (++_waiting == BlockRecords)
            Flush();
    }

    /// <summary>Reads a record.</summary>
    public UInt128 Read(long number, Span<ushort> signature)
    {
        Span<byte> record = stackalloc byte[_recordSize];
        if (number >= _written)
            _block.AsSpan((int)(number - _written) * _recordSize, _recordSize).CopyTo(record);
        else if (RandomAccess.Read(_file, record, number * _recordSize) != _recordSize)
            throw new IOException($"{_path}: record {number} cannot be read. Is the disk sound?");
        MemoryMarshal.Cast<byte, ushort>(record[HashSize..]).CopyTo(signature);
        return MemoryMarshal.Read<UInt128>(record);
    }

    /// <summary>Writes what waits.</summary>
    public void Flush()
    {
        RandomAccess.Write(_file, _block.AsSpan(0, _waiting * _recordSize), _written * _recordSize);
        _written += _waiting;
        _waiting = 0;
    }

    /// <summary>Writes what waits and makes it durable.</summary>
    public void FlushToDisk()
    {
        Flush();
        RandomAccess.FlushToDisk(_file);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
