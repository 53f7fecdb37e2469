namespace Ingot.Tests.Fuzzing;

/// <summary>A small generator (SplitMix64) whose numbers stay the same whatever the version of .NET.</summary>
internal sealed class FuzzRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="limit"/> − 1.</summary>
    public int Next(int limit) => (int)(Next() % (ulong)limit);

    public T Of<T>(T[] choices) => choices[Next(choices.Length)];
}
