using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// Locality-sensitive hashing: a signature is cut into bands of rows; two documents are compared if they agree in all rows of a band, which
/// happens with probability 1 − (1 − s^rows)^bands where their similarity is s.
/// </summary>
/// <param name="Bands">How many bands.</param>
/// <param name="Rows">Values of a band.</param>
internal readonly record struct Banding(int Bands, int Rows)
{
    // What is compared by mistake is found out by the signatures; what is not compared is lost.
    private const double LeastRecall = 0.9;

    /// <summary>The longest bands, and so the fewest comparisons and the least memory, that find nine in ten pairs at the threshold
    /// itself.</summary>
    public static Banding For(double threshold)
    {
        for (var rows = MinHash.Length; rows > 1; rows--)
        {
            var banding = new Banding(MinHash.Length / rows, rows);
            if (banding.Recall(threshold) >= LeastRecall)
                return banding;
        }

        return new Banding(MinHash.Length, 1);
    }

    /// <summary>The probability that two documents of a similarity are compared.</summary>
    public double Recall(double similarity) => 1 - Math.Pow(1 - Math.Pow(similarity, Rows), Bands);

    /// <summary>A hash of a band of a signature.</summary>
    public ulong Key(ReadOnlySpan<ushort> signature, int band) =>
        XxHash3.HashToUInt64(MemoryMarshal.AsBytes(signature.Slice(band * Rows, Rows)), band);
}
