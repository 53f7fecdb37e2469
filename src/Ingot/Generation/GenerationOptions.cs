namespace Ingot.Generation;

/// <summary>How tokens are drawn, under the names of Hugging Face's generation_config.json.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to write.</summary>
    public int MaxNewTokens { get; init; } = 200;

    /// <summary>Divides the logits; 0 always takes the most likely token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Draws among the k most likely tokens only; 0 for all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Draws among the most likely tokens that together have this probability; 1 for all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Leaves out tokens less likely than this share of the most likely one; 0 for none.</summary>
    public double MinP { get; init; }

    /// <summary>
    /// Draws among the tokens whose information is nearest to the mean, as far as they together have this probability; 1 for all.
    /// </summary>
    public double TypicalP { get; init; } = 1;

    /// <summary>
    /// Divides positive logits of tokens of the prompt and of the text, and multiplies negative ones: above 1 repetition is less
    /// likely, below 1 more; 1 changes nothing.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Is taken once from the logits of tokens that were written; the prompt does not count. 0 changes nothing.</summary>
    public double PresencePenalty { get; init; }

    /// <summary>Is taken from a token's logit for each time it was written; the prompt does not count. 0 changes nothing.</summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>No sequence of so many tokens comes twice in prompt and text; 0 for no such limit.</summary>
    public int NoRepeatNgramSize { get; init; }

    /// <summary>Strings at which the text ends; they are not written themselves. Token ids from <see cref="Decoder"/> do not heed them.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Seed of the draws; the same seed writes the same text.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Throws an <see cref="ArgumentException"/> that names the setting which is out of range.</summary>
    public void Validate()
    {
        Require(MaxNewTokens >= 1, "maxNewTokens", MaxNewTokens, "1 or more");
        Require(Temperature >= 0 && double.IsFinite(Temperature), "temperature", Temperature, "0 or more");
        Require(TopK >= 0, "topK", TopK, "0 (all) or more");
        Require(TopP is > 0 and <= 1, "topP", TopP, "above 0 and at most 1");
        Require(MinP is >= 0 and < 1, "minP", MinP, "at least 0 and below 1");
        Require(TypicalP is > 0 and <= 1, "typicalP", TypicalP, "above 0 and at most 1");
        Require(RepetitionPenalty is >= 0.01 and <= 100, "repetitionPenalty", RepetitionPenalty, "from 0.01 to 100, 1 for none");
        Require(PresencePenalty is >= -100 and <= 100, "presencePenalty", PresencePenalty, "from -100 to 100, 0 for none");
        Require(FrequencyPenalty is >= -100 and <= 100, "frequencyPenalty", FrequencyPenalty, "from -100 to 100, 0 for none");
        Require(NoRepeatNgramSize >= 0, "noRepeatNgramSize", NoRepeatNgramSize, "0 (no limit) or more");
        Require(!Stop.Any(string.IsNullOrEmpty), "stop", "\"\"", "one character or more");
    }

    private static void Require(bool condition, string name, object value, string range)
    {
        if (!condition)
            throw new ArgumentException($"{name} is {value}; it must be {range}");
    }
}
