using System.IO.Hashing;
using System.Text;

namespace Ingot.Graphs;

/// <summary>
/// Random numbers from SplitMix64 (Steele et al. 2014), keyed by a seed and a name: a parameter's start
/// does not depend on which others there are.
/// </summary>
internal sealed class RandomNumbers(ulong seed, string name)
{
    private ulong _state = seed ^ XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(name));

    /// <summary>Normal variates with mean 0, by Box and Muller.</summary>
    public void FillNormal(Span<float> values, double standardDeviation)
    {
        for (var i = 0; i < values.Length; i += 2)
        {
            // (0, 1]: the logarithm stays finite.
            var u = ((Next() >> 11) + 1) / 9007199254740992.0;
            var v = (Next() >> 11) / 9007199254740992.0;
            var radius = standardDeviation * Math.Sqrt(-2 * Math.Log(u));
            var (sin, cos) = Math.SinCos(2 * Math.PI * v);
            values[i] = (float)(radius * cos);
            if (i + 1 < values.Length)
                values[i + 1] = (float)(radius * sin);
        }
    }

    /// <summary>Variates between -bound and bound.</summary>
    public void FillUniform(Span<float> values, double bound)
    {
        foreach (ref var value in values)
            value = (float)(bound * (((Next() >> 11) / 4503599627370496.0) - 1));
    }

    private ulong Next()
    {
        var z = _state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
