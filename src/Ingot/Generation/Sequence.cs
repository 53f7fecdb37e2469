namespace Ingot.Generation;

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>The model wrote an end-of-text token, or a stop string came.</summary>
    Stop,

    /// <summary>As many tokens as allowed were written.</summary>
    Length,
}

/// <summary>A sequence of tokens that is being written on.</summary>
/// <param name="prompt">What it begins with, one token at least; sequences with sources of their own have prompts of their own.</param>
/// <param name="seed">Seed of its draws.</param>
/// <param name="maxNewTokens">Most tokens to write.</param>
internal sealed class Sequence(IReadOnlyList<int> prompt, long seed, int maxNewTokens)
{
    /// <summary>What it began with; sequences of one prompt share it.</summary>
    public IReadOnlyList<int> Prompt { get; } = prompt;

    /// <summary>What the encoder reads for it; null where the model has no encoder.</summary>
    public IReadOnlyList<int>? Source { get; init; }

    /// <summary>Seed of its draws: with the number of the token it decides what is drawn, whatever else is being written.</summary>
    public long Seed { get; } = seed;

    /// <summary>Prompt and what was written.</summary>
    public List<int> Tokens { get; } = [.. prompt];

    /// <summary>How many of the prompt's tokens the decoder had read already, for the text before.</summary>
    public int Held { get; set; }

    /// <summary>How many tokens were written.</summary>
    public int Written => Tokens.Count - Prompt.Count;

    /// <summary>Most tokens to write.</summary>
    public int MaxNewTokens { get; } = maxNewTokens;

    /// <summary>The first token that the model still sees; above 0 when the context was full.</summary>
    public int Start { get; set; }

    /// <summary>Why it ended; null while it goes on.</summary>
    public FinishReason? Ending { get; private set; }

    /// <summary>Ends it; an end that the text itself has counts more than one that it is given.</summary>
    public void End(FinishReason reason) => Ending = Ending is FinishReason.Stop ? Ending : reason;
}
