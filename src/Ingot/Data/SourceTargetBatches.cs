namespace Ingot.Data;

/// <summary>
/// Batches of pairs of texts: each pair once an epoch, in an order shuffled anew for each, which is a pure function of seed and position.
/// Pairs of about the same lengths come together, and a batch is as long as its longest source and target, rounded up. No batch holds
/// pairs of two epochs: the last one of an epoch may have empty rows.
/// </summary>
public sealed class SourceTargetBatches : ISeekableBatchSource
{
    // Batches of which the pairs are sorted by length together: enough that they differ little, not so many that the order is lost.
    private const int BatchesOfAGroup = 64;

    private readonly string _name;
    private readonly IReadOnlyList<SourceTarget> _pairs;
    private readonly int _start;
    private readonly int _padToMultipleOf;
    private readonly long _tokenCount;
    private ulong _seed;
    private long _epoch;
    private long _index; // Batches of this epoch so far.
    private int[][] _order;

    /// <summary>Begins at the first batch.</summary>
    /// <param name="name">Where the pairs are from, for messages.</param>
    /// <param name="pairs">The pairs, at least one, none longer than a row.</param>
    /// <param name="batchSize">Rows of a batch, at least 1.</param>
    /// <param name="sourceLength">Tokens of a source, at most.</param>
    /// <param name="targetLength">Tokens of a target, at most.</param>
    /// <param name="start">The token that the decoder reads first.</param>
    /// <param name="seed">Decides the order.</param>
    /// <param name="padToMultipleOf">Rows are padded to a multiple of this, so that there are few lengths.</param>
    public SourceTargetBatches(string name, IReadOnlyList<SourceTarget> pairs, int batchSize, int sourceLength, int targetLength, int start,
        ulong seed, int padToMultipleOf = 8)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentOutOfRangeException.ThrowIfLessThan(padToMultipleOf, 1);
        BatchShape.Check(batchSize, sourceLength);
        BatchShape.Check(batchSize, targetLength);
        SourceTarget.Check(name, pairs, sourceLength, targetLength);
        (_name, _pairs, BatchSize, SourceLength, SequenceLength) = (name, pairs, batchSize, sourceLength, targetLength);
        (_start, _seed, _padToMultipleOf) = (start, seed, padToMultipleOf);
        _tokenCount = pairs.Sum(p => (long)p.Source.Length + p.Target.Length);
        _order = OrderOf(epoch: 0);
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public int SourceLength { get; }

    /// <inheritdoc/>
    public double BatchesPerEpoch => _order.Length;

    /// <inheritdoc/>
    public double Epochs => _epoch + ((double)_index / _order.Length);

    /// <inheritdoc/>
    /// <remarks>Setting it takes the seed from it.</remarks>
    /// <exception cref="InvalidDataException">It belongs to other data, other lengths or other batches.</exception>
    public BatchPosition Position
    {
        get => new()
        {
            Sampling = DataSampling.Epoch,
            Seed = _seed,
            Epoch = _epoch,
            Index = _index * BatchSize,
            TokenCount = _tokenCount,
            SequenceLength = SequenceLength,
            BatchSize = BatchSize,
        };
        set
        {
            if (value.TokenCount != _tokenCount || value.SequenceLength != SequenceLength || value.BatchSize != BatchSize)
            {
                throw new InvalidDataException($"{_name}: the saved position is in {value.TokenCount} tokens, in batches of "
                    + $"{value.BatchSize} targets of {value.SequenceLength}, and these pairs have {_tokenCount} in batches of {BatchSize} "
                    + $"of {SequenceLength}. Resume with the same data, tokenizer, lengths and batch size, or begin a new run.");
            }

            if (value.Epoch < 0 || value.Index < 0 || value.Index % BatchSize != 0 || value.Index / BatchSize >= _order.Length
                || value.Sampling != DataSampling.Epoch)
            {
                throw new InvalidDataException($"{_name}: {value} is no position in these pairs.");
            }

            (_seed, _epoch, _index) = (value.Seed, value.Epoch, value.Index / BatchSize);
            _order = OrderOf(_epoch);
        }
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        SourceTarget.FillAll(batch, [.. _order[_index].Select(pair => _pairs[pair])], _start, _padToMultipleOf);
        if (++_index < _order.Length)
            return;
        _index = 0;
        _order = OrderOf(++_epoch);
    }

    private int[][] OrderOf(long epoch)
    {
        var seed = CounterRandom.At(_seed, (ulong)epoch);
        var shuffle = new Permutation(_pairs.Count, seed);
        // Groups of batches sorted by length, cut into batches, and these in any order.
        var batches = Enumerable.Range(0, _pairs.Count).Select(place => (int)shuffle[place]).Chunk(BatchesOfAGroup * BatchSize)
            .SelectMany(group => SourceTarget.LongestFirst(group, pair => _pairs[pair]).Chunk(BatchSize)).ToArray();
        var shuffleBatches = new Permutation(batches.Length, CounterRandom.At(seed, 0));
        return [.. Enumerable.Range(0, batches.Length).Select(place => batches[shuffleBatches[place]])];
    }
}
