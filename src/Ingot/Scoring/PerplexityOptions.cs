using Ingot.Chat;
using Ingot.Data;

namespace Ingot.Scoring;

/// <summary>How the perplexity of a model is measured.</summary>
public sealed record PerplexityOptions
{
    /// <summary>Tokens of a window; 0 for as many as the model has positions.</summary>
    public int MaxLength { get; init; }

    /// <summary>How many tokens later the next window begins; 0 for half of a window.</summary>
    public int Stride { get; init; }

    /// <summary>Whether each document is scored by itself; otherwise they follow one another, with the end-of-text token between.</summary>
    public bool SeparateDocuments { get; init; }

    /// <summary>
    /// Whether texts begin after the tokenizer's first token (or else its end-of-text token), so that their own first token has a
    /// likelihood, too. Examples never do: they are scored as they are learnt.
    /// </summary>
    public bool AddPrefix { get; init; } = true;

    /// <summary>What the data holds: running text, or examples and conversations of which the answers are scored.</summary>
    public DataFormat DataFormat { get; init; }

    /// <summary>The chat template of conversations; null if there are none.</summary>
    public ChatTemplate? ChatTemplate { get; init; }

    /// <summary>Which answers of a conversation are scored.</summary>
    public LearnedAnswers Answers { get; init; }
}
