namespace Ingot.Data;

/// <summary>
/// Rows of tokens to learn from, in arrays [<see cref="Rows"/>, <see cref="Length"/>] that are filled anew for every batch. A row is one
/// sequence from its beginning or, with segments, several behind one another that do not see each other. Batches of pairs also have a
/// source for each row, which an encoder reads.
/// </summary>
public sealed class Batch
{
    /// <summary>The target where there is nothing to learn; the loss leaves it out.</summary>
    public const int Ignore = -100;

    /// <summary>The segment of places that hold no token.</summary>
    public const int Padding = -1;

    private readonly int[] _tokens, _targets, _positions, _segments, _tokenTypes, _rowLengths, _source, _sourceLengths;

    /// <summary>Allocates a batch, all of it padding.</summary>
    /// <param name="rows">Rows, at least 1.</param>
    /// <param name="mostLength">Tokens that a row can hold, at least 1; its length at first.</param>
    /// <param name="hasSegments">Whether rows hold several sequences.</param>
    /// <param name="mostSourceLength">Tokens that a source can hold; 0 for no sources.</param>
    public Batch(int rows, int mostLength, bool hasSegments = false, int mostSourceLength = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(mostLength, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)rows * mostLength, Array.MaxLength, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfNegative(mostSourceLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)rows * mostSourceLength, Array.MaxLength, nameof(rows));
        (Rows, MostLength, HasSegments, MostSourceLength) = (rows, mostLength, hasSegments, mostSourceLength);
        _rowLengths = new int[rows];
        (_tokens, _targets) = (new int[rows * mostLength], new int[rows * mostLength]);
        (_positions, _segments, _tokenTypes) = hasSegments
            ? (new int[rows * mostLength], new int[rows * mostLength], new int[rows * mostLength]) : ([], [], []);
        (_source, _sourceLengths) = mostSourceLength > 0 ? (new int[rows * mostSourceLength], new int[rows]) : ([], []);
        Clear(mostLength, mostSourceLength);
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Tokens that a row can hold.</summary>
    public int MostLength { get; }

    /// <summary>Tokens of a row, padding included.</summary>
    public int Length { get; private set; }

    /// <summary>
    /// Whether rows hold several sequences, so that <see cref="Positions"/>, <see cref="Segments"/> and <see cref="TokenTypes"/> count.
    /// </summary>
    public bool HasSegments { get; }

    /// <summary>Tokens that a source can hold; 0 for no sources.</summary>
    public int MostSourceLength { get; }

    /// <summary>Tokens of each source, padding included.</summary>
    public int SourceLength { get; private set; }

    /// <summary>Tokens of the sources, [rows, source length]; 0 at padding.</summary>
    public Span<int> Source => _source.AsSpan(0, Rows * SourceLength);

    /// <summary>Tokens of each source without padding; empty without sources.</summary>
    public Span<int> SourceLengths => _sourceLengths;

    /// <summary>Tokens of each row; what follows them is padding.</summary>
    public Span<int> RowLengths => _rowLengths;

    /// <summary>Tokens of all rows, without padding and sources.</summary>
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

    /// <summary>Which text of a pair each token is from, 0 or 1; empty without segments.</summary>
    public Span<int> TokenTypes => HasSegments ? _tokenTypes.AsSpan(0, Rows * Length) : [];

    /// <summary>Makes the batch one of rows of so many tokens, and sources of so many, all padding.</summary>
    public void Clear(int length, int sourceLength = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MostLength);
        ArgumentOutOfRangeException.ThrowIfNegative(sourceLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sourceLength, MostSourceLength);
        (Length, SourceLength) = (length, sourceLength);
        RowLengths.Clear();
        Tokens.Clear();
        Targets.Fill(Ignore);
        Positions.Clear();
        Segments.Fill(Padding);
        TokenTypes.Clear();
        Source.Clear();
        SourceLengths.Clear();
    }

    /// <summary>Takes over what another batch of the same form holds.</summary>
    /// <exception cref="ArgumentException">It is of another form.</exception>
    public void CopyFrom(Batch other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Rows != Rows || other.MostLength != MostLength || other.HasSegments != HasSegments
            || other.MostSourceLength != MostSourceLength)
            throw new ArgumentException($"A batch of {Describe(other)} does not fit into one of {Describe(this)}.", nameof(other));
        (Length, SourceLength) = (other.Length, other.SourceLength);
        CopyRows(other, 0);

        static string Describe(Batch b) => $"[{b.Rows}, {b.MostLength}] {(b.HasSegments ? "with" : "without")} segments"
            + (b.MostSourceLength > 0 ? $" and with sources of {b.MostSourceLength}" : "");
    }

    /// <summary>
    /// Takes over the rows of a batch of the same lengths. If only this one has segments, a row of the other becomes one segment.
    /// </summary>
    internal void CopyRows(Batch other, int firstRow)
    {
        var at = firstRow * Length;
        other.RowLengths.CopyTo(RowLengths[firstRow..]);
        other.Tokens.CopyTo(Tokens[at..]);
        other.Targets.CopyTo(Targets[at..]);
        other.Source.CopyTo(Source[(firstRow * SourceLength)..]);
        other.SourceLengths.CopyTo(SourceLengths[Math.Min(firstRow, SourceLengths.Length)..]);
        if (!HasSegments)
            return;
        if (other.HasSegments)
        {
            other.Positions.CopyTo(Positions[at..]);
            other.Segments.CopyTo(Segments[at..]);
            other.TokenTypes.CopyTo(TokenTypes[at..]);
            return;
        }

        TokenTypes.Slice(at, other.Tokens.Length).Clear();
        for (var i = 0; i < other.Tokens.Length; i++)
        {
            var (row, position) = Math.DivRem(i, Length);
            Positions[at + i] = position;
            Segments[at + i] = position < other.RowLengths[row] ? 0 : Padding;
        }
    }
}
