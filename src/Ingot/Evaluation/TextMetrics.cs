namespace Ingot.Evaluation;

/// <summary>The metrics by name.</summary>
public static class TextMetrics
{
    /// <summary>The release of sacreBLEU whose results BLEU, chrF and TER give, marked as computed here.</summary>
    public const string SacreBleuVersion = "2.6.0+ingot";

    private static readonly string[] RougeTypes = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

    private static readonly Dictionary<string, Func<MetricOptions, TextMetric[]>> Known = new()
    {
        ["bleu"] = options => [new BleuMetric(options.Bleu)],
        ["chrf"] = options => [new ChrfMetric(options.Chrf)],
        ["chrf++"] = options => [new ChrfMetric(options.Chrf with { WordOrder = 2 })],
        ["ter"] = options => [new TerMetric(options.Ter)],
        ["rouge"] = options => [.. RougeTypes.Select(type => new RougeMetric(type, options.Rouge))],
        ["rouge1"] = options => [new RougeMetric("rouge1", options.Rouge)],
        ["rouge2"] = options => [new RougeMetric("rouge2", options.Rouge)],
        ["rougel"] = options => [new RougeMetric("rougeL", options.Rouge)],
        ["rougelsum"] = options => [new RougeMetric("rougeLsum", options.Rouge)],
        ["meteor"] = options => [new MeteorMetric(options.Meteor)],
        ["accuracy"] = _ => [new AccuracyMetric()],
        ["f1"] = options => [new F1Metric(options.F1Average, options.PositiveLabel)],
    };

    /// <summary>The names that <see cref="Create"/> knows.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>Makes the metric of a name, in whatever case; those of a family, such as rouge.</summary>
    /// <exception cref="ArgumentException">There is none of that name, or an option is out of range; the message says so.</exception>
    public static IReadOnlyList<TextMetric> Create(string name, MetricOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (Known.TryGetValue(name.ToLowerInvariant(), out var create))
            return create(options ?? new());
        var suggestion = NearestName.Find(name, Names) is { } near ? $": did you mean {near}?" : ".";
        throw new ArgumentException($"there is no metric \"{name}\"{suggestion} The metrics are {string.Join(", ", Names)}");
    }

    /// <summary>The metrics of several names, each once, under a name by which it can be asked for: bleu, chrf++, rougeL.</summary>
    /// <inheritdoc cref="Create" path="/exception"/>
    internal static IReadOnlyList<(string Name, TextMetric Metric)> CreateAll(IEnumerable<string> names, MetricOptions? options = null) =>
        [.. names.SelectMany(name => Create(name, options).Select(metric =>
            // The names of ROUGE's are those that the metrics have themselves.
            (Name: metric is RougeMetric ? metric.Name : name.ToLowerInvariant(), Metric: metric))).DistinctBy(metric => metric.Name)];
}
