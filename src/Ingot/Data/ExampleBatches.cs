namespace Ingot.Data;

/// <summary>
/// Batches of examples: each once an epoch, in an order shuffled anew for each, which is a pure function of seed and position.
/// <para> Packed, a row holds whole examples as segments that do not see each other; which ones share a row stays the same. Otherwise a
/// row holds one example, examples of about the same length come together, and a batch is as long as its longest example, rounded up.
/// </para>
/// <para>No batch holds examples of two epochs: the last one of an epoch may have empty rows.</para>
/// </summary>
public sealed class ExampleBatches : ISeekableBatchSource
{
    // Batches of which the examples are sorted by length together: enough that they differ little, not so many that the order is lost.
    private const int BatchesOfAGroup = 32;

    private readonly ExampleSet _examples;
    private readonly ExampleRows _rows;
    private readonly int _padToMultipleOf;
    private ulong _seed;
    private long _epoch;
    private long _index;
    private int[] _order; // Rows by place, -1 for none.

    /// <summary>Begins at the first batch.</summary>
    /// <param name="examples">The examples, none longer than a row.</param>
    /// <param name="batchSize">Rows of a batch, at least 1.</param>
    /// <param name="sequenceLength">Tokens of a row, at most.</param>
    /// <param name="seed">Decides the order.</param>
    /// <param name="packed">Whether a row holds as many examples as fit.</param>
    /// <param name="padToMultipleOf">Without packing, rows are padded to a multiple of this, so that there are few lengths.</param>
    public ExampleBatches(
        ExampleSet examples, int batchSize, int sequenceLength, ulong seed, bool packed = true, int padToMultipleOf = 32)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentOutOfRangeException.ThrowIfLessThan(padToMultipleOf, 1);
        BatchShape.Check(batchSize, sequenceLength);
        (_examples, BatchSize, SequenceLength, _seed, _padToMultipleOf) = (examples, batchSize, sequenceLength, seed, padToMultipleOf);
        _rows = new ExampleRows(examples, sequenceLength, packed);
        _order = OrderOf(epoch: 0);
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments => _rows.HasSegments;

    /// <inheritdoc/>
    public double BatchesPerEpoch => (_rows.Count + BatchSize - 1) / BatchSize;

    /// <inheritdoc/>
    public double Epochs => _epoch + ((double)_index / _order.Length);

    /// <summary>Rows of an epoch.</summary>
    public int RowsPerEpoch => _rows.Count;

    /// <inheritdoc/>
    /// <remarks>Setting it takes the seed from it.</remarks>
    /// <exception cref="InvalidDataException">It belongs to other data, other rows or, without packing, other batches.</exception>
    public BatchPosition Position
    {
        get => new()
        {
            Sampling = DataSampling.Epoch,
            Seed = _seed,
            Epoch = _epoch,
            Index = _index,
            TokenCount = _examples.TokenCount,
            SequenceLength = SequenceLength,
            BatchSize = _rows.Packed ? null : BatchSize,
        };
        set
        {
            if (value.TokenCount != _examples.TokenCount || value.SequenceLength != SequenceLength)
            {
                throw new InvalidDataException(
                    $"{_examples.Name}: the saved position is in {value.TokenCount} tokens in rows of {value.SequenceLength}, and these "
                    + $"examples have {_examples.TokenCount} in rows of {SequenceLength}. Resume with the same data, tokenizer and length, "
                    + "or begin a new run.");
            }

            if (!_rows.Packed && value.BatchSize != BatchSize)
            {
                throw new InvalidDataException(
                    $"{_examples.Name}: the saved position is in batches of {value.BatchSize?.ToString() ?? "packed"} rows, these have "
                    + $"{BatchSize}, and examples grouped by length come in another order then. Resume with the same batch size, or begin "
                    + "a new run.");
            }

            if (value.Epoch < 0 || value.Index < 0 || value.Index >= _order.Length || (!_rows.Packed && value.Index % BatchSize != 0)
                || value.Sampling != DataSampling.Epoch)
            {
                throw new InvalidDataException($"{_examples.Name}: {value} is no position in these examples.");
            }

            (_seed, _epoch, _index) = (value.Seed, value.Epoch, value.Index);
            _order = OrderOf(_epoch);
        }
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        var rows = _order.AsSpan((int)_index, (int)Math.Min(BatchSize, _order.Length - _index));
        batch.Clear(LengthOf(rows));
        for (var place = 0; place < rows.Length; place++)
        {
            if (rows[place] >= 0)
                _rows.Fill(batch, place, rows[place]);
        }

        _index += rows.Length;
        if (_index == _order.Length)
        {
            _index = 0;
            _order = OrderOf(++_epoch);
        }
    }

    private int LengthOf(ReadOnlySpan<int> rows)
    {
        if (_rows.Packed)
            return SequenceLength;
        var longest = 0;
        foreach (var row in rows)
            longest = row < 0 ? longest : Math.Max(longest, _rows.LengthOf(row));
        return ExampleRows.Pad(longest, _padToMultipleOf, SequenceLength);
    }

    private int[] OrderOf(long epoch)
    {
        var seed = CounterRandom.At(_seed, (ulong)epoch);
        var shuffle = new Permutation(_rows.Count, seed);
        var shuffled = Enumerable.Range(0, _rows.Count).Select(place => (int)shuffle[place]);
        if (_rows.Packed)
            return [.. shuffled];

        // Groups of batches sorted by length, cut into batches, and these in any order.
        var batches = shuffled.Chunk(BatchesOfAGroup * BatchSize)
            .SelectMany(group => group.OrderByDescending(_rows.LengthOf).Chunk(BatchSize)).ToArray();
        var shuffleBatches = new Permutation(batches.Length, CounterRandom.At(seed, 0));
        var order = new int[batches.Length * BatchSize];
        Array.Fill(order, -1);
        for (var place = 0; place < batches.Length; place++)
            batches[shuffleBatches[place]].CopyTo(order, place * BatchSize);
        return order;
    }
}
