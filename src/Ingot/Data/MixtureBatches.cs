namespace Ingot.Data;

/// <summary>
/// Draws from several sources by weight. A batch is made of parts, each of which is a batch of one source; which source is a pure function
/// of seed and position. An epoch has as many batches as the epochs of all sources together, whatever the weights.
/// </summary>
public sealed class MixtureBatches : ISeekableBatchSource
{
    private readonly IReadOnlyList<ISeekableBatchSource> _sources;
    private readonly double[] _until; // The share of the weights' sum that this source and those before it have.
    private readonly Batch[] _parts;
    private readonly int _partsOfABatch;
    private ulong _seed;
    private long _index; // Draws so far.

    /// <summary>Begins at the first batch.</summary>
    /// <param name="sources">The sources at their beginnings; their batches have as many rows, and these as many tokens at most.</param>
    /// <param name="weights">For each how often it is drawn, relative to the others; above 0.</param>
    /// <param name="partsOfABatch">How many draws make a batch; 1 for sources whose batches differ in length.</param>
    /// <param name="seed">Decides the order.</param>
    public MixtureBatches(IReadOnlyList<ISeekableBatchSource> sources, IReadOnlyList<double> weights, int partsOfABatch, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfLessThan(partsOfABatch, 1);
        if (sources.Count == 0 || sources.Count != weights.Count || weights.Any(weight => !(weight > 0 && double.IsFinite(weight))))
            throw new ArgumentException($"{sources.Count} sources need as many weights above 0, not [{string.Join(", ", weights)}]");
        if (sources.Any(s => s.BatchSize != sources[0].BatchSize || s.SequenceLength != sources[0].SequenceLength
                || s.SourceLength != sources[0].SourceLength))
            throw new ArgumentException("the sources of a mixture have batches of different forms");
        BatchShape.Check(checked(partsOfABatch * sources[0].BatchSize), sources[0].SequenceLength);
        (_sources, _partsOfABatch, _seed) = (sources, partsOfABatch, seed);
        HasSegments = sources.Any(source => source.HasSegments);
        _parts = [.. sources.Select(source => source.NewBatch())];
        var (total, sum) = (weights.Sum(), 0.0);
        _until = [.. weights.Select(weight => (sum += weight) / total)];
    }

    /// <inheritdoc/>
    public int BatchSize => _partsOfABatch * _sources[0].BatchSize;

    /// <inheritdoc/>
    public int SequenceLength => _sources[0].SequenceLength;

    /// <inheritdoc/>
    /// <remarks>If any source has them; a row of the others is one segment then.</remarks>
    public bool HasSegments { get; }

    /// <inheritdoc/>
    public int SourceLength => _sources[0].SourceLength;

    /// <inheritdoc/>
    public double BatchesPerEpoch => _sources.Sum(source => source.BatchesPerEpoch) / _partsOfABatch;

    /// <inheritdoc/>
    public double Epochs => _index / _sources.Sum(source => source.BatchesPerEpoch);

    /// <inheritdoc/>
    public BatchPosition Position
    {
        get => new()
        {
            Sampling = DataSampling.Epoch,
            Seed = _seed,
            Epoch = 0,
            Index = _index,
            TokenCount = _sources.Sum(source => source.Position.TokenCount),
            SequenceLength = SequenceLength,
            Parts = [.. _sources.Select(source => source.Position)],
        };
        set
        {
            if (value.Parts?.Count != _sources.Count)
            {
                throw new InvalidDataException($"The saved position is in {value.Parts?.Count ?? 1} sources of data, and here are "
                    + $"{_sources.Count}. Resume with the same data, or begin a new run.");
            }

            if (value.Index < 0)
                throw new InvalidDataException($"{value} is no position in a mixture.");
            for (var i = 0; i < _sources.Count; i++)
                _sources[i].Position = value.Parts[i];
            (_seed, _index) = (value.Seed, value.Index);
        }
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        for (var part = 0; part < _partsOfABatch; part++)
        {
            var source = SourceOf(_index++);
            _sources[source].Next(_parts[source]);
            var (length, sourceLength) = (_parts[source].Length, _parts[source].SourceLength);
            if (part == 0)
                batch.Clear(length, sourceLength);
            else if (batch.Length != length || batch.SourceLength != sourceLength)
                throw new InvalidOperationException($"rows of {batch.Length} and of {length} tokens do not go into one batch");
            batch.CopyRows(_parts[source], part * _sources[source].BatchSize);
        }
    }

    private int SourceOf(long draw)
    {
        var share = (CounterRandom.At(_seed, (ulong)draw) >> 11) * (1.0 / (1UL << 53));
        var source = 0;
        while (source < _until.Length - 1 && share >= _until[source])
            source++;
        return source;
    }
}
