namespace Ingot.Chat;

/// <summary>What becomes of an example that is longer than it may be.</summary>
public enum ExampleTruncation
{
    /// <summary>The last turns go, so that the conversation ends with a whole answer. What is no conversation loses tokens.</summary>
    Turns,

    /// <summary>The last tokens go.</summary>
    Tokens,

    /// <summary>The example goes.</summary>
    Drop,
}

/// <summary>Which of the assistant's turns are learnt.</summary>
public enum LearnedAnswers
{
    /// <summary>All.</summary>
    All,

    /// <summary>The last one.</summary>
    Last,
}

/// <summary>How examples become tokens.</summary>
public sealed record ExampleEncoderOptions
{
    /// <summary>The most tokens of an example; 0 for no limit.</summary>
    public int MaxLength { get; init; }

    /// <summary>What becomes of longer ones.</summary>
    public ExampleTruncation Truncation { get; init; } = ExampleTruncation.Turns;

    /// <summary>Which answers of a conversation are learnt.</summary>
    public LearnedAnswers Answers { get; init; } = LearnedAnswers.All;

    /// <summary>Whether the end of text follows completions and texts, and is learnt, where the tokenizer has one.</summary>
    public bool AddEndOfText { get; init; } = true;

    /// <summary>What templates read besides the conversation, such as <c>enable_thinking</c>.</summary>
    public IReadOnlyDictionary<string, object?>? TemplateVariables { get; init; }
}
