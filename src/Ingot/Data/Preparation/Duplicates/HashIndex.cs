using System.Runtime.InteropServices;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// A set of hashes in open addresses, at most four fifths full; it grows by a quarter, so that it never takes much more than it must.
/// </summary>
/// <typeparam name="T">A hash: ulong or UInt128.</typeparam>
internal sealed class HashIndex<T> : IDisposable
    where T : unmanaged, IEquatable<T>
{
    private const double Fullest = 0.8, Growth = 1.25;

    private readonly MemoryBudget _budget;
    private NativeTable<T> _slots;
    private bool _hasZero; // In a slot, zero stands for nothing.

    /// <summary>Begins empty.</summary>
    public HashIndex(MemoryBudget budget)
    {
        _budget = budget;
        _slots = budget.Allocate<T>(1 << 12);
    }

    /// <summary>How many hashes there are.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a hash; false if it was there.</summary>
    /// <exception cref="InsufficientMemoryException">The set has outgrown its memory.</exception>
    public bool Add(T hash)
    {
        if (Count >= Fullest * _slots.Length)
            Grow();
        var isNew = hash.Equals(default) ? !_hasZero : Insert(_slots, hash);
        _hasZero |= hash.Equals(default);
        Count += isNew ? 1 : 0;
        return isNew;
    }

    /// <summary>Whether a hash is there.</summary>
    public bool Contains(T hash)
    {
        if (hash.Equals(default))
            return _hasZero;
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

    private static long SlotOf(T hash, long length)
    {
        var bits = MemoryMarshal.Read<ulong>(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in hash)));
        return (long)Math.BigMul(bits * 0x9E3779B97F4A7C15, (ulong)length, out _);
    }

    private void Grow()
    {
        var grown = _budget.Allocate<T>((long)(_slots.Length * Growth));
        for (var slot = 0L; slot < _slots.Length; slot++)
        {
            if (!_slots[slot].Equals(default))
                Insert(grown, _slots[slot]);
        }

        _budget.Free(_slots);
        _slots = grown;
    }
}

/// <summary>What the tables may take together.</summary>
internal sealed class MemoryBudget(long bytes)
{
    /// <summary>What they take.</summary>
    public long Taken { get; private set; }

    /// <summary>Allocates a table of zeros.</summary>
    /// <exception cref="InsufficientMemoryException">It is more than there may be.</exception>
    public unsafe NativeTable<T> Allocate<T>(long length)
        where T : unmanaged
    {
        var more = checked(length * sizeof(T));
        if (Taken + more > bytes)
        {
            throw new InsufficientMemoryException(
                $"The search for duplicates needs more than its {bytes / (double)(1 << 30):0.##} GiB of memory. Raise maxMemory, or " +
                "switch off nearDuplicates or duplicateLines among the rules. Shards that are complete are kept: with a larger maxMemory " +
                "it goes on from there.");
        }

        Taken += more;
        return new NativeTable<T>(length);
    }

    /// <summary>Frees a table.</summary>
    public unsafe void Free<T>(NativeTable<T> table)
        where T : unmanaged
    {
        Taken -= table.Length * sizeof(T);
        table.Dispose();
    }
}
