namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// Finds, among the documents that were kept, those similar to another one. A table for each band goes from a band's hash to the numbers of
/// documents: a slot has 32 bits of each, at most four fifths of the slots are taken, and tables grow by 15 %, so that a document takes 10
/// to 11.5 bytes for each band. Signatures are compared from the disk.
/// </summary>
internal sealed class NearDuplicateIndex : IDisposable
{
    private const double Fullest = 0.8, Growth = 1.15;

    // Documents that share a band and yet are not similar, such as forms filled in: beyond so many, others are not noted or compared.
    private const int MostOfAKey = 32;

    private readonly Banding _banding;
    private readonly int _leastEqual;
    private readonly SignatureFile _signatures;
    private readonly MemoryBudget _budget;
    private readonly NativeTable<ulong>[] _tables; // Hash in the upper half; in the lower the number plus one, so that zero is a free slot.
    private readonly ushort[] _other = new ushort[MinHash.Length];
    private readonly HashSet<long> _candidates = [];
    private long _count;

    /// <summary>Begins empty.</summary>
    public NearDuplicateIndex(double threshold, SignatureFile signatures, MemoryBudget budget)
    {
        _banding = Banding.For(threshold);
        _leastEqual = (int)Math.Ceiling((threshold * MinHash.Length) - 1e-9);
        _signatures = signatures;
        _budget = budget;
        _tables = [.. Enumerable.Range(0, _banding.Bands).Select(_ => budget.Allocate<ulong>(1 << 12))];
    }

    /// <summary>The 16 bits that are kept of each value.</summary>
    public static void Shorten(ReadOnlySpan<uint> signature, Span<ushort> values)
    {
        for (var i = 0; i < signature.Length; i++)
            values[i] = (ushort)signature[i];
    }

    /// <summary>The estimated similarity of the most similar document before, if it reaches the threshold; null if none does.</summary>
    public double? Find(ReadOnlySpan<ushort> signature)
    {
        _candidates.Clear();
        for (var band = 0; band < _banding.Bands; band++)
        {
            var table = _tables[band];
            var key = _banding.Key(signature, band) >> 32;
            for (var slot = SlotOf(key, table.Length); table[slot] is var item && item != 0; slot = Next(slot, table.Length))
            {
                if (item >> 32 == key)
                    _candidates.Add((uint)item - 1L);
            }
        }

        var best = 0;
        foreach (var candidate in _candidates)
        {
            _signatures.Read(candidate, _other);
            best = Math.Max(best, CountEqual(signature, _other));
        }

        return best >= _leastEqual ? best / (double)MinHash.Length : null;
    }

    /// <summary>Notes a document that is kept under its number in the file of signatures.</summary>
    /// <exception cref="InsufficientMemoryException">The tables have outgrown their memory.</exception>
    public void Add(long number, ReadOnlySpan<ushort> signature)
    {
        var item = checked((uint)(number + 1));
        if (_count >= Fullest * _tables[0].Length)
            Grow();
        for (var band = 0; band < _banding.Bands; band++)
            Insert(_tables[band], (_banding.Key(signature, band) >> 32 << 32) | item);
        _count++;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var table in _tables)
            table.Dispose();
    }

    private static int CountEqual(ReadOnlySpan<ushort> a, ReadOnlySpan<ushort> b)
    {
        var equal = 0;
        for (var i = 0; i < a.Length; i++)
            equal += a[i] == b[i] ? 1 : 0;
        return equal;
    }

    private static long SlotOf(ulong key, long length) => (long)((key * (ulong)length) >> 32);

    private static long Next(long slot, long length) => slot + 1 == length ? 0 : slot + 1;

    private static void Insert(NativeTable<ulong> table, ulong item)
    {
        var slot = SlotOf(item >> 32, table.Length);
        for (var same = 0; table[slot] != 0; slot = Next(slot, table.Length))
        {
            if (table[slot] >> 32 == item >> 32 && ++same == MostOfAKey)
                return;
        }

        table[slot] = item;
    }

    // One band after the other, so that only one is there twice.
    private void Grow()
    {
        for (var band = 0; band < _banding.Bands; band++)
        {
            var old = _tables[band];
            var grown = _budget.Allocate<ulong>((long)(old.Length * Growth));
            for (var slot = 0L; slot < old.Length; slot++)
            {
                if (old[slot] != 0)
                    Insert(grown, old[slot]);
            }

            _budget.Free(old);
            _tables[band] = grown;
        }
    }
}
