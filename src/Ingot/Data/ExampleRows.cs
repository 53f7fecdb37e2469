namespace Ingot.Data;

/// <summary>
/// Examples laid out in rows: packed, whole examples one behind the other, the longest first and each into the first row that has room; or
/// one example a row.
/// </summary>
internal sealed class ExampleRows
{
    private readonly IReadOnlyList<TokenizedExample> _examples;
    private readonly List<int>[] _rows;

    public ExampleRows(ExampleSet set, int length, bool packed)
    {
        _examples = set.Examples;
        Packed = packed;
        HasSegments = packed || _examples.Any(example => example.Targets is not null);
        foreach (var example in _examples)
        {
            if (example.Tokens.Count > length)
            {
                throw new ArgumentException(
                    $"{set.Name}: an example of {example.Tokens.Count} tokens does not fit into a row of {length}; limit them first.");
            }
        }

        var all = Enumerable.Range(0, _examples.Count);
        if (!packed)
        {
            _rows = [.. all.Select(example => new List<int> { example })];
            return;
        }

        var rows = new List<List<int>>();
        var bins = new FirstFit(length);
        foreach (var example in all.OrderByDescending(example => _examples[example].Tokens.Count))
        {
            var row = bins.Place(_examples[example].Tokens.Count);
            if (row == rows.Count)
                rows.Add([]);
            rows[row].Add(example);
        }

        _rows = [.. rows];
    }

    /// <summary>Whether a row may hold several examples, which are its segments.</summary>
    public bool Packed { get; }

    /// <summary>
    /// Whether segments are given: where rows hold several, and where an encoder reads them, which would see the padding behind.
    /// </summary>
    public bool HasSegments { get; }

    /// <summary>How many rows there are.</summary>
    public int Count => _rows.Length;

    /// <summary>Tokens of a row.</summary>
    public int LengthOf(int row) => _rows[row].Sum(example => _examples[example].Tokens.Count);

    /// <summary>A row's length with padding: a multiple, but not more than fits.</summary>
    public static int Pad(int length, int multiple, int most) => (int)Math.Min(most, ((long)length + multiple - 1) / multiple * multiple);

    /// <summary>Fills in a row of a batch that is clear.</summary>
    /// <returns>How many targets count.</returns>
    public int Fill(Batch batch, int place, int row)
    {
        var (start, at, counted) = (place * batch.Length, place * batch.Length, 0);
        for (var segment = 0; segment < _rows[row].Count; segment++)
        {
            var example = _examples[_rows[row][segment]];
            var (tokens, learned) = (example.Tokens, example.Learned);
            for (var i = 0; i < tokens.Count; i++, at++)
            {
                batch.Tokens[at] = tokens[i];
                if (example.Targets is { } targets)
                {
                    batch.Targets[at] = targets[i];
                    counted += targets[i] != Batch.Ignore ? 1 : 0;
                }
                else if (i + 1 < tokens.Count && learned[i + 1])
                {
                    batch.Targets[at] = tokens[i + 1];
                    counted++;
                }

                if (HasSegments)
                    (batch.Positions[at], batch.Segments[at], batch.TokenTypes[at]) = (i, segment, example.Types?[i] ?? 0);
            }
        }

        batch.RowLengths[place] = at - start;
        return counted;
    }
}
