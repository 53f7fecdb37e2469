using System.Text;
using Ingot.Data;

namespace Ingot.Evaluation;

/// <summary>The texts of one system, or the references of one translator: a segment (a sentence, a summary) a line.</summary>
/// <remarks>A file is kept as the UTF-8 that it is, so that a million lines take little more memory than disk.</remarks>
public abstract class SegmentStream
{
    private protected SegmentStream(string name) => Name = name;

    /// <summary>What errors call it: the file.</summary>
    public string Name { get; }

    /// <summary>How many segments there are.</summary>
    public abstract int Count { get; }

    /// <summary>A segment. It is read anew each time.</summary>
    public string this[int index]
    {
        get
        {
            var buffer = Array.Empty<char>();
            return Read(index, ref buffer).ToString();
        }
    }

    /// <summary>Segments that are in memory.</summary>
    public static SegmentStream Of(IReadOnlyList<string> segments, string name = "the list")
    {
        ArgumentNullException.ThrowIfNull(segments);
        return new ListStream(segments, name);
    }

    /// <summary>
    /// Reads a file of UTF-8, plain or gzip: a segment a line; or, if it is called *.jsonl, a JSON string a line, or an object whose
    /// <paramref name="field"/> is the text.
    /// </summary>
    /// <exception cref="InvalidDataException">It is no such file, or empty; the message says where and what to do.</exception>
    public static SegmentStream Load(string path, string field = "text", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        var lines = new LineStream(path);
        foreach (var (text, _) in LineTexts.ReadUtf8(path, field, joinsLists: false, cancellationToken))
            lines.Add(text.Span);

        return lines.Count > 0 ? lines : throw new InvalidDataException($"{path} is empty: it must have a line for each segment.");
    }

    /// <summary>A segment, in the buffer or elsewhere; valid until the buffer is used again.</summary>
    internal abstract ReadOnlySpan<char> Read(int index, ref char[] buffer);

    private sealed class ListStream(IReadOnlyList<string> segments, string name) : SegmentStream(name)
    {
        public override int Count => segments.Count;

        internal override ReadOnlySpan<char> Read(int index, ref char[] buffer) => segments[index];
    }

    // Lines one behind the other in blocks; a line lies in one block.
    private sealed class LineStream(string name) : SegmentStream(name)
    {
        private const int BlockSize = 1 << 20;

        private readonly List<byte[]> _blocks = [];
        private readonly List<(int Block, int Start, int Length)> _lines = [];
        private int _used = BlockSize;

        public override int Count => _lines.Count;

        public void Add(ReadOnlySpan<byte> line)
        {
            if (_lines.Count == Array.MaxLength)
                throw new InvalidDataException($"{Name} has more than {_lines.Count} lines. Split it.");
            if (_blocks.Count == 0 || _blocks[^1].Length - _used < line.Length)
            {
                _blocks.Add(new byte[Math.Max(BlockSize, line.Length)]);
                _used = 0;
            }

            line.CopyTo(_blocks[^1].AsSpan(_used));
            _lines.Add((_blocks.Count - 1, _used, line.Length));
            _used += line.Length;
        }

        internal override ReadOnlySpan<char> Read(int index, ref char[] buffer)
        {
            var (block, start, length) = _lines[index];
            if (buffer.Length < length)
                buffer = new char[Math.Max(length, 2 * buffer.Length)];
            return buffer.AsSpan(0, Encoding.UTF8.GetChars(_blocks[block].AsSpan(start, length), buffer));
        }
    }
}
