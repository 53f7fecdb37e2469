using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Ingot.Data;

/// <summary>
/// Unpacks gzip (RFC 1952) of one or several members and checks it, which <see cref="GZipStream"/> does not: that one takes a file which
/// is cut short for one that ends there. A member's trailer, CRC-32 and size, is looked for in the block in which its data ended, since
/// the decoder does not say how much of the block it used.
/// </summary>
internal sealed class GzipInput : Stream
{
    // Deflate packs at most 1032 : 1, and text hardly more than 20 : 1. Far beyond that it is no text.
    private const long LargestRatio = 250, RatioMattersFrom = 64L << 20;
    private const int TrailerSize = 8;

    private readonly Stream _file;
    private readonly string _path;
    private readonly Crc32 _crc = new();
    private readonly BlockFeed _feed;
    private DeflateStream? _member;
    private long _memberSize;
    private long _size;

    /// <summary>Reads a stream that begins with a gzip header.</summary>
    /// <param name="file">The packed data; not closed here.</param>
    /// <param name="path">The file's name in errors.</param>
    public GzipInput(Stream file, string path)
    {
        _file = file;
        _path = path;
        _feed = new BlockFeed(file);
        BeginMember();
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _size;
        set => throw new NotSupportedException();
    }

    /// <summary>Opens a file, and unpacks what it holds if it begins as gzip does, whatever its name.</summary>
    /// <returns>The file, and its content, which may be the file itself; both are the caller's to close.</returns>
    public static (FileStream File, Stream Content) OpenFile(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16, FileOptions.SequentialScan);
        try
        {
            Span<byte> magic = stackalloc byte[3];
            var isGzip = file.ReadAtLeast(magic, 3, throwOnEndOfStream: false) == 3 && magic is [0x1F, 0x8B, 8];
            file.Position = 0;
            return (file, isGzip ? new GzipInput(file, path) : file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        while (_member is not null && buffer.Length > 0)
        {
            int read;
            try
            {
                read = _member.Read(buffer);
            }
            catch (InvalidDataException e)
            {
                throw Damaged("is damaged", e);
            }

            if (read > 0)
            {
                _crc.Append(buffer[..read]);
                _memberSize += read;
                _size += read;
                if (_size > RatioMattersFrom && _size / LargestRatio > _file.Position)
                {
                    throw new InvalidDataException(
                        $"{_path}: the gzip data grows to more than {LargestRatio} times its size, as no text does (a gzip bomb?), after " +
                        $"{_size} bytes. If it is what you want to read, unpack it with gunzip.");
                }

                return read;
            }

            EndMember();
        }

        return 0;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _member?.Dispose();
        base.Dispose(disposing);
    }

    // RFC 1952, 2.3: ten bytes, then what the flags announce.
    private void BeginMember()
    {
        Span<byte> header = stackalloc byte[10];
        Take(header);
        if (header[0] != 0x1F || header[1] != 0x8B || header[2] != 8)
            throw Damaged("is followed by something else", null);
        var flags = header[3];
        if ((flags & 4) != 0)
        {
            Span<byte> length = stackalloc byte[2];
            Take(length);
            for (var i = BinaryPrimitives.ReadUInt16LittleEndian(length); i > 0; i--)
                TakeByte();
        }

        for (var texts = ((flags >> 3) & 1) + ((flags >> 4) & 1); texts > 0; texts--)
        {
            while (TakeByte() != 0)
            {
            }
        }

        if ((flags & 2) != 0)
            Take(stackalloc byte[2]);
        _crc.Reset();
        _memberSize = 0;
        _member = new DeflateStream(_feed, CompressionMode.Decompress, leaveOpen: true);
    }

    private void EndMember()
    {
        _member!.Dispose();
        _member = null;
        Span<byte> trailer = stackalloc byte[TrailerSize];
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, _crc.GetCurrentHashAsUInt32());
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[4..], (uint)_memberSize);
        if (!_feed.GoBehind(trailer))
            throw Damaged("is damaged or cut short", null);
        // Zeros may fill the file up to a whole block of a tape.
        int next;
        while ((next = _feed.Peek()) == 0)
            TakeByte();
        if (next > 0)
            BeginMember();
    }

    private void Take(Span<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] = TakeByte();
    }

    private byte TakeByte() => _feed.Take() is var value and >= 0 ? (byte)value : throw Damaged("is cut short", null);

    private InvalidDataException Damaged(string how, Exception? inner) => new(
        $"{_path}: the gzip data {how} after {_size} unpacked bytes. Get the file anew, or unpack it as far as it goes with gunzip.",
        inner);

    /// <summary>Hands the file out block by block, and remembers the block before the current place.</summary>
    private sealed class BlockFeed(Stream file) : Stream
    {
        private readonly byte[] _bytes = new byte[(1 << 16) + TrailerSize];
        private int _given; // Where the block begins that was handed out last.
        private int _next; // What has not been handed out.
        private int _end;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        /// <summary>The next byte, which stays; -1 at the end.</summary>
        public int Peek() => _next < _end || Fill() ? _bytes[_next] : -1;

        /// <summary>Takes the next byte; -1 at the end.</summary>
        public int Take() => Peek() < 0 ? -1 : _bytes[_next++];

        /// <summary>Finds a trailer in what was handed out last, or right behind it, and goes behind it.</summary>
        public bool GoBehind(ReadOnlySpan<byte> trailer)
        {
            while (_end - _next < TrailerSize && Fill())
            {
            }

            var window = _bytes.AsSpan(_given, Math.Min(_end, _next + TrailerSize) - _given);
            var at = window.IndexOf(trailer);
            if (at < 0)
                return false;
            _next = _given + at + TrailerSize;
            return true;
        }

        public override int Read(Span<byte> buffer)
        {
            if (_next == _end && !Fill())
            {
                _given = _next;
                return 0;
            }

            var count = Math.Min(buffer.Length, _end - _next);
            _bytes.AsSpan(_next, count).CopyTo(buffer);
            _given = _next;
            _next += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        // Keeps what was handed out last, so that a trailer in it can still be found.
        private bool Fill()
        {
            if (_end == _bytes.Length)
            {
                _bytes.AsSpan(_given.._end).CopyTo(_bytes);
                (_next, _end, _given) = (_next - _given, _end - _given, 0);
            }

            var read = file.Read(_bytes, _end, _bytes.Length - _end);
            _end += read;
            return read > 0;
        }
    }
}
