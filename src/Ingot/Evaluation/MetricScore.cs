namespace Ingot.Evaluation;

/// <summary>Where the score of a corpus like this one probably lies.</summary>
/// <param name="Mid">The mean of the scores of resamples; for ROUGE their median.</param>
/// <param name="Low">Below it are 2.5 % of them.</param>
/// <param name="High">Above it are 2.5 % of them.</param>
public readonly record struct ConfidenceInterval(double Mid, double Low, double High)
{
    /// <summary>Half of the interval's width, which is reported as "± …".</summary>
    public double HalfWidth => 0.5 * (High - Low);
}

/// <summary>A score, and how it came about.</summary>
/// <param name="Name">The metric's name.</param>
/// <param name="Value">The score, in the metric's own scale: BLEU, chrF and TER to 100, the others to 1.</param>
/// <param name="Signature">How it was computed; scores with different signatures cannot be compared.</param>
public sealed record MetricScore(string Name, double Value, MetricSignature Signature)
{
    /// <summary>What people want to know beside the score, in words: n-gram precisions and lengths of BLEU, for example.</summary>
    public string Verbose { get; init; } = "";

    /// <summary>The same as numbers, by name.</summary>
    public IReadOnlyDictionary<string, double> Measures { get; init; } = new Dictionary<string, double>();

    /// <summary>Where the score of a corpus like this one lies; null if that was not asked for.</summary>
    public ConfidenceInterval? Confidence { get; init; }

    /// <summary>Intervals of what is computed beside the score: precision and recall of ROUGE.</summary>
    public IReadOnlyDictionary<string, ConfidenceInterval> OtherConfidences { get; init; } = new Dictionary<string, ConfidenceInterval>();

    /// <summary>Decimals for reports beside those asked for: 2 for scores from 0 to 1.</summary>
    internal int MoreDecimals { get; init; }

    /// <summary>One line, as sacreBLEU prints it: <c>BLEU|nrefs:2|… = 48.53 82.4/50.0/45.5/37.5 (BP = 0.943 …)</c>.</summary>
    public override string ToString() => ToString(2);

    /// <summary>The same with so many decimals, two more for scores from 0 to 1.</summary>
    public string ToString(int decimals) => $"{Name}|{Signature} = {ValueText(decimals)}{(Verbose.Length > 0 ? " " + Verbose : "")}";

    /// <summary>The score alone, with its interval if there is one: <c>48.53 (μ = 48.41 ± 1.02)</c>.</summary>
    public string ValueText(int decimals)
    {
        string Text(double value) => PythonText.Fixed(value, decimals + MoreDecimals);
        return Confidence is { } interval ? $"{Text(Value)} (μ = {Text(interval.Mid)} ± {Text(interval.HalfWidth)})" : Text(Value);
    }
}
