namespace Ingot.Data;

/// <summary>
/// How tokens are masked for a masked language model (Devlin et al. 2019): of all tokens, special ones excepted, a share is chosen at
/// random to be predicted. Of those chosen, 80 % become the mask token, 10 % any token, and 10 % stay. All others have no target.
/// </summary>
public sealed class TokenMasking
{
    private readonly HashSet<int> _special;
    private readonly int[] _ordinary;
    private readonly int _maskId;
    private readonly ulong _seed;
    private readonly ulong _threshold;

    /// <summary>Prepares to mask.</summary>
    /// <param name="vocabularySize">How many ids there are.</param>
    /// <param name="maskId">The mask token.</param>
    /// <param name="specialIds">Tokens that are never chosen and never put in place of another: [CLS], [SEP], [MASK] and the like.</param>
    /// <param name="seed">Decides what is masked.</param>
    /// <param name="probability">The share of tokens that are chosen, above 0 and at most 1.</param>
    public TokenMasking(int vocabularySize, int maskId, IEnumerable<int> specialIds, ulong seed, double probability = 0.15)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maskId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(maskId, vocabularySize);
        if (!(probability is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability,
                "The share of masked tokens must be above 0 and at most 1.");
        (_maskId, _seed) = (maskId, seed);
        _special = [.. specialIds, maskId];
        _ordinary = [.. Enumerable.Range(0, vocabularySize).Where(id => !_special.Contains(id))];
        if (_ordinary.Length == 0)
            throw new ArgumentException("all tokens of the vocabulary are special", nameof(specialIds));
        _threshold = (ulong)(probability * (1UL << 53));
    }

    /// <summary>Masks a batch in place. What is chosen is a pure function of the seed and of the batch's place in the data.</summary>
    /// <param name="batch">Tokens; its targets do not matter.</param>
    /// <param name="epoch">Pass over the data, so that every one masks other tokens.</param>
    /// <param name="index">Where the batch begins.</param>
    /// <returns>How many tokens are to be predicted.</returns>
    public int Apply(Batch batch, long epoch, long index)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var key = CounterRandom.At(CounterRandom.At(_seed, (ulong)epoch), (ulong)index);
        var chosen = 0;
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
                    chosen++;
                }
            }
        }

        return chosen;
    }

    private int Replacement(int token, ulong key, ulong counter) => CounterRandom.Below(10, key, counter + 1) switch
    {
        < 8 => _maskId,
        8 => _ordinary[CounterRandom.Below(_ordinary.Length, key, counter + 2)],
        _ => token,
    };
}
