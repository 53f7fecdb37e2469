namespace Ingot.Generation;

/// <summary>A text that a model wrote.</summary>
/// <param name="Prompt">Which prompt it belongs to, counted from 0.</param>
/// <param name="Number">Which of the prompt's texts it is, counted from 0.</param>
/// <param name="Text">The text, without the prompt, and up to the first stop string.</param>
/// <param name="Tokens">The tokens that were written, without an end-of-text token.</param>
/// <param name="FinishReason">Why it ended.</param>
public sealed record GeneratedText(int Prompt, int Number, string Text, IReadOnlyList<int> Tokens, FinishReason FinishReason)
{
    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Beam search's log-probability / length^lengthPenalty; null where texts are drawn.</summary>
    public double? Score { get; init; }
}
