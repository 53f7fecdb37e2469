namespace Ingot.Data;

/// <summary>All examples of a set once, packed or one a row, in batches: for evaluation.</summary>
public sealed class ExampleEvaluation : IEvaluationSource
{
    private readonly ExampleRows _rows;
    private readonly int[] _order;
    private readonly int _padToMultipleOf;

    /// <summary>Lays the examples out; the parameters are those of <see cref="ExampleBatches"/>.</summary>
    public ExampleEvaluation(ExampleSet examples, int batchSize, int sequenceLength, bool packed = true, int padToMultipleOf = 32)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentOutOfRangeException.ThrowIfLessThan(padToMultipleOf, 1);
        BatchShape.Check(batchSize, sequenceLength);
        (BatchSize, SequenceLength, _padToMultipleOf) = (batchSize, sequenceLength, padToMultipleOf);
        _rows = new ExampleRows(examples, sequenceLength, packed);
        _order = [.. Enumerable.Range(0, _rows.Count).OrderByDescending(_rows.LengthOf)];
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments => _rows.HasSegments;

    /// <inheritdoc/>
    public long Count => (_rows.Count + BatchSize - 1) / BatchSize;

    /// <inheritdoc/>
    public int Read(long number, Batch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, Count);
        BatchShape.Check(batch, BatchSize, SequenceLength, HasSegments);
        var first = (int)number * BatchSize;
        var rows = _order.AsSpan(first, Math.Min(BatchSize, _order.Length - first));
        // The first is the longest.
        batch.Clear(_rows.Packed ? SequenceLength : ExampleRows.Pad(_rows.LengthOf(rows[0]), _padToMultipleOf, SequenceLength));
        var counted = 0;
        for (var place = 0; place < rows.Length; place++)
            counted += _rows.Fill(batch, place, rows[place]);
        return counted;
    }
}
