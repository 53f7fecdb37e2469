using System.Runtime.InteropServices;

namespace Ingot.Generation;

/// <summary>
/// Changes of logits before a token is drawn, each in place. Penalties move the logits of tokens that are there already; filters
/// set those of tokens that shall not be drawn to −∞ and leave the others as they are. Tokens of equal rank count in the order of
/// their ids, as the op <c>sample</c> has it.
/// </summary>
internal static class LogitsProcessors
{
    /// <summary>
    /// How far sums of probabilities may fall short of what is asked: the rounding of fp32 logits, so that .5 and .3 make .8.
    /// </summary>
    private const double Slack = 1e-6;

    /// <summary>Divides positive logits of the tokens that were seen, and multiplies negative ones; 1 changes nothing.</summary>
    public static void RepetitionPenalty(Span<float> logits, ReadOnlySpan<int> seen, double penalty)
    {
        if (penalty == 1)
            return;
        foreach (var id in Counts(seen).Keys)
            logits[id] = (float)(logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty);
    }

    /// <summary>Takes <paramref name="presence"/> once and <paramref name="frequency"/> each time from the logits of tokens written.</summary>
    public static void PresenceAndFrequency(Span<float> logits, ReadOnlySpan<int> written, double presence, double frequency)
    {
        if (presence == 0 && frequency == 0)
            return;
        foreach (var (id, count) in Counts(written))
            logits[id] = (float)(logits[id] - presence - (frequency * count));
    }

    /// <summary>Leaves out tokens that would end a sequence of <paramref name="size"/> tokens that is there already; 0 for none.</summary>
    public static void NoRepeatNgrams(Span<float> logits, ReadOnlySpan<int> tokens, int size)
    {
        if (size == 0 || tokens.Length < size)
            return;
        var end = tokens[(tokens.Length - size + 1)..];
        for (var i = 0; i + size <= tokens.Length; i++)
        {
            if (tokens.Slice(i, size - 1).SequenceEqual(end))
                logits[tokens[i + size - 1]] = float.NegativeInfinity;
        }
    }

    /// <summary>Keeps the k most likely tokens; 0 keeps all.</summary>
    public static void TopK(Span<float> logits, int k, int minTokensToKeep = 1)
    {
        if (k > 0)
            KeepFirst(logits, Ranked(logits, Falling(logits)), Math.Max(k, minTokensToKeep));
    }

    /// <summary>Keeps the most likely tokens that together have the probability <paramref name="mass"/>; 1 keeps all.</summary>
    public static void TopP(Span<float> logits, double mass, int minTokensToKeep = 1)
    {
        if (mass >= 1)
            return;
        var ids = Ranked(logits, Falling(logits));
        KeepFirst(logits, ids, Math.Max(Reach(Probabilities.Of(logits), ids, mass), minTokensToKeep));
    }

    /// <summary>Leaves out tokens less likely than <paramref name="share"/> of the most likely one; 0 keeps all.</summary>
    public static void MinP(Span<float> logits, double share, int minTokensToKeep = 1)
    {
        if (share <= 0)
            return;
        var probabilities = Probabilities.Of(logits);
        var least = share * probabilities.Max();
        var ids = Ranked(logits, Falling(logits));
        var kept = ids.TakeWhile(id => probabilities[id] >= least).Count();
        KeepFirst(logits, ids, Math.Max(kept, minTokensToKeep));
    }

    /// <summary>
    /// Locally typical sampling (Meister and others 2022): keeps the tokens whose information −log p is nearest to its mean, the
    /// entropy, and that together have the probability <paramref name="mass"/>; 1 keeps all.
    /// </summary>
    public static void TypicalP(Span<float> logits, double mass, int minTokensToKeep = 1)
    {
        if (mass >= 1)
            return;
        var probabilities = Probabilities.Of(logits);
        var entropy = -probabilities.Sum(p => p > 0 ? p * Math.Log(p) : 0);
        // Narrowed to fp32, distances that differ by rounding only are equal.
        float[] distances = [.. probabilities.Select(p => (float)Math.Abs(-Math.Log(p) - entropy))];
        var ids = Ranked(logits, distances);
        KeepFirst(logits, ids, Math.Max(Reach(probabilities, ids, mass), minTokensToKeep));
    }

    /// <summary>How many of the first tokens it takes to have the probability <paramref name="mass"/>.</summary>
    private static int Reach(double[] probabilities, int[] ids, double mass)
    {
        double reached = 0;
        for (var count = 0; count < ids.Length; count++)
        {
            reached += probabilities[ids[count]];
            if (reached >= mass - Slack)
                return count + 1;
        }

        return ids.Length;
    }

    private static void KeepFirst(Span<float> logits, int[] ids, int count)
    {
        foreach (var id in ids.AsSpan(Math.Min(count, ids.Length)))
            logits[id] = float.NegativeInfinity;
    }

    /// <summary>The tokens that are not left out yet, by rising <paramref name="rank"/>.</summary>
    private static int[] Ranked(ReadOnlySpan<float> logits, float[] rank)
    {
        var keys = new List<ulong>(logits.Length);
        for (var id = 0; id < logits.Length; id++)
        {
            if (!float.IsNegativeInfinity(logits[id]))
                keys.Add((ulong)Rising(rank[id]) << 32 | (uint)id);
        }

        keys.Sort();
        return [.. keys.Select(key => (int)(uint)key)];
    }

    /// <summary>A number that rises with the value: numbers sort many times faster than pairs.</summary>
    private static uint Rising(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value + 0f); // -0 becomes 0, its equal.
        return (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
    }

    private static float[] Falling(ReadOnlySpan<float> logits)
    {
        var rank = new float[logits.Length];
        for (var id = 0; id < rank.Length; id++)
            rank[id] = -logits[id];
        return rank;
    }

    private static Dictionary<int, int> Counts(ReadOnlySpan<int> tokens)
    {
        var counts = new Dictionary<int, int>();
        foreach (var id in tokens)
            CollectionsMarshal.GetValueRefOrAddDefault(counts, id, out _)++;
        return counts;
    }
}
