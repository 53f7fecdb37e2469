namespace Ingot.Data;

/// <summary>Two answers to one prompt, each with the prompt in front.</summary>
/// <param name="Chosen">The better one.</param>
/// <param name="Rejected">The worse one.</param>
public sealed record TokenizedPair(TokenizedExample Chosen, TokenizedExample Rejected)
{
    /// <summary>Places of a row that the longer of the two takes: its last token is only a target.</summary>
    public int RowLength => Math.Max(Chosen.Tokens.Count, Rejected.Tokens.Count) - 1;

    /// <summary>Lays the pair out in two rows of a batch, one behind the other.</summary>
    /// <returns>How many targets count.</returns>
    internal int Fill(Batch batch, int row) => Fill(batch, row, Chosen) + Fill(batch, row + 1, Rejected);

    private static int Fill(Batch batch, int row, TokenizedExample example)
    {
        var (begin, counted) = (row * batch.Length, 0);
        batch.RowLengths[row] = example.Tokens.Count - 1;
        for (var i = 0; i + 1 < example.Tokens.Count; i++)
        {
            batch.Tokens[begin + i] = example.Tokens[i];
            if (!example.Learned[i + 1])
                continue;
            batch.Targets[begin + i] = example.Tokens[i + 1];
            counted++;
        }

        return counted;
    }
}

/// <summary>
/// Pairs of answers in batches, whose rows are chosen, rejected, chosen, rejected ... Each pair comes once an epoch, in another order each
/// time; a batch that an epoch ends in goes on with the next one.
/// </summary>
public sealed class PreferenceBatches : ISeekableBatchSource
{
    private readonly string _name;
    private readonly IReadOnlyList<TokenizedPair> _pairs;
    private readonly long _tokenCount;
    private ulong _seed;
    private long _epoch;
    private long _index;

    /// <summary>Begins at the first batch.</summary>
    /// <param name="name">Where the pairs are from, for errors.</param>
    /// <param name="pairs">The pairs, at least one, none longer than a row.</param>
    /// <param name="batchSize">Rows of a batch: two a pair.</param>
    /// <param name="sequenceLength">Tokens of a row.</param>
    /// <param name="seed">Decides the order.</param>
    public PreferenceBatches(string name, IReadOnlyList<TokenizedPair> pairs, int batchSize, int sequenceLength, ulong seed)
    {
        BatchShape.Check(batchSize, sequenceLength);
        if (batchSize % 2 != 0)
            throw new ArgumentException($"{batchSize} rows are no number of pairs");
        (_name, _pairs, BatchSize, SequenceLength, _seed) = (name, pairs, batchSize, sequenceLength, seed);
        _tokenCount = pairs.Sum(p => (long)p.Chosen.Tokens.Count + p.Rejected.Tokens.Count);
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public double BatchesPerEpoch => 2.0 * _pairs.Count / BatchSize;

    /// <inheritdoc/>
    public double Epochs => _epoch + ((double)_index / _pairs.Count);

    /// <inheritdoc/>
    /// <remarks>Setting it takes the seed from it.</remarks>
    /// <exception cref="InvalidDataException">It belongs to other data.</exception>
    public BatchPosition Position
    {
        get => new()
        {
            Sampling = DataSampling.Epoch,
            Seed = _seed,
            Epoch = _epoch,
            Index = _index,
            TokenCount = _tokenCount,
            SequenceLength = SequenceLength,
        };
        set
        {
            if (value.TokenCount != _tokenCount || value.SequenceLength != SequenceLength || value.Sampling != DataSampling.Epoch
                || value.Epoch < 0 || value.Index < 0 || value.Index >= _pairs.Count)
            {
                throw new InvalidDataException($"{_name}: the saved position is in {value.TokenCount} tokens in rows of "
                    + $"{value.SequenceLength}, and these pairs have {_tokenCount} in rows of {SequenceLength}. Resume with the same data, "
                    + "tokenizer and length, or begin a new run.");
            }

            (_seed, _epoch, _index) = (value.Seed, value.Epoch, value.Index);
        }
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        batch.Clear(SequenceLength);
        var order = OrderOf(_epoch);
        for (var row = 0; row < BatchSize; row += 2)
        {
            _pairs[(int)order[_index]].Fill(batch, row);
            if (++_index < _pairs.Count)
                continue;
            _index = 0;
            order = OrderOf(++_epoch);
        }
    }

    private Permutation OrderOf(long epoch) => new(_pairs.Count, CounterRandom.At(_seed, (ulong)epoch));
}

/// <summary>Pairs of answers in batches to measure a model on; what does not fill a batch is left out.</summary>
public sealed class PreferenceEvaluation : IEvaluationSource
{
    private readonly IReadOnlyList<TokenizedPair> _pairs;

    /// <summary>Lays the pairs out; the parameters are those of <see cref="PreferenceBatches"/>.</summary>
    public PreferenceEvaluation(IReadOnlyList<TokenizedPair> pairs, int batchSize, int sequenceLength)
    {
        BatchShape.Check(batchSize, sequenceLength);
        (_pairs, BatchSize, SequenceLength) = (pairs, batchSize, sequenceLength);
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments => false;

    /// <inheritdoc/>
    public long Count => 2L * _pairs.Count / BatchSize;

    /// <inheritdoc/>
    public int Read(long number, Batch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, Count);
        BatchShape.Check(batch, BatchSize, SequenceLength, HasSegments);
        batch.Clear(SequenceLength);
        var counted = 0;
        for (var row = 0; row < BatchSize; row += 2)
            counted += _pairs[(int)((number * BatchSize) + row) / 2].Fill(batch, row);
        return counted;
    }
}
