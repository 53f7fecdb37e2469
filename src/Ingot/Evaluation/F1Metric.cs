namespace Ingot.Evaluation;

/// <summary>How F1 puts classes together.</summary>
public enum F1Average
{
    /// <summary>The mean of the classes' F1.</summary>
    Macro,

    /// <summary>F1 of all decisions together, which is the accuracy where each segment has one label.</summary>
    Micro,

    /// <summary>F1 of one class.</summary>
    Binary,
}

/// <summary>F1 of labels, one a segment, as scikit-learn defines it, where a class without any decision counts as 0; from 0 to 1.</summary>
public sealed class F1Metric : TextMetric
{
    private readonly F1Average _average;
    private readonly string _positive;
    private readonly Dictionary<string, int> _labels;

    /// <summary>Makes it.</summary>
    /// <param name="average">How classes are put together.</param>
    /// <param name="positive">The class of <see cref="F1Average.Binary"/>.</param>
    public F1Metric(F1Average average = F1Average.Macro, string positive = "1")
        : this(average, positive, [])
    {
    }

    private F1Metric(F1Average average, string positive, Dictionary<string, int> labels) =>
        (_average, _positive, _labels) = (average, positive, labels);

    /// <inheritdoc/>
    public override string Name => "f1";

    // Numbers of the labels given and right.
    internal override int Width => 2;

    // For each class: right, given in all, right ones in all.
    internal override int SumWidth => 3 * _labels.Count;

    internal override IReadOnlyList<string> ValueNames => ["f1", "precision", "recall"];

    internal override int MoreDecimals => 2;

    internal override TextMetric For(SegmentStream hypotheses, IReadOnlyList<SegmentStream> references)
    {
        if (references.Count != 1)
            throw new ArgumentException("f1 takes one file of references: each segment has one right label");
        var labels = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var stream in references.Prepend(hypotheses))
        {
            for (var i = 0; i < stream.Count; i++)
                labels.Add(Label(stream[i]));
        }

        if (_average == F1Average.Binary && !labels.Contains(_positive))
        {
            throw new ArgumentException(
                $"positiveLabel is \"{_positive}\", which no line is; there are {string.Join(", ", labels.Take(10))}");
        }

        return new F1Metric(_average, _positive, labels.Index().ToDictionary(label => label.Item, label => label.Index));
    }

    internal override SegmentMeter CreateMeter() => new Meter(_labels);

    internal override void Add(ReadOnlySpan<double> row, Span<double> sums)
    {
        var (given, right) = ((int)row[0], (int)row[1]);
        sums[(3 * given) + 1]++;
        sums[(3 * right) + 2]++;
        if (given == right)
            sums[3 * given]++;
    }

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values)
    {
        double hits = 0, given = 0, right = 0, f1 = 0, precision = 0, recall = 0;
        for (var i = 0; i < _labels.Count; i++)
        {
            var (h, g, r) = (sums[3 * i], sums[(3 * i) + 1], sums[(3 * i) + 2]);
            if (_average == F1Average.Binary && i != _labels[_positive])
                continue;
            (hits, given, right) = (hits + h, given + g, right + r);
            f1 += F1(h, g, r) / _labels.Count;
            precision += Share(h, g) / _labels.Count;
            recall += Share(h, r) / _labels.Count;
        }

        (values[0], values[1], values[2]) =
            _average == F1Average.Macro ? (f1, precision, recall) : (F1(hits, given, right), Share(hits, given), Share(hits, right));
    }

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature)
    {
        Span<double> values = stackalloc double[3];
        Compute(sums, values);
        signature.Add("average", _average.ToString().ToLowerInvariant());
        if (_average == F1Average.Binary)
            signature.Add("positive", _positive);
        return new MetricScore(Name, value, signature.Add("version", "ingot"))
        {
            Verbose = $"(P = {PythonText.Fixed(values[1], 4)} R = {PythonText.Fixed(values[2], 4)} labels = {_labels.Count})",
            Measures = new Dictionary<string, double> { ["precision"] = values[1], ["recall"] = values[2], ["labels"] = _labels.Count },
        };
    }

    /// <summary>2 · hits / (given + right): the harmonic mean of precision and recall; 0 without any decision.</summary>
    internal static double F1(double hits, double given, double right) => Share(2 * hits, given + right);

    private static double Share(double part, double whole) => whole > 0 ? part / whole : 0;

    private static string Label(ReadOnlySpan<char> text) => PythonText.Trim(text).ToString();

    private sealed class Meter(Dictionary<string, int> labels) : SegmentMeter
    {
        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics) =>
            (statistics[0], statistics[1]) = (labels[Label(hypothesis)], labels[Label(references[0])]);
    }
}
