namespace Ingot.Data;

/// <summary>
/// Batches for masked language models (Devlin et al. 2019): of the tokens of another source, special ones excepted, a share is chosen at
/// random to be predicted. Of those chosen, 80 % become the mask token, 10 % any token, and 10 % stay. All others have no target. What is
/// chosen is a pure function of seed and position.
/// </summary>
public sealed class MaskedTokenBatches : ISeekableBatchSource
{
    private readonly ISeekableBatchSource _source;
    private readonly HashSet<int> _special;
    private readonly int[] _ordinary;
    private readonly int _maskId;
    private readonly ulong _seed;
    private readonly ulong _threshold;

    /// <summary>Masks tokens of a source.</summary>
    /// <param name="source">Gives the tokens; its targets do not matter.</param>
    /// <param name="vocabularySize">How many ids there are.</param>
    /// <param name="maskId">The mask token.</param>
    /// <param name="specialIds">Tokens that are never chosen and never put in place of another: [CLS], [SEP], [MASK] and the like.</param>
    /// <param name="seed">Decides what is masked.</param>
    /// <param name="probability">The share of tokens that are chosen, above 0 and at most 1.</param>
    public MaskedTokenBatches(
        ISeekableBatchSource source, int vocabularySize, int maskId, IEnumerable<int> specialIds, ulong seed, double probability = 0.15)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegative(maskId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(maskId, vocabularySize);
        if (!(probability is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "The share of masked tokens must be above 0 and at most 1.");
        (_source, _maskId, _seed) = (source, maskId, seed);
        _special = [.. specialIds, maskId];
        _ordinary = [.. Enumerable.Range(0, vocabularySize).Where(id => !_special.Contains(id))];
        if (_ordinary.Length == 0)
            throw new ArgumentException("all tokens of the vocabulary are special", nameof(specialIds));
        _threshold = (ulong)(probability * (1UL << 53));
    }

    /// <inheritdoc/>
    public int BatchSize => _source.BatchSize;

    /// <inheritdoc/>
    public int SequenceLength => _source.SequenceLength;

    /// <inheritdoc/>
    public bool HasSegments => _source.HasSegments;

    /// <inheritdoc/>
    public double BatchesPerEpoch => _source.BatchesPerEpoch;

    /// <inheritdoc/>
    public double Epochs => _source.Epochs;

    /// <inheritdoc/>
    public BatchPosition Position
    {
        get => _source.Position;
        set => _source.Position = value;
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        // Where the batch begins names its random numbers, so that another epoch masks other tokens.
        var position = _source.Position;
        var key = CounterRandom.At(CounterRandom.At(_seed, (ulong)position.Epoch), (ulong)position.Index);
        _source.Next(batch);
        batch.Targets.Fill(Batch.Ignore);
        for (var row = 0; row < batch.Rows; row++)
        {
            for (var i = row * batch.Length; i < (row * batch.Length) + batch.RowLengths[row]; i++)
            {
                var token = batch.Tokens[i];
                if (!_special.Contains(token) && CounterRandom.At(key, 3UL * (ulong)i) >> 11 < _threshold)
                {
                    batch.Targets[i] = token;
                    batch.Tokens[i] = Replacement(token, key, 3UL * (ulong)i);
                }
            }
        }
    }

    private int Replacement(int token, ulong key, ulong counter) => CounterRandom.Below(10, key, counter + 1) switch
    {
        < 8 => _maskId,
        8 => _ordinary[CounterRandom.Below(_ordinary.Length, key, counter + 2)],
        _ => token,
    };
}
