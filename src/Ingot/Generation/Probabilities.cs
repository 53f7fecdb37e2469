namespace Ingot.Generation;

/// <summary>Logits as probabilities, in double precision.</summary>
internal static class Probabilities
{
    /// <summary>The softmax; logits of −∞ have probability 0. One at least must be finite.</summary>
    public static double[] Of(ReadOnlySpan<float> logits)
    {
        double greatest = logits[MostLikely(logits)];
        var probabilities = new double[logits.Length];
        double total = 0;
        for (var id = 0; id < probabilities.Length; id++)
        {
            if (!float.IsNegativeInfinity(logits[id]))
                total += probabilities[id] = Math.Exp(logits[id] - greatest);
        }

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

    /// <summary>Makes logits logarithms of probabilities, in place.</summary>
    public static void LogSoftmax(Span<float> logits)
    {
        double greatest = logits[MostLikely(logits)];
        double total = 0;
        foreach (var logit in logits)
        {
            if (!float.IsNegativeInfinity(logit))
                total += Math.Exp(logit - greatest);
        }

        var logTotal = greatest + Math.Log(total);
        for (var id = 0; id < logits.Length; id++)
            logits[id] = (float)(logits[id] - logTotal);
    }
}
