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
    }

    private static void Require(bool condition, string name, object value, string range)
    {
        if (!condition)
            throw new ArgumentException($"{name} is {value}; it must be {range}");
    }
}
