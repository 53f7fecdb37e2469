using Ingot.Data;

namespace Ingot.Generation;

/// <summary>Logits as probabilities, in double precision, and draws from them.</summary>
internal static class Probabilities
{
    /// <summary>The softmax; logits of −∞ have probability 0. One at least must be finite.</summary>
    public static double[] Of(ReadOnlySpan<float> logits)
    {
        double greatest = logits[MostLikely(logits)];
        var probabilities = new double[logits.Length];
        double total = 0;
        for (var id = 0; id < probabilities.Length; id++)
            total += probabilities[id] = Math.Exp(logits[id] - greatest);
        for (var id = 0; id < probabilities.Length; id++)
            probabilities[id] /= total;
        return probabilities;
    }

    /// <summary>The greatest logit's token, the first among equals.</summary>
    public static int MostLikely(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var id = 1; id < logits.Length; id++)
        {
            if (logits[id] > logits[best])
                best = id;
        }

        return best;
    }

    /// <summary>A token drawn from the logits: always the same one for the same seed and step.</summary>
    public static int Draw(ReadOnlySpan<float> logits, long seed, long step)
    {
        var probabilities = Of(logits);
        var left = (CounterRandom.At((ulong)seed, (ulong)step) >> 11) * (1.0 / (1L << 53));
        var drawn = 0;
        for (var id = 0; id < probabilities.Length; id++)
        {
            if (probabilities[id] == 0)
                continue;
            drawn = id;
            left -= probabilities[id];
            if (left < 0)
                break;
        }

        return drawn;
    }
}
