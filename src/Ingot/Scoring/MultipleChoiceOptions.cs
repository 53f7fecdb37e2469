namespace Ingot.Scoring;

/// <summary>Where the parts of multiple-choice questions stand, and how they become text.</summary>
public sealed record MultipleChoiceOptions
{
    /// <summary>The field of the question; null for question or query.</summary>
    public string? QuestionField { get; init; }

    /// <summary>
    /// The field of the choices: a list of texts, or an object with the lists text and label; null for choices or endings.
    /// </summary>
    public string? ChoicesField { get; init; }

    /// <summary>
    /// The field of the right one: its label, its text, its number from 0, or its letter from A; null for answer, gold, answerKey or label.
    /// </summary>
    public string? AnswerField { get; init; }

    /// <summary>Makes the context of the fields, in Jinja's language; null for the question as it is.</summary>
    public string? PromptTemplate { get; init; }

    /// <summary>What stands between context and choice.</summary>
    public string TargetDelimiter { get; init; } = " ";

    /// <summary>Whether the token that begins texts stands before the context.</summary>
    public bool AddBosToken { get; init; }

    /// <summary>Most tokens that the model reads; longer contexts lose their beginning. 0 for as many as it has positions.</summary>
    public int MaxLength { get; init; }
}
