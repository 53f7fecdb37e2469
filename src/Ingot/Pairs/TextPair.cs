namespace Ingot.Pairs;

/// <summary>A text, and what shall be made of it: its translation, its summary.</summary>
/// <param name="Place">File and line, for messages.</param>
/// <param name="Source">The text that is read.</param>
/// <param name="Target">The text that is written.</param>
public sealed record TextPair(string Place, string Source, string Target)
{
    /// <summary>Code of the source's language; null if it is not said.</summary>
    public string? SourceLanguage { get; init; }

    /// <summary>Code of the target's language; null if it is not said.</summary>
    public string? TargetLanguage { get; init; }
}

/// <summary>
/// Where a record holds what. A field of a table is a column, by its number from 1 or by the name that the first line gives it; "a.b" is
/// the field b of the JSON object a.
/// </summary>
public sealed record PairFields
{
    /// <summary>Field of the text that is read; null for "source", or a table's first column.</summary>
    public string? Source { get; init; }

    /// <summary>Field of the text that is written; null for "target", or a table's second column.</summary>
    public string? Target { get; init; }

    /// <summary>Code of the language of all sources; null if it is not said, or a field says it.</summary>
    public string? SourceLanguage { get; init; }

    /// <summary>Code of the language of all targets.</summary>
    public string? TargetLanguage { get; init; }

    /// <summary>Field of the code of each source's language.</summary>
    public string? SourceLanguageField { get; init; }

    /// <summary>Field of the code of each target's language.</summary>
    public string? TargetLanguageField { get; init; }

    /// <summary>These, and where they leave something open, those of <paramref name="others"/>.</summary>
    public PairFields Or(PairFields others) => new()
    {
        Source = Source ?? others.Source,
        Target = Target ?? others.Target,
        // A language that is fixed goes before a field of the others, and a field before a language.
        SourceLanguage = SourceLanguage ?? (SourceLanguageField is null ? others.SourceLanguage : null),
        TargetLanguage = TargetLanguage ?? (TargetLanguageField is null ? others.TargetLanguage : null),
        SourceLanguageField = SourceLanguageField ?? (SourceLanguage is null ? others.SourceLanguageField : null),
        TargetLanguageField = TargetLanguageField ?? (TargetLanguage is null ? others.TargetLanguageField : null),
    };
}
