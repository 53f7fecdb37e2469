namespace Ingot.Data;

/// <summary>
/// Windows of running text as encoders read them: each between two special tokens, such as [CLS] and [SEP] (RoBERTa's FULL-SENTENCES, Liu
/// et al. 2019). The source's windows are two tokens shorter.
/// </summary>
/// <param name="source">Gives rows that are full or empty.</param>
/// <param name="first">Id of the token in front.</param>
/// <param name="last">Id of the token behind.</param>
public sealed class FramedBatches(ISeekableBatchSource source, int first, int last) : ISeekableBatchSource
{
    private readonly Batch _inner = source.NewBatch();

    /// <inheritdoc/>
    public int BatchSize => source.BatchSize;

    /// <inheritdoc/>
    public int SequenceLength => source.SequenceLength + 2;

    /// <inheritdoc/>
    public double BatchesPerEpoch => source.BatchesPerEpoch;

    /// <inheritdoc/>
    public double Epochs => source.Epochs;

    /// <inheritdoc/>
    public BatchPosition Position
    {
        get => source.Position;
        set => source.Position = value;
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        source.Next(_inner);
        Frame(_inner, batch, first, last);
    }

    /// <summary>Copies rows between two tokens; a batch with segments has its padding marked.</summary>
    internal static void Frame(Batch inner, Batch batch, int first, int last)
    {
        batch.Clear(inner.Length + 2);
        for (var row = 0; row < inner.Rows; row++)
        {
            var length = inner.RowLengths[row];
            if (length == 0)
                continue;
            var tokens = batch.Tokens.Slice(row * batch.Length, length + 2);
            inner.Tokens.Slice(row * inner.Length, length).CopyTo(tokens[1..]);
            (tokens[0], tokens[^1]) = (first, last);
            batch.RowLengths[row] = length + 2;
            if (!batch.HasSegments)
                continue;
            batch.Segments.Slice(row * batch.Length, length + 2).Clear();
            for (var i = 0; i < length + 2; i++)
                batch.Positions[(row * batch.Length) + i] = i;
        }
    }
}

/// <summary>The same for evaluation; what fills up the last row is marked as padding, for an encoder would see it.</summary>
/// <param name="source">Gives the rows.</param>
/// <param name="first">Id of the token in front.</param>
/// <param name="last">Id of the token behind.</param>
public sealed class FramedEvaluation(IEvaluationSource source, int first, int last) : IEvaluationSource
{
    private readonly Batch _inner = source.NewBatch();

    /// <inheritdoc/>
    public int BatchSize => source.BatchSize;

    /// <inheritdoc/>
    public int SequenceLength => source.SequenceLength + 2;

    /// <inheritdoc/>
    public bool HasSegments => true;

    /// <inheritdoc/>
    public long Count => source.Count;

    /// <inheritdoc/>
    public int Read(long number, Batch batch)
    {
        BatchShape.Check(batch, BatchSize, SequenceLength, HasSegments);
        source.Read(number, _inner);
        FramedBatches.Frame(_inner, batch, first, last);
        return 0;
    }
}
