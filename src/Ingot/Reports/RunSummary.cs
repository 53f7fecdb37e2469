using Ingot.Training;

namespace Ingot.Reports;

/// <summary>What <see cref="HtmlReport"/> shows of a run.</summary>
public sealed record RunSummary
{
    /// <summary>What the run was about to do.</summary>
    public required TrainingStart Start { get; init; }

    /// <summary>How it ended, or where it stands.</summary>
    public required TrainingEnd End { get; init; }

    /// <summary>The curves' rows by rising step; read once, so a file of millions need not be in memory.</summary>
    public required IEnumerable<MetricsRow> Metrics { get; init; }

    /// <summary>Settings by name, in the order to show them.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Configuration { get; init; } = [];

    /// <summary>Facts about the model by name, in the order to show them: layers, width, vocabulary.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ModelFacts { get; init; } = [];

    /// <summary>What the model wrote while it trained, by rising step.</summary>
    public IReadOnlyList<SampleReport> Samples { get; init; } = [];

    /// <summary>Version of the program and of the library, host, and the like; shown at the foot.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>When the page was written.</summary>
    public DateTimeOffset Written { get; init; } = DateTimeOffset.Now;
}
