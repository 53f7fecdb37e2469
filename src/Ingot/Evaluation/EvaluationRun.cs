namespace Ingot.Evaluation;

/// <summary>A score of a system.</summary>
/// <param name="System">The system's file.</param>
/// <param name="Score">The score.</param>
/// <param name="PValue">
/// How often a difference like that from the first system would be chance; null for the first, and without others.
/// </param>
public sealed record EvaluationResult(string System, MetricScore Score, double? PValue = null);

/// <summary>Files to scores: what <c>ingot evaluate</c> does with texts.</summary>
public static class EvaluationRun
{
    /// <summary>Reads the files and computes every metric for every system.</summary>
    /// <param name="options">Valid options.</param>
    /// <param name="progress">Is told how many segments of how many are measured; from several threads.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>For each metric, the hypotheses' score and then that of each system to compare.</returns>
    /// <exception cref="InvalidDataException">A file is not as it must be; the message names it, the place and the way out.</exception>
    public static IReadOnlyList<EvaluationResult> Run(EvaluationOptions options, Action<long, long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var metrics = options.CreateMetrics();
        SegmentStream[] systems = [.. options.Compare.Prepend(options.Hypotheses!)
            .Select(path => SegmentStream.Load(path, options.HypothesisField, cancellationToken))];
        SegmentStream[] references = [.. options.References
            .Select(path => SegmentStream.Load(path, options.ReferenceField, cancellationToken))];
        return Score(systems, references, metrics, options, progress, cancellationToken);
    }

    /// <summary>Computes every metric for texts that were read already.</summary>
    /// <inheritdoc cref="Run"/>
    public static IReadOnlyList<EvaluationResult> Score(IReadOnlyList<SegmentStream> systems, IReadOnlyList<SegmentStream> references,
        IReadOnlyList<TextMetric> metrics, EvaluationOptions options, Action<long, long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(systems);
        ArgumentNullException.ThrowIfNull(metrics);
        ArgumentNullException.ThrowIfNull(options);
        SegmentStatistics.CheckCounts(systems, references);
        if (!options.AllowEmptyReferences)
            CheckReferences(references);
        var total = (long)metrics.Count * systems.Sum(system => (long)system.Count);
        var done = 0L;
        var results = new List<EvaluationResult>();
        foreach (var metric in metrics)
        {
            SegmentStatistics[] statistics = [.. systems.Select(system => SegmentStatistics.Measure(metric, system, references,
                count => progress?.Invoke(Interlocked.Add(ref done, count), total), cancellationToken))];
            if (systems.Count > 1)
                results.AddRange(Compare(systems, statistics, options, cancellationToken));
            else
                results.Add(new(systems[0].Name, statistics[0].Score(options.Confidence ? Resampling(options) : null, cancellationToken)));
        }

        return results;
    }

    private static IEnumerable<EvaluationResult> Compare(IReadOnlyList<SegmentStream> systems, SegmentStatistics[] statistics,
        EvaluationOptions options, CancellationToken cancellationToken)
    {
        for (var i = 1; i < systems.Count; i++)
        {
            var comparison = options.Test == SignificanceTest.Bootstrap
                ? PairedTest.Bootstrap(statistics[0], statistics[i], Resampling(options), cancellationToken)
                : PairedTest.ApproximateRandomization(statistics[0], statistics[i], options.Trials, (ulong)options.Seed, cancellationToken);
            if (i == 1)
                yield return new(systems[0].Name, comparison.Baseline);
            yield return new(systems[i].Name, comparison.System, comparison.PValue);
        }
    }

    private static Resampling Resampling(EvaluationOptions options) => new(options.Resamples, (ulong)options.Seed);

    private static void CheckReferences(IReadOnlyList<SegmentStream> references)
    {
        var buffer = Array.Empty<char>();
        for (var i = 0; i < references[0].Count; i++)
        {
            var isEmpty = true;
            foreach (var stream in references)
                isEmpty &= PythonText.TrimEnd(stream.Read(i, ref buffer)).IsEmpty;
            if (isEmpty)
            {
                var names = string.Join(", ", references.Select(stream => stream.Name));
                throw new InvalidDataException($"{names}: segment {i + 1} has no reference text. "
                    + "Leave the segment out on both sides, or let allowEmptyReferences take it as it is.");
            }
        }
    }
}
