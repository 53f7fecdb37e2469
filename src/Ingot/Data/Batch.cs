namespace Ingot.Data;

/// <summary>
/// Rows of tokens to learn from, in arrays [<see cref="Rows"/>, <see cref="Length"/>] that are filled anew for every batch. A row is one
/// sequence from its beginning or, with segments, several behind one another that do not see each other.
/// </summary>
public sealed class Batch
{
    /// <summary>The target where there is nothing to learn; the loss leaves it out.</summary>
    public const int Ignore = -100;

    /// <summary>The segment of places that hold no token.</summary>
    public const int Padding = -1;

    private readonly int[] _tokens, _targets, _positions, _segments, _rowLengths;

    /// <summary>Allocates a batch, all of it padding.</summary>
    /// <param name="rows">Rows, at least 1.</param>
    /// <param name="mostLength">Tokens that a row can hold, at least 1; its length at first.</param>
    /// <param name="hasSegments">Whether rows hold several sequences.</param>
    public Batch(int rows, int mostLength, bool hasSegments = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(mostLength, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)rows * mostLength, Array.MaxLength, nameof(rows));
        (Rows, MostLength, HasSegments) = (rows, mostLength, hasSegments);
        _rowLengths = new int[rows];
        (_tokens, _targets) = (new int[rows * mostLength], new int[rows * mostLength]);
        (_positions, _segments) = hasSegments ? (new int[rows * mostLength], new int[rows * mostLength]) : ([], []);
        Clear(mostLength);
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Tokens that a row can hold.</summary>
    public int MostLength { get; }

    /// <summary>Tokens of a row, padding included.</summary>
    public int Length { get; private set; }

    /// <summary>Whether rows hold several sequences, so that <see cref="Positions"/> and <see cref="Segments"/> count.</summary>
    public bool HasSegments { get; }

    /// <summary>Tokens of each row; what follows them is padding.</summary>
    public Span<int> RowLengths => _rowLengths;

    /// <summary>Tokens of all rows, without padding.</summary>
    public int TokenCount
    {
        get
        {
            var count = 0;
            foreach (var length in _rowLengths)
                count += length;
            return count;
        }
    }

    /// <summary>Token ids; 0 at padding.</summary>
    public Span<int> Tokens => _tokens.AsSpan(0, Rows * Length);

    /// <summary>For each token what follows it, or <see cref="Ignore"/> where nothing is to be learnt.</summary>
    public Span<int> Targets => _targets.AsSpan(0, Rows * Length);

    /// <summary>Place of each token in its own sequence; empty without segments.</summary>
    public Span<int> Positions => HasSegments ? _positions.AsSpan(0, Rows * Length) : [];

    /// <summary>The number of each token's sequence in its row, or <see cref="Padding"/>; empty without segments.</summary>
    public Span<int> Segments => HasSegments ? _segments.AsSpan(0, Rows * Length) : [];

    /// <summary>Makes the batch one of rows of so many tokens, all padding.</summary>
    public void Clear(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MostLength);
        Length = length;
        RowLengths.Clear();
        Tokens.Clear();
        Targets.Fill(Ignore);
        Positions.Clear();
        Segments.Fill(Padding);
    }

    /// <summary>Takes over what another batch of the same form holds.</summary>
    /// <exception cref="ArgumentException">It is of another form.</exception>
    public void CopyFrom(Batch other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Rows != Rows || other.MostLength != MostLength || other.HasSegments != HasSegments)
            throw new ArgumentException($"A batch of {Describe(other)} does not fit into one of {Describe(this)}.", nameof(other));
        Length = other.Length;
        CopyRows(other, 0);

        static string Describe(Batch b) => $"[{b.Rows}, {b.MostLength}] {(b.HasSegments ? "with" : "without")} segments";
    }

    /// <summary>
    /// Takes over the rows of a batch of the same length. If only this one has segments, a row of the other becomes one segment.
    /// </summary>
    internal void CopyRows(Batch other, int firstRow)
    {
        var at = firstRow * Length;
        other.RowLengths.CopyTo(RowLengths[firstRow..]);
        other.Tokens.CopyTo(Tokens[at..]);
        other.Targets.CopyTo(Targets[at..]);
        if (!HasSegments)
            return;
        if (other.HasSegments)
        {
            other.Positions.CopyTo(Positions[at..]);
            other.Segments.CopyTo(Segments[at..]);
            return;
        }

        for (var i = 0; i < other.Tokens.Length; i++)
        {
            var (row, position) = Math.DivRem(i, Length);
            Positions[at + i] = position;
            Segments[at + i] = position < other.RowLengths[row] ? 0 : Padding;
        }
    }
}
