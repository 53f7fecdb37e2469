namespace Ingot.Evaluation;

/// <summary>Options of all metrics, for those that are made by name.</summary>
public sealed record MetricOptions
{
    /// <summary>Options of BLEU.</summary>
    public BleuOptions Bleu { get; init; } = new();

    /// <summary>Options of chrF and chrF++.</summary>
    public ChrfOptions Chrf { get; init; } = new();
}
