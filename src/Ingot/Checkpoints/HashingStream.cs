using System.IO.Hashing;

namespace Ingot.Checkpoints;

/// <summary>
/// Writes a file and hashes it on the way. Buffers small writes itself: a FileStream's own buffer would be written again, and fail again,
/// when it is closed on a full disk.
/// </summary>
internal sealed class HashingStream : Stream
{
    /// <summary>Large writes go in pieces that stay in the cache between hashing and writing.</summary>
    private const int Piece = 1 << 20;

    private readonly FileStream _file;
    private readonly byte[] _buffer;
    private int _buffered;
    private long _length;

    /// <param name="path">The file, which must not be there.</param>
    /// <param name="buffer">Memory for small writes, until the stream is closed.</param>
    public HashingStream(string path, byte[] buffer)
    {
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        _buffer = buffer;
    }

    public XxHash128 Hash { get; } = new();

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position { get => _length; set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _length += buffer.Length;
        if (buffer.Length > _buffer.Length - _buffered)
            Flush();
        if (buffer.Length <= _buffer.Length)
        {
            buffer.CopyTo(_buffer.AsSpan(_buffered));
            _buffered += buffer.Length;
            return;
        }

        for (; buffer.Length > Piece; buffer = buffer[Piece..])
            WritePiece(buffer[..Piece]);
        WritePiece(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        WritePiece(_buffer.AsSpan(0, _buffered));
        _buffered = 0;
    }

    /// <summary>Hands everything to the disk and returns when it is there.</summary>
    public void FlushToDisk()
    {
        Flush();
        _file.Flush(flushToDisk: true);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
        base.Dispose(disposing);
    }

    private void WritePiece(ReadOnlySpan<byte> piece)
    {
        Hash.Append(piece);
        try
        {
            _file.Write(piece);
        }
        catch (ArgumentOutOfRangeException e)
        {
            // What .NET makes of EFBIG: the file system or the user's limits do not allow a file of this size.
            throw new IOException($"'{Path.GetFileName(_file.Name)}' grows larger than the file system or the process's limits allow", e);
        }
    }
}
