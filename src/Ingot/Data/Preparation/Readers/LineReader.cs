using System.Text;

namespace Ingot.Data.Preparation.Readers;

/// <summary>Cuts a stream of bytes into lines.</summary>
internal sealed class LineReader(InputStream input, string path)
{
    private byte[] _buffer = new byte[1 << 17];
    private int _start;
    private int _end;
    private long _line;

    /// <summary>Number of the line that was read last, from 1.</summary>
    public long Line => _line;

    /// <summary>Reads the next line, without LF, CR LF or the lone CR of a Macintosh of old; false at the end. Valid until the next
    /// call.</summary>
    public bool Read(out ReadOnlySpan<byte> line)
    {
        var searched = 0;
        while (true)
        {
            var found = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (found >= 0)
            {
                var length = searched + found;
                line = _buffer.AsSpan(_start, length);
                _start += length + 1;
                break;
            }

            searched = _end - _start;
            if (searched > RecordReader.LargestRecord)
            {
                throw new InvalidDataException(
                    $"{path}:{_line + 1}: the line has more than {RecordReader.LargestRecord >> 20} MiB. If this is text, break its "
                    + "lines.");
            }

            if (!Fill())
            {
                if (searched == 0)
                {
                    line = default;
                    return false;
                }

                line = _buffer.AsSpan(_start, searched);
                _start = _end;
                break;
            }
        }

        if (_line++ == 0 && line.StartsWith(Encoding.UTF8.Preamble))
            line = line[Encoding.UTF8.Preamble.Length..];
        if (line.Length > 0 && line[^1] == '\r')
            line = line[..^1];
        return true;
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        int read;
        try
        {
            read = input.Content.Read(_buffer, _end, _buffer.Length - _end);
        }
        catch (IOException e)
        {
            throw new IOException($"{path}: reading failed after line {_line}. {e.Message}", e);
        }

        _end += read;
        return read > 0;
    }
}
