namespace Ingot.Evaluation;

/// <summary>The references of one segment, in memory that the next segment's take.</summary>
internal sealed class SegmentReferences(IReadOnlyList<SegmentStream> streams)
{
    private readonly char[][] _buffers = [.. streams.Select(_ => Array.Empty<char>())];
    private int _segment;

    /// <summary>How many references each segment has.</summary>
    public int Count => streams.Count;

    /// <summary>A reference of the segment; valid until it is asked for again.</summary>
    public ReadOnlySpan<char> this[int index] => streams[index].Read(_segment, ref _buffers[index]);

    /// <summary>Turns to another segment.</summary>
    public void MoveTo(int segment) => _segment = segment;
}
