using System.Buffers;

namespace Ingot.Checkpoints;

/// <summary>Gives the bytes of a tensor, a part at a time.</summary>
/// <param name="offset">First byte of the part, within the tensor.</param>
/// <param name="destination">To be filled completely.</param>
public delegate void TensorRead(long offset, Span<byte> destination);

/// <summary>A tensor that is to be written: what it is and where its bytes come from.</summary>
public sealed unsafe class SafetensorsSource
{
    private const int DirectChunk = 64 << 20;
    private const int CopiedChunk = 1 << 20;

    private readonly byte* _pointer;
    private readonly TensorRead? _read;

    /// <summary>A tensor whose bytes a callback gives: memory of a device, or something computed.</summary>
    /// <param name="name">Name in the file.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="read">Gives the row-major little-endian bytes; called with rising offsets while the file is written.</param>
    /// <exception cref="ArgumentException">The shape has a negative dimension, overflows or does not fill whole bytes.</exception>
    public SafetensorsSource(string name, SafetensorsDtype dtype, IReadOnlyList<long> shape, TensorRead read)
        : this(name, dtype, shape)
    {
        ArgumentNullException.ThrowIfNull(read);
        _read = read;
    }

    /// <summary>A tensor in memory that stays where it is until the file is written.</summary>
    /// <param name="name">Name in the file.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="address">Address of its row-major little-endian bytes.</param>
    /// <exception cref="ArgumentException">The shape has a negative dimension, overflows or does not fill whole bytes.</exception>
    public SafetensorsSource(string name, SafetensorsDtype dtype, IReadOnlyList<long> shape, nint address)
        : this(name, dtype, shape)
    {
        if (address == 0 && Length > 0)
            throw new ArgumentNullException(nameof(address), $"Tensor '{name}' has no memory.");
        _pointer = (byte*)address;
    }

    private SafetensorsSource(string name, SafetensorsDtype dtype, IReadOnlyList<long> shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(shape);
        long[] dimensions = [.. shape];
        if (dimensions.Any(dimension => dimension < 0))
            throw new ArgumentException($"Tensor '{name}' has a negative dimension: [{string.Join(", ", dimensions)}].", nameof(shape));
        if (!SafetensorsDtypes.TryByteLength(dtype, dimensions, out var length, out var problem))
            throw new ArgumentException($"Tensor '{name}': {problem}.", nameof(shape));
        (Name, Dtype, Shape, Length) = (name, dtype, dimensions, length);
    }

    /// <summary>Name in the file.</summary>
    public string Name { get; }

    /// <summary>Element type.</summary>
    public SafetensorsDtype Dtype { get; }

    /// <summary>Dimensions, outermost first.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Bytes of the data.</summary>
    public long Length { get; }

    /// <summary>Copies the bytes to memory.</summary>
    internal void CopyTo(byte* destination)
    {
        if (_read is null)
        {
            Buffer.MemoryCopy(_pointer, destination, Length, Length);
            return;
        }

        for (long offset = 0; offset < Length; offset += DirectChunk)
            _read(offset, new Span<byte>(destination + offset, (int)Math.Min(DirectChunk, Length - offset)));
    }

    internal void WriteTo(Stream stream)
    {
        if (_read is null)
        {
            for (long offset = 0; offset < Length; offset += DirectChunk)
                stream.Write(new ReadOnlySpan<byte>(_pointer + offset, (int)Math.Min(DirectChunk, Length - offset)));
            return;
        }

        var buffer = ArrayPool<byte>.Shared.Rent(CopiedChunk);
        try
        {
            for (long offset = 0; offset < Length; offset += CopiedChunk)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(CopiedChunk, Length - offset));
                _read(offset, part);
                stream.Write(part);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>
/// Writes safetensors files, byte for byte as the format's own writer lays them out. Data goes straight from its source to the stream;
/// the file is never in memory as a whole.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>The metadata without which Hugging Face's transformers refuses a file: "format": "pt".</summary>
    public static IReadOnlyDictionary<string, string> PyTorchMetadata { get; } = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>Size of the file that <see cref="Write"/> would make.</summary>
    /// <param name="tensors">The tensors, in any order.</param>
    /// <param name="metadata">Text to carry along, or null.</param>
    /// <returns>Bytes.</returns>
    public static long SizeOf(IReadOnlyList<SafetensorsSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        return new SafetensorsLayout(tensors, metadata).FileLength;
    }

    /// <summary>Writes a file to a stream.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="tensors">The tensors, in any order; the file orders them by dtype and name.</param>
    /// <param name="metadata">Text to carry along, or null; see <see cref="PyTorchMetadata"/>.</param>
    /// <exception cref="ArgumentException">Two tensors share a name, or a name is reserved.</exception>
    public static void Write(Stream stream, IReadOnlyList<SafetensorsSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensors);
        new SafetensorsLayout(tensors, metadata).WriteTo(stream);
    }
}

/// <summary>A file as it will be: its head and the order of its data.</summary>
internal sealed class SafetensorsLayout
{
    private readonly List<SafetensorsSource> _ordered;
    private readonly byte[] _head;

    public SafetensorsLayout(IReadOnlyList<SafetensorsSource> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        _ordered = SafetensorsHeader.Order(tensors);
        _head = SafetensorsHeader.Build(_ordered, metadata);
        FileLength = checked(_head.Length + _ordered.Sum(tensor => tensor.Length));
    }

    public long FileLength { get; }

    public void WriteTo(Stream stream)
    {
        stream.Write(_head);
        foreach (var tensor in _ordered)
            tensor.WriteTo(stream);
    }
}
