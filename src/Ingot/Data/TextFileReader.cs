using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Ingot.Data;

/// <summary>
/// Reads one file as checked UTF-8: unpacks gzip, drops a byte-order mark, turns CRLF into LF, and refuses what is not text with an error
/// that names the file, the byte and the way out.
/// </summary>
internal sealed class TextFileReader : IDisposable
{
    /// <summary>How much is read at a time.</summary>
    public const int BlockSize = 1 << 16;

    private const int BinaryCheck = 8192; // A zero byte this early makes a file binary.

    private readonly string _path;
    private readonly FileStream _file;
    private readonly Stream _content;
    private readonly byte[] _block = new byte[BlockSize];
    private int _held; // Bytes at the block's start that wait for what follows: half a character, or a CR.
    private long _offset; // Of the block's start in the text.
    private bool _atStart = true;

    /// <summary>Opens the file.</summary>
    public TextFileReader(string path)
    {
        _path = path;
        (_file, _content) = GzipInput.OpenFile(path);
    }

    /// <summary>Why the file is no text, as far as its beginning shows; null if it may be.</summary>
    public static string? WhyBinary(string path)
    {
        Span<byte> start = stackalloc byte[BinaryCheck];
        try
        {
            var (file, content) = GzipInput.OpenFile(path);
            using (file)
            using (content)
                start = start[..content.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        }
        catch (InvalidDataException)
        {
            return "gzip data that is damaged or cut short";
        }

        return start.Contains((byte)0) && !StartsAsUtf16(start) ? "binary, not text" : null;
    }

    /// <summary>Appends the next characters; false at the end.</summary>
    /// <exception cref="InvalidDataException">The file is not UTF-8, is binary, or is damaged.</exception>
    public bool Append(ref byte[] buffer, ref int count)
    {
        var read = Read();
        var block = _block.AsSpan(0, _held + read);
        if (_atStart)
        {
            block = CheckStart(block);
        }

        var whole = read == 0 ? block.Length : block.Length - UnfinishedTail(block);
        if (!Utf8.IsValid(block[..whole]))
        {
            throw NotUtf8(block[..whole]);
        }

        // A CR at the very end may have its LF in the next block.
        if (read > 0 && whole == block.Length && whole > 0 && block[whole - 1] == '\r')
        {
            whole--;
        }

        if (count + whole > buffer.Length)
        {
            Array.Resize(ref buffer, Math.Max(2 * buffer.Length, count + whole));
        }

        count += CopyWithoutCarriageReturns(block[..whole], buffer.AsSpan(count));
        block[whole..].CopyTo(_block);
        _held = block.Length - whole;
        _offset += whole;
        return read > 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _content.Dispose();
        _file.Dispose();
    }

    private int Read()
    {
        try
        {
            // The check of the beginning wants it whole.
            return _content.ReadAtLeast(_block.AsSpan(_held), _atStart ? BinaryCheck : 1, throwOnEndOfStream: false);
        }
        catch (IOException e)
        {
            throw new IOException($"{_path}: reading failed after {_offset} bytes. {e.Message}", e);
        }
    }

    private Span<byte> CheckStart(Span<byte> block)
    {
        if (StartsAsUtf16(block))
        {
            throw new InvalidDataException($"{_path}: the text is UTF-16. Convert it: iconv -f UTF-16 -t UTF-8.");
        }

        var zero = block[..Math.Min(block.Length, BinaryCheck)].IndexOf((byte)0);
        if (zero >= 0)
        {
            throw new InvalidDataException($"{_path}: binary, not text: byte {zero} is zero.");
        }

        _atStart = false;
        if (!block.StartsWith(Encoding.UTF8.Preamble))
        {
            return block;
        }

        var mark = Encoding.UTF8.Preamble.Length;
        _offset += mark;
        block[mark..].CopyTo(_block);
        return _block.AsSpan(0, block.Length - mark);
    }

    private static bool StartsAsUtf16(ReadOnlySpan<byte> block) => block is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..];

    // How many bytes at the end are the beginning of a character that goes on.
    private static int UnfinishedTail(ReadOnlySpan<byte> block)
    {
        for (var tail = 1; tail <= Math.Min(3, block.Length); tail++)
        {
            var b = block[^tail];
            if (b >= 0xC0)
            {
                var length = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
                return tail < length ? tail : 0;
            }

            if (b < 0x80)
            {
                break;
            }
        }

        return 0;
    }

    private static int CopyWithoutCarriageReturns(ReadOnlySpan<byte> from, Span<byte> to)
    {
        var count = 0;
        for (int end; (end = from.IndexOf("\r\n"u8)) >= 0; from = from[(end + 1)..])
        {
            from[..end].CopyTo(to[count..]);
            count += end;
        }

        from.CopyTo(to[count..]);
        return count + from.Length;
    }

    private InvalidDataException NotUtf8(ReadOnlySpan<byte> block)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(block[at..], out _, out var length) == OperationStatus.Done)
        {
            at += length;
        }

        var where = ReferenceEquals(_content, _file) ? "" : " of the unpacked text";
        return new InvalidDataException(
            $"{_path}: byte {_offset + at}{where} (0x{block[at]:X2}) is not UTF-8. " +
            "Convert the file from the encoding that it has, for example: iconv -f ISO-8859-1 -t UTF-8.");
    }
}
