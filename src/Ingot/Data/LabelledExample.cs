namespace Ingot.Data;

/// <summary>Something to classify with its right answer: a text or a pair of texts with a label, or words with a label each.</summary>
/// <param name="Place">Where it stands, for messages: file and line.</param>
public abstract record LabelledExample(string Place)
{
    /// <summary>Its labels: one, or one for each word.</summary>
    public abstract IReadOnlyList<string> Labels { get; }
}

/// <summary>A text, or a pair of texts, and its label.</summary>
/// <param name="Place">Where it stands.</param>
/// <param name="Text">The text.</param>
/// <param name="Pair">The second text; null for none.</param>
/// <param name="Label">The label.</param>
public sealed record LabelledText(string Place, string Text, string? Pair, string Label) : LabelledExample(Place)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Labels => [Label];
}

/// <summary>Words and a label for each.</summary>
/// <param name="Place">Where they stand.</param>
/// <param name="Words">The words.</param>
/// <param name="Labels">Their labels.</param>
public sealed record LabelledWords(string Place, IReadOnlyList<string> Words, IReadOnlyList<string> Labels) : LabelledExample(Place)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Labels { get; } = Labels;
}
