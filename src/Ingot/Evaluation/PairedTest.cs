namespace Ingot.Evaluation;

/// <summary>A system against a baseline.</summary>
/// <param name="Baseline">The baseline's score, with the interval if the test was by bootstrap.</param>
/// <param name="System">The system's.</param>
/// <param name="PValue">
/// How often a difference like this one, in either direction, would come about by chance. Below 0.05 it is usually called significant.
/// </param>
public sealed record Comparison(MetricScore Baseline, MetricScore System, double PValue);

/// <summary>Whether a system differs from a baseline on the same segments by more than chance, tested as sacreBLEU does.</summary>
public static class PairedTest
{
    /// <summary>Paired bootstrap resampling (Koehn 2004): the difference on resamples, about its mean, against the real one.</summary>
    /// <param name="baseline">The baseline's statistics.</param>
    /// <param name="system">The system's, by the same metric on the same segments.</param>
    /// <param name="resampling">How often, and the seed; both draw the same segments.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static Comparison Bootstrap(SegmentStatistics baseline, SegmentStatistics system, Resampling? resampling = null,
        CancellationToken cancellationToken = default)
    {
        Check(baseline, system);
        resampling ??= new();
        var first = Evaluation.Bootstrap.Resample(baseline, resampling, cancellationToken)[0];
        var second = Evaluation.Bootstrap.Resample(system, resampling, cancellationToken)[0];
        var differences = first.Zip(second, (a, b) => Math.Abs(b - a)).ToArray();
        var mean = differences.Average();
        return Compare(baseline, system, "bs", resampling.Count, resampling.Seed, [.. differences.Select(difference => difference - mean)],
            scores => Evaluation.Bootstrap.Interval(scores, baseline.Metric.Interval), first, second);
    }

    /// <summary>Approximate randomization (Riezler and Maxwell 2005): the difference after segments were swapped at random.</summary>
    /// <param name="baseline">The baseline's statistics.</param>
    /// <param name="system">The system's, by the same metric on the same segments.</param>
    /// <param name="trials">How often.</param>
    /// <param name="seed">Of NumPy's generator.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static Comparison ApproximateRandomization(SegmentStatistics baseline, SegmentStatistics system, int trials = 10000,
        ulong seed = 12345, CancellationToken cancellationToken = default)
    {
        Check(baseline, system);
        ArgumentOutOfRangeException.ThrowIfLessThan(trials, 1);
        var metric = baseline.Metric;
        var random = new NumPyRandom(seed);
        var differences = new double[trials];
        double[] first = new double[metric.SumWidth], second = new double[metric.SumWidth];
        Span<double> values = stackalloc double[metric.ValueNames.Count];
        uint bits = 0;
        var left = 0;
        foreach (ref var difference in differences.AsSpan())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Array.Clear(first);
            Array.Clear(second);
            for (var segment = 0; segment < baseline.Count; segment++)
            {
                // One bit a segment, the lowest of 32 first, as NumPy draws booleans.
                (bits, left) = left == 0 ? (random.NextUInt32(), 31) : (bits >> 1, left - 1);
                var stays = (bits & 1) != 0;
                (stays ? baseline : system).AddTo(first, segment);
                (stays ? system : baseline).AddTo(second, segment);
            }

            metric.Compute(first, values);
            var score = values[0];
            metric.Compute(second, values);
            difference = Math.Abs(score - values[0]);
        }

        return Compare(baseline, system, "ar", trials, seed, differences);
    }

    private static Comparison Compare(SegmentStatistics baseline, SegmentStatistics system, string test, int trials, ulong seed,
        double[] differences, Func<double[], ConfidenceInterval>? interval = null, double[]? first = null, double[]? second = null)
    {
        MetricScore Describe(SegmentStatistics statistics, double[]? scores)
        {
            var signature = new MetricSignature().Add("nrefs", statistics.ReferenceCount).Add(test, trials)
                .Add("seed", seed.ToString(System.Globalization.CultureInfo.InvariantCulture));
            var score = statistics.Describe(signature);
            return scores is null ? score : score with { Confidence = interval!(scores) };
        }

        var (ours, theirs) = (Describe(baseline, first), Describe(system, second));
        var real = Math.Abs(ours.Value - theirs.Value);
        // The 1 is for the real one: without it a p-value could be 0.
        return new Comparison(ours, theirs, (differences.Count(difference => difference > real) + 1.0) / (trials + 1));
    }

    private static void Check(SegmentStatistics baseline, SegmentStatistics system)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        ArgumentNullException.ThrowIfNull(system);
        if (baseline.Count != system.Count || baseline.Metric.Name != system.Metric.Name || baseline.Metric.Width != system.Metric.Width)
            throw new ArgumentException("the two were not measured by the same metric on the same segments");
    }
}
