namespace Ingot.Evaluation;

/// <summary>How TER is computed; the defaults are sacreBLEU's.</summary>
public sealed record TerOptions
{
    /// <summary>Whether punctuation is set apart and XML's escapes are undone.</summary>
    public bool Normalized { get; init; }

    /// <summary>Whether punctuation is left out.</summary>
    public bool NoPunct { get; init; }

    /// <summary>Whether that holds for Chinese and Japanese too, whose characters are then set apart.</summary>
    public bool AsianSupport { get; init; }

    /// <summary>Whether case counts.</summary>
    public bool CaseSensitive { get; init; }
}
