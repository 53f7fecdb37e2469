namespace Ingot.Evaluation;

/// <summary>The share of segments that equal a reference, but for white space at their ends; from 0 to 1.</summary>
public sealed class AccuracyMetric : TextMetric
{
    /// <inheritdoc/>
    public override string Name => "accuracy";

    internal override int Width => 2;

    internal override int MoreDecimals => 2;

    internal override SegmentMeter CreateMeter() => new Meter();

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values) => values[0] = sums[0] / sums[1];

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature) =>
        new(Name, value, signature.Add("version", "ingot"))
        {
            Verbose = $"({sums[0]:F0} of {sums[1]:F0})",
            Measures = new Dictionary<string, double> { ["correct"] = sums[0], ["count"] = sums[1] },
        };

    private sealed class Meter : SegmentMeter
    {
        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics)
        {
            statistics[1] = 1;
            for (var i = 0; i < references.Count; i++)
            {
                if (PythonText.Trim(hypothesis).SequenceEqual(PythonText.Trim(references[i])))
                    statistics[0] = 1;
            }
        }
    }
}
