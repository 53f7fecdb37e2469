namespace Ingot.Evaluation;

/// <summary>
/// A score of texts against references. All metrics here add up statistics of the segments (counts, say) and compute the score from
/// the sums; so confidence intervals and tests of significance need the statistics alone, whatever the metric.
/// </summary>
/// <remarks>A metric has no state; one serves all threads. <see cref="TextMetrics.Create"/> makes one from its name.</remarks>
public abstract class TextMetric
{
    /// <summary>Under which the score is reported, as the field's tools have it: BLEU, chrF2++, rouge1.</summary>
    public abstract string Name { get; }

    /// <summary>Whether more is better; TER counts edits.</summary>
    public virtual bool HigherIsBetter => true;

    /// <summary>What the statistics of a segment have in number.</summary>
    internal abstract int Width { get; }

    /// <summary>What the sums have in number.</summary>
    internal virtual int SumWidth => Width;

    /// <summary>What is computed from the sums: the score, and perhaps more of its kind, such as precision and recall.</summary>
    internal virtual IReadOnlyList<string> ValueNames => ["score"];

    /// <summary>Decimals that reports show beside those asked for: for scores from 0 to 1.</summary>
    internal virtual int MoreDecimals => 0;

    /// <summary>How an interval is read off the scores of resamples.</summary>
    internal virtual IntervalKind Interval => IntervalKind.SacreBleu;

    /// <summary>The score of a corpus.</summary>
    /// <param name="hypotheses">What is judged.</param>
    /// <param name="references">One stream for each reference that a segment has, all as long as the hypotheses.</param>
    /// <param name="resampling">For a confidence interval; null for none.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="InvalidDataException">The streams are not of the same length, or empty; the message names them.</exception>
    public MetricScore Evaluate(SegmentStream hypotheses, IReadOnlyList<SegmentStream> references, Resampling? resampling = null,
        CancellationToken cancellationToken = default) =>
        SegmentStatistics.Measure(this, hypotheses, references, cancellationToken: cancellationToken).Score(resampling, cancellationToken);

    /// <summary>The score of texts with one reference each.</summary>
    public MetricScore Evaluate(IReadOnlyList<string> hypotheses, IReadOnlyList<string> references) =>
        Evaluate(SegmentStream.Of(hypotheses, "the hypotheses"), [SegmentStream.Of(references, "the references")]);

    /// <summary>The score of one text with one reference or several.</summary>
    public MetricScore EvaluateSegment(string hypothesis, params IReadOnlyList<string> references)
    {
        ArgumentNullException.ThrowIfNull(references);
        return Evaluate(
            SegmentStream.Of([hypothesis], "the hypothesis"), [.. references.Select(text => SegmentStream.Of([text], "the reference"))]);
    }

    /// <summary>The metric as it fits the texts, such as one that knows the labels among them.</summary>
    internal virtual TextMetric For(SegmentStream hypotheses, IReadOnlyList<SegmentStream> references) => this;

    /// <summary>Makes what measures segments, one after the other, on one thread.</summary>
    internal abstract SegmentMeter CreateMeter();

    /// <summary>Adds the statistics of a segment to the sums.</summary>
    internal virtual void Add(ReadOnlySpan<double> row, Span<double> sums)
    {
        for (var i = 0; i < row.Length; i++)
            sums[i] += row[i];
    }

    /// <summary>Computes <see cref="ValueNames"/> from the sums of the statistics.</summary>
    internal abstract void Compute(ReadOnlySpan<double> sums, Span<double> values);

    /// <summary>Puts the score into words.</summary>
    /// <param name="sums">Sums of the statistics.</param>
    /// <param name="value">The score.</param>
    /// <param name="signature">The signature, which so far says the number of references and how it was resampled.</param>
    internal abstract MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature);
}

/// <summary>Measures segments for a metric, with memory of its own.</summary>
internal abstract class SegmentMeter
{
    /// <summary>Writes the statistics of a segment.</summary>
    /// <param name="hypothesis">The text that is judged.</param>
    /// <param name="references">One or more.</param>
    /// <param name="statistics">The metric's number of zeros.</param>
    public abstract void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics);
}
