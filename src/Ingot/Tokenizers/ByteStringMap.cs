using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Ingot.Tokenizers;

/// <summary>
/// Numbers distinct byte strings 0, 1, 2 … in the order of their first coming. The keys lie one after another in a single array and the
/// hash table holds their numbers, so counting or caching millions of words makes no object a word.
/// </summary>
internal sealed class ByteStringMap
{
    private struct Entry
    {
        public uint Hash;
        public int Start;
        public int Length;
    }

    // Words come from files that anybody may have written: a seed of the process's own keeps made-up collisions out.
    private static readonly ulong Seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    private int[] _slots = new int[1024]; // Entry number + 1; 0 is free.
    private Entry[] _entries = new Entry[512];
    private byte[] _bytes = new byte[4096];
    private int _byteCount;

    /// <summary>How many distinct keys there are.</summary>
    public int Count { get; private set; }

    /// <summary>The key with the number <paramref name="index"/>.</summary>
    public ReadOnlySpan<byte> this[int index] => _bytes.AsSpan(_entries[index].Start, _entries[index].Length);

    /// <summary>The sum of the keys' lengths.</summary>
    public int ByteCount => _byteCount;

    /// <summary>The key's number, or -1.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        var hash = Hash(key);
        for (var slot = hash & (uint)(_slots.Length - 1); ; slot = (slot + 1) & (uint)(_slots.Length - 1))
        {
            var index = _slots[slot] - 1;
            if (index < 0)
            {
                return -1;
            }

            ref var entry = ref _entries[index];
            if (entry.Hash == hash && entry.Length == key.Length && this[index].SequenceEqual(key))
            {
                return index;
            }
        }
    }

    /// <summary>The key's number, a new one if it was not there yet.</summary>
    /// <exception cref="InvalidOperationException">The keys would take more than 2 GiB.</exception>
    public int FindOrAdd(ReadOnlySpan<byte> key, out bool added)
    {
        var index = Find(key);
        added = index < 0;
        return added ? Add(key) : index;
    }

    /// <summary>Forgets all keys and keeps the memory.</summary>
    public void Clear()
    {
        Array.Clear(_slots);
        Count = 0;
        _byteCount = 0;
    }

    private int Add(ReadOnlySpan<byte> key)
    {
        if (key.Length > Array.MaxLength - _byteCount || Count == Array.MaxLength / 4)
        {
            throw new InvalidOperationException("The distinct words take more than 2 GiB. Use a sample of the text.");
        }

        if (_byteCount + key.Length > _bytes.Length)
        {
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(2L * _bytes.Length, (long)_byteCount + key.Length)));
        }

        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, 2 * _entries.Length);
            Rehash(2 * _entries.Length);
        }

        var hash = Hash(key);
        key.CopyTo(_bytes.AsSpan(_byteCount));
        _entries[Count] = new Entry { Hash = hash, Start = _byteCount, Length = key.Length };
        _byteCount += key.Length;
        Insert(hash, ++Count);
        return Count - 1;
    }

    private void Rehash(int slots)
    {
        _slots = new int[slots];
        for (var i = 0; i < Count; i++)
        {
            Insert(_entries[i].Hash, i + 1);
        }
    }

    private void Insert(uint hash, int number)
    {
        var slot = hash & (uint)(_slots.Length - 1);
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        _slots[slot] = number;
    }

    // Eight bytes a step through a 64×64→128-bit multiplication, the two halves folded together.
    private static uint Hash(ReadOnlySpan<byte> key)
    {
        var hash = Seed ^ (ulong)key.Length;
        while (key.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(key));
            key = key[8..];
        }

        var tail = 0UL;
        for (var i = 0; i < key.Length; i++)
        {
            tail |= (ulong)key[i] << (8 * i);
        }

        hash = Mix(hash ^ tail);
        return (uint)(hash >> 32);
    }

    private static ulong Mix(ulong x)
    {
        var high = Math.BigMul(x, 0x9E3779B97F4A7C15UL, out var low);
        return BitOperations.RotateLeft(high, 32) ^ low;
    }
}
