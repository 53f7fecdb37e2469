namespace Ingot.Evaluation;

/// <summary>Confidence intervals by bootstrap resampling (Koehn 2004).</summary>
internal static class Bootstrap
{
    /// <summary>The values of resamples: [value][resample].</summary>
    public static double[][] Resample(SegmentStatistics statistics, Resampling resampling, CancellationToken cancellationToken = default)
    {
        var metric = statistics.Metric;
        var scores = metric.ValueNames.Select(_ => new double[resampling.Count]).ToArray();
        foreach (var (sample, segments) in Draw(statistics.Count, resampling).Index())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var sums = new double[metric.SumWidth];
            foreach (var segment in segments)
                statistics.AddTo(sums, segment);
            var values = new double[scores.Length];
            metric.Compute(sums, values);
            for (var i = 0; i < scores.Length; i++)
                scores[i][sample] = values[i];
        }

        return scores;
    }

    /// <summary>The segments of each resample; the array is filled anew for each.</summary>
    public static IEnumerable<int[]> Draw(int count, Resampling resampling)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resampling.Count, 2);
        var random = new NumPyRandom(resampling.Seed);
        var segments = new int[count];
        for (var sample = 0; sample < resampling.Count; sample++)
        {
            foreach (ref var segment in segments.AsSpan())
                segment = random.Next(count);
            yield return segments;
        }
    }

    /// <summary>The middle 95 % of scores.</summary>
    public static ConfidenceInterval Interval(double[] scores, IntervalKind kind)
    {
        double[] sorted = [.. scores.Order()];
        if (kind == IntervalKind.Percentiles)
            return new(Percentile(sorted, 0.5), Percentile(sorted, 0.025), Percentile(sorted, 0.975));
        var cut = sorted.Length / 40;
        return new(sorted.Average(), sorted[cut], sorted[sorted.Length - cut - 1]);
    }

    private static double Percentile(double[] sorted, double share)
    {
        var place = share * (sorted.Length - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
    }
}
