using System.Numerics;
using System.Runtime.InteropServices;
using Ingot.Data.Preparation.Cleaning;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// MinHash (Broder 1997) of the set of a text's shingles, five words in a row: for each of 128 hash functions the smallest value that a
/// shingle has. Two sets agree in a place of the signature with the probability of their Jaccard similarity.
/// </summary>
internal sealed class MinHash
{
    /// <summary>Words of a shingle.</summary>
    public const int ShingleWords = 5;

    /// <summary>Values of a signature.</summary>
    public const int Length = 128;

    // h_i(x) = a_i · x + b_i modulo 2^32, a_i odd: each a permutation of the 32 bits that a shingle's hash has.
    private static readonly uint[] Factors = MakeConstants(odd: true);
    private static readonly uint[] Offsets = MakeConstants(odd: false);

    private readonly uint[] _lowest = new uint[Length];

    /// <summary>The signature of a text; null if it has no words. A text of fewer words than a shingle has is one shingle.</summary>
    public uint[]? Sign(WordList words)
    {
        if (words.TermCount == 0)
            return null;
        Array.Fill(_lowest, uint.MaxValue);
        for (var shingles = new Ngrams(words.Terms, Math.Min(ShingleWords, words.TermCount)); shingles.MoveNext();)
            Add((uint)(shingles.Hash >> 32));
        return (uint[])_lowest.Clone();
    }

    private static uint[] MakeConstants(bool odd)
    {
        // The numbers are a part of the format of an unfinished preparation.
        var constants = new uint[Length];
        for (var i = 0; i < Length; i++)
        {
            var value = ((ulong)i * 2 + (odd ? 1u : 2u)) * 0x9E3779B97F4A7C15;
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            constants[i] = (uint)(value >> 32) | (odd ? 1u : 0);
        }

        return constants;
    }

    private void Add(uint shingle)
    {
        var factors = MemoryMarshal.Cast<uint, Vector<uint>>(Factors);
        var offsets = MemoryMarshal.Cast<uint, Vector<uint>>(Offsets);
        var lowest = MemoryMarshal.Cast<uint, Vector<uint>>(_lowest.AsSpan());
        var value = new Vector<uint>(shingle);
        for (var i = 0; i < lowest.Length; i++)
            lowest[i] = Vector.Min(lowest[i], (value * factors[i]) + offsets[i]);
    }
}
