namespace Ingot.Data;

/// <summary>
/// Takes training sequences (windows of consecutive tokens) from a token file, across documents or with these kept apart. Which ones is a
/// pure function of seed and position, so the order is the same on every machine and a run can go on exactly where it stopped.
/// <para>
/// By epoch, the tokens are cut into consecutive windows, and each epoch takes each once, shuffled; a last one that is not full is
/// left out. A batch may hold the last windows of one epoch and the first of the next. At random, every window that fits is equally
/// likely each time.
/// </para>
/// </summary>
public sealed class BatchSampler : ISeekableBatchSource
{
    private readonly TokenFile _tokens;
    private readonly TokenWindows _windows;
    private DataSampling _sampling;
    private ulong _seed;
    private long _epoch;
    private long _index;
    private Permutation _order;

    /// <summary>Begins at the first batch.</summary>
    /// <param name="tokens">The data, which the caller keeps open as long as the sampler is used.</param>
    /// <param name="batchSize">Sequences in a batch, at least 1.</param>
    /// <param name="sequenceLength">Tokens in a sequence, at least 1.</param>
    /// <param name="sampling">How windows are chosen.</param>
    /// <param name="seed">Decides the order.</param>
    /// <param name="documentMask">
    /// Whether documents are segments that do not see each other; otherwise a row is one sequence, whatever it is from.
    /// </param>
    /// <exception cref="InvalidDataException">The data is shorter than one sequence and the token after it.</exception>
    public BatchSampler(
        TokenFile tokens, int batchSize, int sequenceLength, DataSampling sampling, ulong seed, bool documentMask = false)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        BatchShape.Check(batchSize, sequenceLength);
        if (tokens.TokenCount < sequenceLength + 1L)
        {
            throw new InvalidDataException(
                $"{tokens.Path}: a sequence of {sequenceLength} tokens and the one after it do not fit into the " +
                $"{tokens.TokenCount} tokens of the data. Take shorter sequences or more text.");
        }

        _tokens = tokens;
        BatchSize = batchSize;
        SequenceLength = sequenceLength;
        HasSegments = documentMask;
        _windows = new TokenWindows(tokens, sequenceLength, documentMask);
        _sampling = sampling;
        _seed = seed;
        _order = OrderOf(epoch: 0);
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments { get; }

    /// <inheritdoc/>
    /// <remarks>A batch may hold the last windows of one epoch and the first of the next, so this need not be a whole number.</remarks>
    public double BatchesPerEpoch => (double)WindowsPerEpoch / BatchSize;

    /// <inheritdoc/>
    public double Epochs => _epoch + ((double)_index / WindowsPerEpoch);

    /// <summary>How many windows there are in an epoch; as many cover the data once also with random offsets.</summary>
    public long WindowsPerEpoch => (_tokens.TokenCount - 1) / SequenceLength;

    /// <inheritdoc/>
    /// <remarks>Setting it takes the sampling and the seed from it.</remarks>
    /// <exception cref="InvalidDataException">It belongs to other data or other sequences.</exception>
    public BatchPosition Position
    {
        get => new()
        {
            Sampling = _sampling,
            Seed = _seed,
            Epoch = _epoch,
            Index = _index,
            TokenCount = _tokens.TokenCount,
            SequenceLength = SequenceLength,
        };
        set
        {
            if (value.TokenCount != _tokens.TokenCount || value.SequenceLength != SequenceLength)
            {
                throw new InvalidDataException(
                    $"{_tokens.Path}: the saved position is in {value.TokenCount} tokens in sequences of {value.SequenceLength}, and " +
                    $"this data has {_tokens.TokenCount} in sequences of {SequenceLength}. Resume with the same data and length, or " +
                    "begin a new run.");
            }

            var last = value.Sampling == DataSampling.Epoch ? WindowsPerEpoch : long.MaxValue;
            if (!Enum.IsDefined(value.Sampling) || value.Epoch < 0 || value.Index < 0 || value.Index >= last)
            {
                throw new InvalidDataException($"{_tokens.Path}: {value} is no position in this data.");
            }

            (_sampling, _seed, _epoch, _index) = (value.Sampling, value.Seed, value.Epoch, value.Index);
            _order = OrderOf(_epoch);
        }
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        batch.Clear(SequenceLength);
        for (var row = 0; row < BatchSize; row++)
        {
            _windows.Fill(batch, row, NextStart(), SequenceLength);
        }
    }

    private long NextStart()
    {
        if (_sampling == DataSampling.Random)
        {
            return CounterRandom.Below(_tokens.TokenCount - SequenceLength, _seed, (ulong)_index++);
        }

        var start = _order[_index] * SequenceLength;
        if (++_index == WindowsPerEpoch)
        {
            _index = 0;
            _order = OrderOf(++_epoch);
        }

        return start;
    }

    private Permutation OrderOf(long epoch) => new(WindowsPerEpoch, CounterRandom.At(_seed, (ulong)epoch));
}
