namespace Ingot.Data;

/// <summary>
/// All of a token file, in order, in batches: consecutive windows, of which the last is filled up. Every token but the first is a target
/// exactly once.
/// </summary>
public sealed class EvaluationBatches : IEvaluationSource
{
    private readonly TokenFile _tokens;
    private readonly TokenWindows _windows;

    /// <summary>Prepares to read.</summary>
    /// <param name="tokens">The data, which the caller keeps open as long as this is used.</param>
    /// <param name="batchSize">Sequences in a batch, at least 1.</param>
    /// <param name="sequenceLength">Tokens in a sequence, at least 1.</param>
    /// <param name="documentMask">Whether documents are kept apart; then the last token of each has no target.</param>
    /// <exception cref="InvalidDataException">There are not even two tokens.</exception>
    public EvaluationBatches(TokenFile tokens, int batchSize, int sequenceLength, bool documentMask = false)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        BatchShape.Check(batchSize, sequenceLength);
        if (tokens.TokenCount < 2)
        {
            throw new InvalidDataException($"{tokens.Path}: with {tokens.TokenCount} tokens there is nothing to predict. Take more text.");
        }

        (_tokens, BatchSize, SequenceLength, HasSegments) = (tokens, batchSize, sequenceLength, documentMask);
        _windows = new TokenWindows(tokens, sequenceLength, documentMask);
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments { get; }

    /// <inheritdoc/>
    public long Count => DivideUp(Places, (long)BatchSize * SequenceLength);

    // Tokens that another follows.
    private long Places => _tokens.TokenCount - 1;

    /// <inheritdoc/>
    public int Read(long number, Batch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, Count);
        BatchShape.Check(batch, BatchSize, SequenceLength, HasSegments);
        batch.Clear(SequenceLength);
        var counted = 0;
        for (var row = 0; row < BatchSize; row++)
        {
            var start = ((number * BatchSize) + row) * SequenceLength;
            var length = (int)Math.Clamp(Places - start, 0, SequenceLength);
            if (length > 0)
            {
                counted += _windows.Fill(batch, row, start, length);
            }
        }

        return counted;
    }

    private static long DivideUp(long a, long b) => (a / b) + (a % b == 0 ? 0 : 1);
}
