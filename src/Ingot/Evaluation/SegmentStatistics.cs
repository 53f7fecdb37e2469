namespace Ingot.Evaluation;

/// <summary>A metric's statistics of the segments of a corpus, from which its score, intervals and tests of significance follow.</summary>
public sealed class SegmentStatistics
{
    private const int ChunkSize = 256; // Segments that a thread takes at a time.

    private readonly TextMetric _metric;
    private readonly double[][] _chunks; // Of ChunkSize segments each.
    private readonly int _references;

    private SegmentStatistics(TextMetric metric, int count, int references)
    {
        (_metric, Count, _references) = (metric, count, references);
        _chunks = new double[(count + ChunkSize - 1) / ChunkSize][];
    }

    /// <summary>How many segments there are.</summary>
    public int Count { get; }

    /// <summary>The metric.</summary>
    public TextMetric Metric => _metric;

    /// <summary>Measures all segments, on all cores.</summary>
    /// <param name="metric">The metric.</param>
    /// <param name="hypotheses">What is judged.</param>
    /// <param name="references">One stream for each reference that a segment has, all as long as the hypotheses.</param>
    /// <param name="progress">Is told how many segments were measured since it was told last; from several threads.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="InvalidDataException">The streams are not of the same length, or empty; the message names them.</exception>
    public static SegmentStatistics Measure(TextMetric metric, SegmentStream hypotheses, IReadOnlyList<SegmentStream> references,
        Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(metric);
        ArgumentNullException.ThrowIfNull(hypotheses);
        CheckCounts([hypotheses], references);
        metric = metric.For(hypotheses, references);
        var statistics = new SegmentStatistics(metric, hypotheses.Count, references.Count);
        Parallel.For(0, statistics._chunks.Length, new ParallelOptions { CancellationToken = cancellationToken },
            () => (Meter: metric.CreateMeter(), References: new SegmentReferences(references), Buffer: Array.Empty<char>()),
            (chunk, _, worker) =>
            {
                var first = chunk * ChunkSize;
                var count = Math.Min(ChunkSize, statistics.Count - first);
                var rows = statistics._chunks[chunk] = new double[count * metric.Width];
                for (var i = 0; i < count; i++)
                {
                    worker.References.MoveTo(first + i);
                    worker.Meter.Measure(
                        hypotheses.Read(first + i, ref worker.Buffer), worker.References, rows.AsSpan(i * metric.Width, metric.Width));
                }

                progress?.Invoke(count);
                return worker;
            },
            _ => { });
        return statistics;
    }

    /// <summary>The score of the corpus.</summary>
    /// <param name="resampling">For a confidence interval; null for none.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public MetricScore Score(Resampling? resampling = null, CancellationToken cancellationToken = default)
    {
        var signature = new MetricSignature().Add("nrefs", _references);
        if (resampling is not null)
            signature.Add("bs", resampling.Count).Add("seed", resampling.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture));
        var score = Describe(signature);
        if (resampling is null)
            return score;
        var names = _metric.ValueNames;
        ConfidenceInterval[] intervals =
            [.. Bootstrap.Resample(this, resampling, cancellationToken).Select(scores => Bootstrap.Interval(scores, _metric.Interval))];
        return score with
        {
            Confidence = intervals[0],
            OtherConfidences = Enumerable.Range(1, names.Count - 1).ToDictionary(i => names[i], i => intervals[i]),
        };
    }

    /// <summary>The score under a signature that is begun.</summary>
    internal MetricScore Describe(MetricSignature signature)
    {
        var sums = new double[_metric.SumWidth];
        for (var i = 0; i < Count; i++)
            AddTo(sums, i);
        Span<double> values = stackalloc double[_metric.ValueNames.Count];
        _metric.Compute(sums, values);
        return _metric.Describe(sums, values[0], signature) with { MoreDecimals = _metric.MoreDecimals };
    }

    /// <summary>How many references each segment has.</summary>
    internal int ReferenceCount => _references;

    /// <summary>The statistics of a segment.</summary>
    internal ReadOnlySpan<double> this[int segment] =>
        _chunks[segment / ChunkSize].AsSpan(segment % ChunkSize * _metric.Width, _metric.Width);

    /// <summary>Adds the statistics of a segment.</summary>
    internal void AddTo(Span<double> sums, int segment) => _metric.Add(this[segment], sums);

    /// <summary>Refuses streams of different lengths, and empty ones.</summary>
    internal static void CheckCounts(IReadOnlyList<SegmentStream> hypotheses, IReadOnlyList<SegmentStream> references)
    {
        ArgumentNullException.ThrowIfNull(references);
        if (references.Count == 0)
            throw new ArgumentException("there are no references");
        SegmentStream[] all = [.. hypotheses, .. references];
        if (all.FirstOrDefault(stream => stream.Count == 0) is { } empty)
            throw new InvalidDataException($"{empty.Name} is empty: there is nothing to judge");
        if (all.Any(stream => stream.Count != all[0].Count))
        {
            throw new InvalidDataException("hypotheses and references must have as many segments: "
                + string.Join(", ", all.Select(stream => $"{stream.Name} has {stream.Count}")));
        }
    }
}
