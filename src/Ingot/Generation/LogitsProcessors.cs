using System.Runtime.InteropServices;

namespace Ingot.Generation;

/// <summary>What processors may look at besides the logits.</summary>
/// <param name="tokens">Prompt and what was written.</param>
/// <param name="promptLength">How many of them are the prompt.</param>
/// <param name="maxNewTokens">Most tokens to write.</param>
/// <param name="ends">Ids that end a text.</param>
internal readonly ref struct LogitsContext(ReadOnlySpan<int> tokens, int promptLength, int maxNewTokens, IReadOnlyList<int> ends)
{
    public ReadOnlySpan<int> Tokens { get; } = tokens;

    public int PromptLength { get; } = promptLength;

    public int MaxNewTokens { get; } = maxNewTokens;

    public IReadOnlyList<int> Ends { get; } = ends;

    public int Written => Tokens.Length - PromptLength;
}

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

    /// <summary>Whether one of those that <see cref="Apply"/> applies is on.</summary>
    public static bool AreNeeded(GenerationOptions options) =>
        options.RepetitionPenalty != 1 || options.PresencePenalty != 0 || options.FrequencyPenalty != 0 || options.NoRepeatNgramSize != 0
        || options.SequenceBias.Count > 0 || options.BadWordsIds.Count > 0 || options.MinLength > 0 || options.MinNewTokens > 0
        || options.ForcedBosTokenId is not null || options.ForcedEosTokenIds.Count > 0 || options.SuppressTokens.Count > 0
        || options.BeginSuppressTokens.Count > 0;

    /// <summary>All that come before temperature, in the order of Hugging Face Transformers.</summary>
    /// <exception cref="ArgumentException">They leave no token; the message says which settings rule out some.</exception>
    public static void Apply(Span<float> logits, LogitsContext context, GenerationOptions options)
    {
        foreach (var bias in options.SequenceBias)
            Bias(logits, context.Tokens, bias.Ids, (float)bias.Bias);
        RepetitionPenalty(logits, context.Tokens, options.RepetitionPenalty);
        PresenceAndFrequency(logits, context.Tokens[context.PromptLength..], options.PresencePenalty, options.FrequencyPenalty);
        NoRepeatNgrams(logits, context.Tokens, options.NoRepeatNgramSize);
        foreach (var ids in options.BadWordsIds)
        {
            // One that is the end of the text only would let no text end.
            if (ids.Count > 1 || !context.Ends.Contains(ids[0]))
                Bias(logits, context.Tokens, ids, float.NegativeInfinity);
        }

        if (context.Tokens.Length < options.MinLength || context.Written < options.MinNewTokens)
            Suppress(logits, context.Ends);
        if (context.Tokens.Length == 1 && options.ForcedBosTokenId is { } bos)
            Force(logits, [bos]);
        if (context.Written == context.MaxNewTokens - 1 && options.ForcedEosTokenIds.Count > 0)
            Force(logits, options.ForcedEosTokenIds);
        Suppress(logits, options.SuppressTokens);
        if (context.Written == 0)
            Suppress(logits, options.BeginSuppressTokens);

        if (float.IsNegativeInfinity(logits[Probabilities.MostLikely(logits)]))
        {
            throw new ArgumentException($"after {context.Tokens.Length} tokens every token is ruled out by {RuledOutBy(options)}: "
                + "loosen one of them, or write fewer tokens");
        }
    }

    private static string RuledOutBy(GenerationOptions options)
    {
        (bool IsOn, string Name)[] settings =
        [
            (options.NoRepeatNgramSize > 0, $"noRepeatNgramSize {options.NoRepeatNgramSize}"),
            (options.SequenceBias.Count > 0, "sequenceBias"),
            (options.BadWordsIds.Count > 0, "badWordsIds"),
            (options.MinLength > 0, "minLength"),
            (options.MinNewTokens > 0, "minNewTokens"),
            (options.ForcedBosTokenId is not null, "forcedBosTokenId"),
            (options.ForcedEosTokenIds.Count > 0, "forcedEosTokenId"),
            (options.SuppressTokens.Count > 0, "suppressTokens"),
            (options.BeginSuppressTokens.Count > 0, "beginSuppressTokens"),
        ];
        return string.Join(", ", settings.Where(setting => setting.IsOn).Select(setting => setting.Name));
    }

    /// <summary>Adds a bias to the last token of a sequence of tokens where the others have just been written.</summary>
    public static void Bias(Span<float> logits, ReadOnlySpan<int> tokens, IReadOnlyList<int> ids, float bias)
    {
        if (tokens.Length < ids.Count - 1)
            return;
        for (var i = 0; i < ids.Count - 1; i++)
        {
            if (tokens[tokens.Length - ids.Count + 1 + i] != ids[i])
                return;
        }

        logits[ids[^1]] += bias;
    }

    /// <summary>Leaves out these tokens.</summary>
    public static void Suppress(Span<float> logits, IReadOnlyList<int> ids)
    {
        foreach (var id in ids)
            logits[id] = float.NegativeInfinity;
    }

    /// <summary>Leaves these tokens only, all equally likely.</summary>
    public static void Force(Span<float> logits, IReadOnlyList<int> ids)
    {
        logits.Fill(float.NegativeInfinity);
        foreach (var id in ids)
            logits[id] = 0;
    }

    /// <summary>Divides positive logits of the tokens that were seen, and multiplies negative ones; 1 changes nothing.</summary>
    public static void RepetitionPenalty(Span<float> logits, ReadOnlySpan<int> seen, double penalty)
    {
        if (penalty == 1)
            return;
        foreach (var id in Counts(seen).Keys)
            logits[id] = (float)(logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty);
    }

    /// <summary>
    /// Takes <paramref name="presence"/> once and <paramref name="frequency"/> each time from the logits of tokens written.
    /// </summary>
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
        if (k == 0 || Math.Max(k, minTokensToKeep) >= logits.Length)
            return;

        var kept = Greatest(logits, Math.Max(k, minTokensToKeep)).ToHashSet();
        for (var id = 0; id < logits.Length; id++)
        {
            if (!kept.Contains(id))
                logits[id] = float.NegativeInfinity;
        }
    }

    /// <summary>The tokens of the greatest logits, in falling order.</summary>
    public static int[] Greatest(ReadOnlySpan<float> logits, int count)
    {
        // The last of those kept is on top; most tokens come behind it and cost one comparison.
        var first = new PriorityQueue<int, ulong>(count + 1, Comparer<ulong>.Create((a, b) => b.CompareTo(a)));
        for (var id = 0; id < logits.Length; id++)
        {
            var key = ((ulong)Rising(-logits[id]) << 32) | (uint)id;
            if (first.Count < count)
                first.Enqueue(id, key);
            else if (first.TryPeek(out _, out var last) && key < last)
                first.DequeueEnqueue(id, key);
        }

        return [.. first.UnorderedItems.OrderBy(item => item.Priority).Select(item => item.Element)];
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
        KeepLikely(logits, probabilities, share * probabilities.Max(), minTokensToKeep);
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
        var entropy = Entropy(probabilities);
        // Narrowed to fp32, distances that differ by rounding only are equal.
        float[] distances = [.. probabilities.Select(p => (float)Math.Abs(-Math.Log(p) - entropy))];
        var ids = Ranked(logits, distances);
        KeepFirst(logits, ids, Math.Max(Reach(probabilities, ids, mass), minTokensToKeep));
    }

    /// <summary>Leaves out tokens less likely than <paramref name="epsilon"/> (Hewitt and others 2022); 0 keeps all.</summary>
    public static void EpsilonCutoff(Span<float> logits, double epsilon, int minTokensToKeep = 1)
    {
        if (epsilon > 0)
            KeepLikely(logits, Probabilities.Of(logits), epsilon, minTokensToKeep);
    }

    /// <summary>
    /// Leaves out tokens less likely than the smaller of <paramref name="epsilon"/> and √epsilon · exp(−entropy) (Hewitt and others
    /// 2022); 0 keeps all.
    /// </summary>
    public static void EtaCutoff(Span<float> logits, double epsilon, int minTokensToKeep = 1)
    {
        if (epsilon <= 0)
            return;
        var probabilities = Probabilities.Of(logits);
        KeepLikely(logits, probabilities, Math.Min(epsilon, Math.Sqrt(epsilon) * Math.Exp(-Entropy(probabilities))), minTokensToKeep);
    }

    private static double Entropy(double[] probabilities) => -probabilities.Sum(p => p > 0 ? p * Math.Log(p) : 0);

    private static void KeepLikely(Span<float> logits, double[] probabilities, double least, int minTokensToKeep)
    {
        var ids = Ranked(logits, Falling(logits));
        KeepFirst(logits, ids, Math.Max(ids.TakeWhile(id => probabilities[id] >= least).Count(), minTokensToKeep));
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
