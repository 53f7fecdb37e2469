namespace Ingot.Generation;

/// <summary>Draws tokens with the settings that the op <c>sample</c> does not have, which need the tokens so far.</summary>
internal static class HostSampler
{
    /// <summary>Whether one of these settings is on.</summary>
    public static bool IsNeeded(GenerationOptions options) =>
        options.RepetitionPenalty != 1 || options.PresencePenalty != 0 || options.FrequencyPenalty != 0
        || options.NoRepeatNgramSize != 0 || options.TypicalP != 1;

    /// <summary>The next token: penalties, temperature and filters in the order of Hugging Face's libraries, then the draw.</summary>
    /// <param name="logits">What the model says, all finite; changed.</param>
    /// <param name="tokens">All tokens so far.</param>
    /// <param name="promptLength">How many of them are the prompt.</param>
    /// <param name="options">The settings.</param>
    /// <param name="step">Number of the draw.</param>
    public static int Next(Span<float> logits, ReadOnlySpan<int> tokens, int promptLength, GenerationOptions options, long step)
    {
        LogitsProcessors.RepetitionPenalty(logits, tokens, options.RepetitionPenalty);
        LogitsProcessors.PresenceAndFrequency(logits, tokens[promptLength..], options.PresencePenalty, options.FrequencyPenalty);
        LogitsProcessors.NoRepeatNgrams(logits, tokens, options.NoRepeatNgramSize);
        var best = Probabilities.MostLikely(logits);
        if (float.IsNegativeInfinity(logits[best]))
        {
            throw new ArgumentException(
                $"noRepeatNgramSize is {options.NoRepeatNgramSize}, but after {tokens.Length} tokens every token would repeat: " +
                "take a greater one, 0 for none, or fewer maxNewTokens");
        }

        if (options.Temperature == 0)
            return best;

        // From the greatest, so that a low temperature cannot make it infinite.
        var greatest = logits[best];
        for (var id = 0; id < logits.Length; id++)
            logits[id] = (float)((logits[id] - greatest) / options.Temperature);
        LogitsProcessors.TopK(logits, options.TopK);
        LogitsProcessors.TopP(logits, options.TopP);
        LogitsProcessors.MinP(logits, options.MinP);
        LogitsProcessors.TypicalP(logits, options.TypicalP);
        return Probabilities.Draw(logits, options.Seed, step);
    }
}
