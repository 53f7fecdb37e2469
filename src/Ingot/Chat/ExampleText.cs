using Ingot.Data;

namespace Ingot.Chat;

/// <summary>Cuts files into the pieces that are an example each, without ever holding more than one of them and a block of text.</summary>
internal static class ExampleText
{
    private const int LargestPiece = 64 << 20;

    /// <summary>The lines that are not empty, with their numbers from 1.</summary>
    /// <exception cref="InvalidDataException">The file is not UTF-8 or damaged, or a line is longer than 64 MB.</exception>
    public static IEnumerable<(ReadOnlyMemory<byte> Text, long Line)> ReadLines(string file) => Read(file, new LineCutter());

    /// <summary>
    /// JSON values, with the number of the line where each begins: the lines that are not empty or, if it begins with <c>[</c>, the
    /// elements of the list.
    /// </summary>
    /// <inheritdoc cref="ReadLines"/>
    public static IEnumerable<(ReadOnlyMemory<byte> Text, long Line)> ReadJson(string file) => Read(file, new JsonCutter(file));

    private static IEnumerable<(ReadOnlyMemory<byte> Text, long Line)> Read(string file, Cutter cutter)
    {
        using var reader = new TextFileReader(file);
        byte[] buffer = new byte[2 * TextFileReader.BlockSize];
        int count = 0;
        int start = 0; // What lies before has been given out.
        int searched = 0; // No piece ends before this place.
        bool more = true;
        while (more)
        {
            more = reader.Append(ref buffer, ref count);
            while (cutter.Cut(buffer.AsSpan(0, count), ref searched, ref start, out Range piece, isEnd: !more))
            {
                (int from, int length) = piece.GetOffsetAndLength(count);
                yield return (buffer.AsMemory(from, length), cutter.PieceLine);
            }

            buffer.AsSpan(start, count - start).CopyTo(buffer);
            count -= start;
            searched -= start;
            start = 0;
            if (count > LargestPiece)
            {
                throw new InvalidDataException(
                    $"{file}:{cutter.PieceLine}: an example of more than {LargestPiece >> 20} MB begins here: "
                    + "is a line end or a bracket missing?");
            }
        }

        cutter.CheckEnd(file);
    }

    private abstract class Cutter
    {
        /// <summary>The line of what is being read.</summary>
        protected long Line { get; set; } = 1;

        /// <summary>The line where the newest piece begins.</summary>
        public long PieceLine { get; protected set; } = 1;

        /// <summary>Finds the next whole piece from <paramref name="searched"/> on.</summary>
        public abstract bool Cut(ReadOnlySpan<byte> text, ref int searched, ref int start, out Range piece, bool isEnd);

        /// <summary>Complains if the file ends inside a piece.</summary>
        public virtual void CheckEnd(string file)
        {
        }

        protected static bool IsSpace(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r';
    }

    private sealed class LineCutter : Cutter
    {
        /// <summary>Says which line comes first.</summary>
        public void StartAt(long line) => Line = line;

        public override bool Cut(ReadOnlySpan<byte> text, ref int searched, ref int start, out Range piece, bool isEnd)
        {
            while (true)
            {
                int end = text[searched..].IndexOf((byte)'\n');
                if (end < 0 && (!isEnd || start == text.Length))
                {
                    searched = text.Length;
                    piece = default;
                    PieceLine = Line;
                    return false;
                }

                end = end < 0 ? text.Length : searched + end;
                piece = start..end;
                PieceLine = Line++;
                searched = start = Math.Min(end + 1, text.Length);
                if (!text[piece].Trim(" \t\r"u8).IsEmpty)
                {
                    return true;
                }
            }
        }
    }

    private sealed class JsonCutter(string file) : Cutter
    {
        private readonly LineCutter _lines = new();
        private bool? _isList;
        private bool _ended; // The list's bracket has been closed.
        private bool _wantsElement = true; // An element may come next, rather than a comma.
        private bool _isFirst = true;
        private bool _inElement;
        private bool _inString;
        private bool _escaped;
        private int _depth;

        public override bool Cut(ReadOnlySpan<byte> text, ref int searched, ref int start, out Range piece, bool isEnd)
        {
            piece = default;
            if (_isList is null)
            {
                SkipSpace(text, ref searched);
                if (searched == text.Length)
                {
                    start = searched;
                    return false;
                }

                _isList = text[searched] == '[';
                if (_isList.Value)
                {
                    start = ++searched;
                }
                else
                {
                    _lines.StartAt(Line);
                    start = searched;
                }
            }

            if (!_isList.Value)
            {
                bool found = _lines.Cut(text, ref searched, ref start, out piece, isEnd);
                PieceLine = _lines.PieceLine;
                return found;
            }

            return CutElement(text, ref searched, ref start, out piece);
        }

        public override void CheckEnd(string file)
        {
            if (_isList == true && !_ended)
            {
                throw new InvalidDataException($"{file}:{Line}: the file ends inside its list: ']' is missing, or the file was cut short");
            }
        }

        private bool CutElement(ReadOnlySpan<byte> text, ref int searched, ref int start, out Range piece)
        {
            piece = default;
            for (; searched < text.Length; searched++)
            {
                byte b = text[searched];
                if (_inElement)
                {
                    if (EndsElement(b, out bool inclusive))
                    {
                        int end = inclusive ? searched + 1 : searched;
                        piece = start..end;
                        searched = start = end;
                        _inElement = false;
                        return true;
                    }

                    Line += b == '\n' ? 1 : 0;
                    continue;
                }

                if (!IsSpace(b))
                {
                    BeginElement(b);
                }

                Line += b == '\n' ? 1 : 0;
                start = _inElement ? searched : searched + 1;
            }

            return false;
        }

        private void BeginElement(byte b)
        {
            if (_ended)
            {
                throw new InvalidDataException($"{file}:{Line}: there is something after the end of the list");
            }

            if (b == ']' && (_isFirst || !_wantsElement))
            {
                _ended = true;
            }
            else if (b == ',' && !_wantsElement)
            {
                _wantsElement = true;
            }
            else if (_wantsElement && b is not ((byte)',' or (byte)']' or (byte)'}'))
            {
                (_inElement, _wantsElement, _isFirst, PieceLine) = (true, false, false, Line);
                _depth = b is (byte)'{' or (byte)'[' ? 1 : 0;
                _inString = b == '"';
                _escaped = false;
            }
            else
            {
                throw new InvalidDataException($"{file}:{Line}: unexpected '{(char)b}' between the elements of the list");
            }
        }

        // Objects, lists and strings end with their last byte; numbers and words with the byte after it.
        private bool EndsElement(byte b, out bool inclusive)
        {
            inclusive = true;
            if (_inString)
            {
                bool closes = b == '"' && !_escaped;
                _escaped = b == '\\' && !_escaped;
                _inString = !closes;
                return closes && _depth == 0;
            }

            if (_depth == 0)
            {
                inclusive = false;
                return IsSpace(b) || b is (byte)',' or (byte)']';
            }

            _inString = b == '"';
            _escaped = false;
            _depth += b is (byte)'{' or (byte)'[' ? 1 : b is (byte)'}' or (byte)']' ? -1 : 0;
            return _depth == 0;
        }

        private void SkipSpace(ReadOnlySpan<byte> text, ref int at)
        {
            for (; at < text.Length && IsSpace(text[at]); at++)
            {
                Line += text[at] == '\n' ? 1 : 0;
            }
        }
    }
}
