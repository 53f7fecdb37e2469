using Ingot.Evaluation.Segmentation;

namespace Ingot.Evaluation;

/// <summary>
/// Translation edit rate (Snover et al. 2006) as sacreBLEU computes it: insertions, deletions, replacements and shifts of word sequences
/// that make the hypothesis a reference, per word of the references' mean length; from 0, often to 100, and less is better.
/// </summary>
public sealed class TerMetric(TerOptions? options = null) : TextMetric
{
    private readonly TerOptions _options = options ?? new();

    /// <inheritdoc/>
    public override string Name => "TER";

    /// <inheritdoc/>
    public override bool HigherIsBetter => false;

    internal override int Width => 2;

    internal override SegmentMeter CreateMeter() => new Meter(_options);

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values) =>
        values[0] = 100 * (sums[1] > 0 ? sums[0] / sums[1] : sums[0] > 0 ? 1 : 0);

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature) => new(Name, value, signature
        .Add("case", _options.CaseSensitive ? "mixed" : "lc").Add("tok", "tercom").Add("norm", _options.Normalized)
        .Add("punct", !_options.NoPunct).Add("asian", _options.AsianSupport).Add("version", TextMetrics.SacreBleuVersion))
    {
        Measures = new Dictionary<string, double> { ["num_edits"] = sums[0], ["ref_length"] = sums[1] },
    };

    private sealed class Meter(TerOptions options) : SegmentMeter
    {
        private readonly SegmentWords _words = new(new TokenizerTercom(options), !options.CaseSensitive);

        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics)
        {
            _words.Clear();
            int[] words = [.. _words.Read(hypothesis)];
            var (fewest, length) = (long.MaxValue, 0L);
            for (var i = 0; i < references.Count; i++)
            {
                int[] reference = [.. _words.Read(references[i])];
                fewest = Math.Min(fewest, TerEdits.Count(words, reference));
                length += reference.Length;
            }

            (statistics[0], statistics[1]) = (fewest, length / (double)references.Count);
        }
    }
}
