namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// Hashes of the n-grams of a list of hashes: Σ h[i + k] · B^(n − 1 − k) modulo 2^64, which is computed from one to the next.
/// </summary>
internal ref struct Ngrams
{
    private const ulong Base = 0xD6E8FEB86659FD93;

    private readonly ReadOnlySpan<ulong> _hashes;
    private readonly int _n;
    private readonly ulong _highest;
    private ulong _sum;
    private int _end;

    /// <summary>Begins before the first n-gram.</summary>
    public Ngrams(ReadOnlySpan<ulong> hashes, int n)
    {
        _hashes = hashes;
        _n = n;
        _highest = 1;
        for (var k = 1; k < n; k++)
            _highest *= Base;
        while (_end < Math.Min(n - 1, hashes.Length))
            _sum = (_sum * Base) + hashes[_end++];
    }

    /// <summary>Where the current n-gram begins.</summary>
    public readonly int Start => _end - _n;

    /// <summary>The current n-gram's hash, its bits well mixed.</summary>
    public readonly ulong Hash
    {
        get
        {
            var hash = _sum;
            hash = (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15;
            return hash ^ (hash >> 29);
        }
    }

    /// <summary>Goes to the next n-gram; false at the end.</summary>
    public bool MoveNext()
    {
        if (_end >= _hashes.Length)
            return false;
        if (_end >= _n)
            _sum -= _hashes[_end - _n] * _highest;
        _sum = (_sum * Base) + _hashes[_end++];
        return true;
    }
}
