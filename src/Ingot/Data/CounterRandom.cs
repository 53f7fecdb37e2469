namespace Ingot.Data;

/// <summary>
/// Random numbers as a function of a seed and a counter, so that the state of a stream is one number, and any number of it can be had at
/// once. The mixing is that of SplitMix64 (Steele, Lea and Flood 2014), which will not change under us as System.Random may.
/// </summary>
internal static class CounterRandom
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    /// <summary>The number at <paramref name="index"/> of the stream of <paramref name="seed"/>.</summary>
    public static ulong At(ulong seed, ulong index) => Mix(Mix(seed + Golden) + (Golden * index));

    /// <summary>
    /// The same, evenly spread over 0 … bound − 1 (to one part in 2^64 / bound), for a bound of at least 1.
    /// </summary>
    public static long Below(long bound, ulong seed, ulong index) => (long)Math.BigMul(At(seed, index), (ulong)bound, out _);

    private static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
