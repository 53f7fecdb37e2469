using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Checkpoints;

/// <summary>
/// A safetensors file opened for reading. Opening reads and checks the header only; data is mapped into memory and read when it is
/// touched, so a file of any size opens in the time that its header takes. Thread-safe.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _data;
    private readonly Dictionary<string, SafetensorsTensor> _byName;
    private bool _disposed;

    private SafetensorsFile(string path, SafeFileHandle handle, SafetensorsHeader header, long dataOffset, long length)
    {
        Path = path;
        _handle = handle;
        DataOffset = dataOffset;
        Metadata = header.Metadata;
        if (length > dataOffset)
        {
            _map = MemoryMappedFile.CreateFromFile(
                handle,
                null,
                0,
                MemoryMappedFileAccess.Read,
                HandleInheritability.None,
                leaveOpen: true);
            _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _data = start + _view.PointerOffset + dataOffset;
        }

        Tensors = [.. header.Entries.Select(entry => new SafetensorsTensor(this, entry))];
        _byName = Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>Path that was opened.</summary>
    public string Path { get; }

    /// <summary>The tensors, in the order of their data.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    /// <summary>The text that the file carries besides tensors, for example "format": "pt".</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Byte of the file at which the data begins.</summary>
    internal long DataOffset { get; }

    /// <summary>The tensor of a name.</summary>
    /// <param name="name">Name in the file.</param>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    public SafetensorsTensor this[string name] => TryGet(name, out var tensor)
        ? tensor
        : throw new KeyNotFoundException($"'{Path}' has no tensor '{name}'; it has {_byName.Count:N0} others"
            + (Tensors.Count > 0 ? $", the first is '{Tensors[0].Name}'." : "."));

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The opened file; dispose it when its tensors are no longer used.</returns>
    /// <exception cref="InvalidDataException">The file breaks a rule of the format; the message names the file and the rule.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new IOException($"'{path}' is a directory; a safetensors file was expected.");
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            var length = RandomAccess.GetLength(handle);
            if (length < 8)
                throw SafetensorsHeader.Bad(path, $"it has {length} bytes, too few for a header");
            Span<byte> prefix = stackalloc byte[8];
            ReadExactly(handle, 0, prefix, path);
            var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (headerLength > SafetensorsHeader.MaximumLength)
                throw SafetensorsHeader.Bad(
                    path,
                    $"its header claims {headerLength:N0} bytes; the format allows {SafetensorsHeader.MaximumLength:N0}");
            var dataOffset = 8 + (long)headerLength;
            if (dataOffset > length)
                throw SafetensorsHeader.Bad(
                    path,
                    $"its header claims {headerLength:N0} bytes, the file has {length - 8:N0} after the length");
            var json = new byte[(int)headerLength];
            ReadExactly(handle, 8, json, path);
            return new SafetensorsFile(path, handle, SafetensorsHeader.Parse(json, length - dataOffset, path), dataOffset, length);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Looks a tensor up by name.</summary>
    /// <param name="name">Name in the file.</param>
    /// <param name="tensor">The tensor, if there is one.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGet(string name, [MaybeNullWhen(false)] out SafetensorsTensor tensor) => _byName.TryGetValue(name, out tensor);

    /// <summary>Unmaps the file; pointers and spans of its tensors must not be used any more.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _map?.Dispose();
        _handle.Dispose();
    }

    internal byte* PointerAt(long offset)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _data + offset;
    }

    internal void Read(long offset, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ReadExactly(_handle, DataOffset + offset, destination, Path);
    }

    private static void ReadExactly(SafeFileHandle handle, long offset, Span<byte> destination, string path)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(handle, destination, offset);
            if (read == 0)
                throw SafetensorsHeader.Bad(path, "it was cut short while it was read");
            destination = destination[read..];
            offset += read;
        }
    }
}

/// <summary>A tensor in a <see cref="SafetensorsFile"/>: row-major, little-endian, valid until the file is disposed.</summary>
public sealed unsafe class SafetensorsTensor
{
    /// <summary>How much <see cref="CopyTo(nint, long)"/> reads at a time.</summary>
    private const int Chunk = 8 << 20;

    private readonly SafetensorsFile _file;
    private readonly SafetensorsHeader.Entry _entry;

    internal SafetensorsTensor(SafetensorsFile file, SafetensorsHeader.Entry entry)
    {
        _file = file;
        _entry = entry;
    }

    /// <summary>Name in the file.</summary>
    public string Name => _entry.Name;

    /// <summary>Element type.</summary>
    public SafetensorsDtype Dtype => _entry.Dtype;

    /// <summary>Dimensions, outermost first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape => _entry.Shape;

    /// <summary>Bytes of the data; may exceed 2 GB.</summary>
    public long Length => _entry.End - _entry.Begin;

    /// <summary>
    /// The mapped data, <see cref="Length"/> bytes; null for an empty tensor in a file without data. Reading it faults pages in, and a
    /// file that someone truncates meanwhile ends the process: prefer <see cref="CopyTo(nint, long)"/> to load weights.
    /// </summary>
    public byte* Pointer => _file.PointerAt(_entry.Begin);

    /// <summary>The mapped data as a span.</summary>
    /// <exception cref="InvalidOperationException">The tensor has more than 2 GB: use <see cref="Pointer"/> or a copy.</exception>
    public ReadOnlySpan<byte> Span => Length <= int.MaxValue
        ? new ReadOnlySpan<byte>(Pointer, (int)Length)
        : throw new InvalidOperationException($"Tensor '{Name}' has {Length:N0} bytes, more than a span can hold: use Pointer or CopyTo.");

    /// <summary>Reads a part of the data with plain file reads, which neither map pages nor fault.</summary>
    /// <param name="offset">First byte of the part, within the tensor.</param>
    /// <param name="destination">Where it goes; its length is the length of the part.</param>
    public void CopyTo(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset > Length - destination.Length)
            throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"Bytes {offset:N0} to {offset + destination.Length:N0} of tensor '{Name}' ({Length:N0} bytes).");
        _file.Read(_entry.Begin + offset, destination);
    }

    /// <summary>Reads the whole data into memory.</summary>
    /// <param name="destination">Address of at least <paramref name="bytes"/> bytes.</param>
    /// <param name="bytes">Size of the memory; must be <see cref="Length"/>.</param>
    public void CopyTo(nint destination, long bytes)
    {
        if (bytes != Length)
            throw new ArgumentException($"Tensor '{Name}' has {Length:N0} bytes, the destination {bytes:N0}.", nameof(bytes));
        for (long done = 0; done < Length; done += Chunk)
        {
            var part = (int)Math.Min(Chunk, Length - done);
            CopyTo(done, new Span<byte>((byte*)destination + done, part));
        }
    }
}
