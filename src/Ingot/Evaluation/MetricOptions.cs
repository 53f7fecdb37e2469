namespace Ingot.Evaluation;

/// <summary>Options of all metrics, for those that are made by name.</summary>
public sealed record MetricOptions
{
    /// <summary>Options of BLEU.</summary>
    public BleuOptions Bleu { get; init; } = new();

    /// <summary>Options of chrF and chrF++.</summary>
    public ChrfOptions Chrf { get; init; } = new();

    /// <summary>Options of TER.</summary>
    public TerOptions Ter { get; init; } = new();

    /// <summary>Options of ROUGE.</summary>
    public RougeOptions Rouge { get; init; } = new();

    /// <summary>Options of METEOR.</summary>
    public MeteorOptions Meteor { get; init; } = new();

    /// <summary>How F1 puts classes together.</summary>
    public F1Average F1Average { get; init; }

    /// <summary>The class of <see cref="F1Average.Binary"/>.</summary>
    public string PositiveLabel { get; init; } = "1";
}
