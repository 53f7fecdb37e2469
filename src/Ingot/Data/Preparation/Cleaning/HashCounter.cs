using System.Numerics;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Counts hashes: a table of open addresses that is emptied and used again.</summary>
internal sealed class HashCounter
{
    private ulong[] _keys = [];
    private int[] _counts = [];
    private int _mask;

    /// <summary>Empties the table and makes room for so many different hashes.</summary>
    public void Reset(int most)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * most));
        if (_keys.Length < size)
        {
            _keys = new ulong[size];
            _counts = new int[size];
        }
        else
        {
            Array.Clear(_keys, 0, size);
        }

        _mask = size - 1;
    }

    /// <summary>Counts a hash; says how often it has come by now.</summary>
    public int Add(ulong hash)
    {
        hash = hash == 0 ? 1 : hash;
        for (var slot = (int)(hash >> 20) & _mask; ; slot = (slot + 1) & _mask)
        {
            if (_keys[slot] == hash)
                return ++_counts[slot];
            if (_keys[slot] == 0)
            {
                _keys[slot] = hash;
                return _counts[slot] = 1;
            }
        }
    }
}
