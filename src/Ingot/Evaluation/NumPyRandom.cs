namespace Ingot.Evaluation;

/// <summary>
/// The generator behind <c>numpy.random.default_rng(seed)</c>: PCG64 (O'Neill 2014, XSL-RR, 128 bits) seeded by NumPy's SeedSequence.
/// With it, intervals and p-values are those that sacreBLEU prints.
/// </summary>
internal sealed class NumPyRandom
{
    private static readonly UInt128 Multiplier = new(2549297995355413924, 4865540595714422341);

    private readonly UInt128 _increment;
    private UInt128 _state;
    private uint? _half; // The upper half of a draw whose lower one was taken.

    /// <summary>Seeds it.</summary>
    public NumPyRandom(ulong seed)
    {
        var words = SeedSequence(seed);
        _increment = (new UInt128(words[2], words[3]) << 1) | 1;
        Step();
        _state += new UInt128(words[0], words[1]);
        Step();
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        Step();
        return ulong.RotateRight((ulong)(_state >> 64) ^ (ulong)_state, (int)(_state >> 122));
    }

    /// <summary>32 random bits: the lower half of a draw, and then its upper one.</summary>
    public uint NextUInt32()
    {
        if (_half is { } upper)
        {
            _half = null;
            return upper;
        }

        var bits = NextUInt64();
        _half = (uint)(bits >> 32);
        return (uint)bits;
    }

    /// <summary>A number from 0 to below <paramref name="count"/>, as <c>integers</c> and <c>choice</c> draw it (Lemire 2019).</summary>
    public int Next(int count)
    {
        if (count == 1)
            return 0;
        var product = (ulong)NextUInt32() * (uint)count;
        if ((uint)product < (uint)count)
        {
            var threshold = (uint)((1UL << 32) % (uint)count);
            while ((uint)product < threshold)
                product = (ulong)NextUInt32() * (uint)count;
        }

        return (int)(product >> 32);
    }

    private void Step() => _state = (_state * Multiplier) + _increment;

    // Mixes the seed into a pool of four words, and draws four words of 64 bits from it.
    private static ulong[] SeedSequence(ulong seed)
    {
        Span<uint> pool = [(uint)seed, (uint)(seed >> 32), 0, 0];
        var constant = 0x43B0D7E5u;
        foreach (ref var word in pool)
            word = Hash(word, ref constant, 0x931E8875);
        for (var from = 0; from < pool.Length; from++)
        {
            for (var to = 0; to < pool.Length; to++)
            {
                if (from != to)
                {
                    var mixed = (0xCA01F9DD * pool[to]) - (0x4973F715 * Hash(pool[from], ref constant, 0x931E8875));
                    pool[to] = mixed ^ (mixed >> 16);
                }
            }
        }

        var result = new ulong[4];
        constant = 0x8B51F9DD;
        for (var i = 0; i < 2 * result.Length; i++)
            result[i / 2] |= (ulong)Hash(pool[i % pool.Length], ref constant, 0x58F38DED) << (32 * (i % 2));
        return result;
    }

    private static uint Hash(uint value, ref uint constant, uint multiplier)
    {
        value ^= constant;
        constant *= multiplier;
        value *= constant;
        return value ^ (value >> 16);
    }
}
