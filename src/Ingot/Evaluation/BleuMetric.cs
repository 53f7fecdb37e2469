using Ingot.Evaluation.Segmentation;

namespace Ingot.Evaluation;

/// <summary>What BLEU does about n-grams of which none matches (Chen and Cherry 2014).</summary>
public enum BleuSmoothing
{
    /// <summary>Halves the precision with each such order, as mteval-v13a does; the default.</summary>
    Exp,

    /// <summary>Takes so many matches in place of none: 0.1.</summary>
    Floor,

    /// <summary>Adds so many to matches and n-grams of 2 words and more: 1.</summary>
    AddK,

    /// <summary>Nothing: the score is 0.</summary>
    None,
}

/// <summary>How BLEU is computed; the defaults are sacreBLEU's.</summary>
public sealed record BleuOptions
{
    /// <summary>13a, intl, zh, char or none.</summary>
    public string Tokenize { get; init; } = "13a";

    /// <summary>What is done about orders without a match.</summary>
    public BleuSmoothing Smoothing { get; init; }

    /// <summary>The number of <see cref="BleuSmoothing.Floor"/> and <see cref="BleuSmoothing.AddK"/>; null for their defaults.</summary>
    public double? SmoothValue { get; init; }

    /// <summary>Whether case counts for nothing.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Whether orders for which the hypotheses are too short are left out; for single sentences.</summary>
    public bool EffectiveOrder { get; init; }

    /// <summary>The longest n-grams.</summary>
    public int MaxNgramOrder { get; init; } = 4;
}

/// <summary>BLEU (Papineni et al. 2002) as sacreBLEU (Post 2018) defines it; from 0 to 100.</summary>
public sealed class BleuMetric : TextMetric
{
    private readonly BleuOptions _options;
    private readonly SegmentTokenizer _tokenizer;

    /// <summary>Makes it.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public BleuMetric(BleuOptions? options = null)
    {
        _options = options ?? new();
        _tokenizer = SegmentTokenizer.Create(_options.Tokenize);
        if (_options.MaxNgramOrder is < 1 or > 16)
            throw new ArgumentException($"maxNgramOrder is {_options.MaxNgramOrder}; it must be from 1 to 16");
        if (_options.SmoothValue is { } value && !(value >= 0 && double.IsFinite(value)))
            throw new ArgumentException($"smoothValue is {value}; it must be 0 or more");
        if (_options.SmoothValue is not null && _options.Smoothing is BleuSmoothing.Exp or BleuSmoothing.None)
            throw new ArgumentException("smoothValue is for the smoothings floor and add-k");
    }

    /// <inheritdoc/>
    public override string Name => "BLEU";

    // Lengths of hypothesis and of the closest reference, then matches by order. The numbers of n-grams follow by order.
    internal override int Width => 2 + (2 * _options.MaxNgramOrder);

    internal override SegmentMeter CreateMeter() => new Meter(_options, _tokenizer);

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values) => values[0] = Compute(sums).Score;

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature)
    {
        signature.Add("case", _options.Lowercase ? "lc" : "mixed").Add("eff", _options.EffectiveOrder).Add("tok", _tokenizer.Name)
            .Add("smooth", _options.Smoothing switch
            {
                BleuSmoothing.Exp => "exp",
                BleuSmoothing.Floor => $"floor[{PythonText.Fixed(SmoothValue, 2)}]",
                BleuSmoothing.AddK => $"add-k[{PythonText.Fixed(SmoothValue, 2)}]",
                _ => "none",
            });
        if (_options.MaxNgramOrder != 4)
            signature.Add("order", _options.MaxNgramOrder);
        signature.Add("version", TextMetrics.SacreBleuVersion);

        var parts = Compute(sums);
        var (hypothesis, reference) = (sums[0], sums[1]);
        var ratio = reference > 0 ? hypothesis / reference : 0;
        var measures = new Dictionary<string, double>
        {
            ["bp"] = parts.BrevityPenalty,
            ["ratio"] = ratio,
            ["hyp_len"] = hypothesis,
            ["ref_len"] = reference,
        };
        for (var n = 0; n < _options.MaxNgramOrder; n++)
        {
            measures[$"precision{n + 1}"] = parts.Precisions[n];
            measures[$"count{n + 1}"] = sums[2 + n];
            measures[$"total{n + 1}"] = sums[2 + _options.MaxNgramOrder + n];
        }

        return new MetricScore(Name, value, signature)
        {
            Verbose = string.Join('/', parts.Precisions.Select(p => PythonText.Fixed(p, 1)))
                + $" (BP = {PythonText.Fixed(parts.BrevityPenalty, 3)} "
                + $"ratio = {PythonText.Fixed(ratio, 3)} hyp_len = {hypothesis:F0} ref_len = {reference:F0})",
            Measures = measures,
        };
    }

    private double SmoothValue => _options.SmoothValue ?? (_options.Smoothing == BleuSmoothing.AddK ? 1 : 0.1);

    private (double Score, double[] Precisions, double BrevityPenalty) Compute(ReadOnlySpan<double> sums)
    {
        var (hypothesis, reference) = (sums[0], sums[1]);
        var order = _options.MaxNgramOrder;
        var matches = sums.Slice(2, order);
        var totals = sums.Slice(2 + order, order);
        var penalty = hypothesis >= reference ? 1 : hypothesis > 0 ? Math.Exp(1 - (reference / hypothesis)) : 0;
        var precisions = new double[order];
        if (!matches.ContainsAnyExcept(0))
            return (0, precisions, penalty);

        var halvings = 1.0;
        var effective = order;
        for (var n = 0; n < order; n++)
        {
            var more = _options.Smoothing == BleuSmoothing.AddK && n > 0 ? SmoothValue : 0;
            var (match, total) = (matches[n] + more, totals[n] + more);
            if (total == 0)
                break;
            if (_options.EffectiveOrder)
                effective = n + 1;
            precisions[n] = match > 0 ? 100 * match / total : _options.Smoothing switch
            {
                BleuSmoothing.Exp => 100 / ((halvings *= 2) * total),
                BleuSmoothing.Floor => 100 * SmoothValue / total,
                _ => 0,
            };
        }

        // The logarithm of 0 is a number so small that nothing is left of the score.
        var logarithms = 0.0;
        foreach (var precision in precisions.AsSpan(0, effective))
            logarithms += precision == 0 ? -9999999999 : Math.Log(precision);
        return (penalty * Math.Exp(logarithms / effective), precisions, penalty);
    }

    private sealed class Meter(BleuOptions options, SegmentTokenizer tokenizer) : SegmentMeter
    {
        private readonly NgramMatcher _matcher = new(options.MaxNgramOrder);
        private readonly SegmentWords _words = new(tokenizer, options.Lowercase);

        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics)
        {
            _matcher.Clear();
            _words.Clear();
            Span<int> lengths = stackalloc int[references.Count];
            for (var i = 0; i < references.Count; i++)
            {
                var reference = _words.Read(references[i]);
                lengths[i] = reference.Length;
                _matcher.AddReference(reference);
            }

            var words = _words.Find(hypothesis);
            var closest = lengths[0];
            foreach (var length in lengths[1..])
            {
                var nearer = Math.Abs(words.Length - length) - Math.Abs(words.Length - closest);
                if (nearer < 0 || (nearer == 0 && length < closest))
                    closest = length;
            }

            (statistics[0], statistics[1]) = (words.Length, closest);
            _matcher.Match(words, statistics[2..]);
            for (var n = 0; n < options.MaxNgramOrder; n++)
                statistics[2 + options.MaxNgramOrder + n] = Math.Max(0, words.Length - n);
        }
    }
}
