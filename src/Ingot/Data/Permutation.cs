using System.Numerics;

namespace Ingot.Data;

/// <summary>
/// A seeded shuffle of 0 … count − 1 that needs no memory, so billions of windows can be shuffled: a Feistel network, which permutes the
/// numbers of an even number of bits whatever its rounds compute, is applied again as long as the result is not below count (cycle walking,
/// Black and Rogaway 2002), fewer than four times on average.
/// </summary>
internal readonly struct Permutation
{
    private const int Rounds = 8;

    private readonly long _count;
    private readonly ulong _seed;
    private readonly int _halfBits;

    /// <summary>Makes the shuffle of <paramref name="count"/> numbers, at least 1, that belongs to a seed.</summary>
    public Permutation(long count, ulong seed)
    {
        _count = count;
        _seed = seed;
        _halfBits = Math.Max(1, (BitOperations.Log2((ulong)count) / 2) + 1);
    }

    /// <summary>The number at a place, both in 0 … count − 1.</summary>
    public long this[long place]
    {
        get
        {
            var number = (ulong)place;
            do
            {
                number = Shuffle(number);
            }
            while (number >= (ulong)_count);

            return (long)number;
        }
    }

    private ulong Shuffle(ulong number)
    {
        var mask = (1UL << _halfBits) - 1;
        var (left, right) = (number >> _halfBits, number & mask);
        for (var round = 0UL; round < Rounds; round++)
        {
            (left, right) = (right, left ^ (CounterRandom.At(_seed + round, right) & mask));
        }

        return (left << _halfBits) | right;
    }
}
