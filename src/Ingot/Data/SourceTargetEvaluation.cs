namespace Ingot.Data;

/// <summary>All pairs of texts once, the longest first, in batches: for evaluation.</summary>
public sealed class SourceTargetEvaluation : IEvaluationSource
{
    private readonly SourceTarget[] _pairs;
    private readonly int _start;
    private readonly int _padToMultipleOf;

    /// <summary>Lays the pairs out; the parameters are those of <see cref="SourceTargetBatches"/>.</summary>
    public SourceTargetEvaluation(string name, IReadOnlyList<SourceTarget> pairs, int batchSize, int sourceLength, int targetLength,
        int start, int padToMultipleOf = 8)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        BatchShape.Check(batchSize, sourceLength);
        BatchShape.Check(batchSize, targetLength);
        SourceTarget.Check(name, pairs, sourceLength, targetLength);
        (BatchSize, SourceLength, SequenceLength) = (batchSize, sourceLength, targetLength);
        (_start, _padToMultipleOf) = (start, padToMultipleOf);
        _pairs = [.. SourceTarget.LongestFirst(pairs, pair => pair)];
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public int SourceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments => false;

    /// <inheritdoc/>
    public long Count => (_pairs.Length + BatchSize - 1) / BatchSize;

    /// <inheritdoc/>
    public int Read(long number, Batch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, Count);
        BatchShape.Check(batch, BatchSize, SequenceLength, HasSegments, SourceLength);
        var first = (int)number * BatchSize;
        return SourceTarget.FillAll(batch, _pairs[first..Math.Min(first + BatchSize, _pairs.Length)], _start, _padToMultipleOf);
    }
}
