using System.Runtime.InteropServices;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// A set of hashes in open addresses, at most four fifths full; it grows by a quarter, so that it never takes much more than it must.
/// </summary>
/// <typeparam name="T">A hash: ulong or UInt128. Zero is not a member.</typeparam>
internal sealed class HashIndex<T>(MemoryBudget budget) : IDisposable
    where T : unmanaged, IEquatable<T>
{
    private const double Fullest = 0.8, Growth = 1.25;

    private NativeTable<T> _slots = new(1 << 12);

    /// <summary>How many hashes there are.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a hash; false if it was there.</summary>
    /// <exception cref="InsufficientMemoryException">The set has outgrown its memory.</exception>
    public bool Add(T hash)
    {
        if (hash.Equals(default))
            hash = One();
        if (Count >= Fullest * _slots.Length)
            Grow();
        if (!Insert(_slots, hash))
            return false;
        Count++;
        return true;
    }

    /// <summary>Whether a hash is there.</summary>
    public bool Contains(T hash)
    {
        if (hash.Equals(default))
            hash = One();
        for (var slot = SlotOf(hash, _slots.Length); ; slot = slot + 1 == _slots.Length ? 0 : slot + 1)
        {
            if (_slots[slot].Equals(hash))
                return true;
            if (_slots[slot].Equals(default))
                return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _slots.Dispose();

    private static bool Insert(NativeTable<T> slots, T hash)
    {
        for (var slot = SlotOf(hash, slots.Length); ; slot = slot + 1 == slots.Length ? 0 : slot + 1)
        {
            ref var item = ref slots[slot];
            if (item.Equals(hash))
                return false;
            if (item.Equals(default))
            {
                item = hash;
                return true;
            }
        }
    }

    private static T One()
    {
        T one = default;
        MemoryMarshal.AsBytes(new Span<T>(ref one))[0] = 1;
        return one;
    }

    private static long SlotOf(T hash, long length)
    {
        var bits = MemoryMarshal.Read<ulong>(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in hash)));
        return (long)Math.BigMul(bits * 0x9E3779B97F4A7C15, (ulong)length, out _);
    }

    private unsafe void Grow()
    {
        var length = (long)(_slots.Length * Growth);
        budget.Take(length * sizeof(T));
        var grown = new NativeTable<T>(length);
        for (var slot = 0L; slot < _slots.Length; slot++)
        {
            if (!_slots[slot].Equals(default))
                Insert(grown, _slots[slot]);
        }

        budget.Return(_slots.Length * sizeof(T));
        _slots.Dispose();
        _slots = grown;
    }
}

/// <summary>What the tables may take together.</summary>
internal sealed class MemoryBudget(long bytes)
{
    /// <summary>What they take.</summary>
    public long Taken { get; private set; }

    /// <summary>Counts memory that is about to be taken.</summary>
    /// <exception cref="InsufficientMemoryException">It is more than there may be.</exception>
    public void Take(long more)
    {
        if (Taken + more > bytes)
        {
            throw new InsufficientMemoryException(
                $"The search for duplicates needs more than its {bytes / (double)(1 << 30):0.##} GiB of memory. Raise maxMemory, or switch off " +
                "nearDuplicates or duplicateLines among the rules. What is done is kept: with a larger maxMemory it goes on from there.");
        }

        Taken += more;
    }

    /// <summary>Counts memory that was given back.</summary>
    public void Return(long less) => Taken -= less;
}
