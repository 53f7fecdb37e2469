namespace Ingot.Evaluation;

/// <summary>How chrF is computed; the defaults are sacreBLEU's.</summary>
public sealed record ChrfOptions
{
    /// <summary>The longest n-grams of characters.</summary>
    public int CharOrder { get; init; } = 6;

    /// <summary>The longest n-grams of words: 0 for chrF, 2 for chrF++.</summary>
    public int WordOrder { get; init; }

    /// <summary>How many times recall counts as much as precision.</summary>
    public int Beta { get; init; } = 2;

    /// <summary>Whether case counts for nothing.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Whether white space belongs to the n-grams of characters.</summary>
    public bool Whitespace { get; init; }

    /// <summary>
    /// Whether the F-scores of all orders are averaged, as chrF++.py and NLTK do, and not the orders' precisions and recalls.
    /// </summary>
    public bool EpsSmoothing { get; init; }
}

/// <summary>chrF and chrF++ (Popović 2015, 2017) as sacreBLEU defines them; from 0 to 100.</summary>
public sealed class ChrfMetric : TextMetric
{
    private readonly ChrfOptions _options;

    /// <summary>Makes it.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public ChrfMetric(ChrfOptions? options = null)
    {
        _options = options ?? new();
        if (_options.CharOrder is < 1 or > 32)
            throw new ArgumentException($"chrfCharOrder is {_options.CharOrder}; it must be from 1 to 32");
        if (_options.WordOrder is < 0 or > 16)
            throw new ArgumentException($"chrfWordOrder is {_options.WordOrder}; it must be from 0 to 16");
        if (_options.Beta is < 1 or > 100)
            throw new ArgumentException($"chrfBeta is {_options.Beta}; it must be from 1 to 100");
    }

    /// <inheritdoc/>
    public override string Name => $"chrF{_options.Beta}{new string('+', _options.WordOrder)}";

    // For each order: n-grams of the hypothesis, of the reference, and matches.
    internal override int Width => 3 * Orders;

    internal override SegmentMeter CreateMeter() => new Meter(this);

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values) => values[0] = FScore(sums);

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature) => new(Name, value, signature
        .Add("case", _options.Lowercase ? "lc" : "mixed").Add("eff", !_options.EpsSmoothing).Add("nc", _options.CharOrder)
        .Add("nw", _options.WordOrder).Add("space", _options.Whitespace).Add("version", TextMetrics.SacreBleuVersion));

    private int Orders => _options.CharOrder + _options.WordOrder;

    private double FScore(ReadOnlySpan<double> statistics)
    {
        const double epsilon = 1e-16;
        var factor = _options.Beta * _options.Beta;
        double sum = 0, precisions = 0, recalls = 0;
        var effective = 0;
        for (var order = 0; order < Orders; order++)
        {
            var (hypothesis, reference, match) = (statistics[3 * order], statistics[(3 * order) + 1], statistics[(3 * order) + 2]);
            var precision = hypothesis > 0 ? match / hypothesis : epsilon;
            var recall = reference > 0 ? match / reference : epsilon;
            var denominator = (factor * precision) + recall;
            sum += denominator > 0 ? (1 + factor) * precision * recall / denominator : epsilon;
            if (hypothesis > 0 && reference > 0)
            {
                precisions += precision;
                recalls += recall;
                effective++;
            }
        }

        if (_options.EpsSmoothing)
            return 100 * sum / Orders;
        if (effective == 0 || precisions + recalls == 0)
            return 0;
        precisions /= effective;
        recalls /= effective;
        return 100 * ((1 + factor) * precisions * recalls / ((factor * precisions) + recalls));
    }

    private sealed class Meter(ChrfMetric metric) : SegmentMeter
    {
        private readonly ChrfOptions _options = metric._options;
        private readonly NgramMatcher _chars = new(metric._options.CharOrder);
        private readonly NgramMatcher _words = new(Math.Max(1, metric._options.WordOrder));
        private readonly TokenTable _table = new();
        private readonly CharBuffer _lower = new();
        private readonly double[] _statistics = new double[metric.Width];
        private readonly double[] _matches = new double[metric.Orders];
        private readonly List<int> _hypothesisChars = [], _hypothesisWords = [], _referenceChars = [], _referenceWords = [];

        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics)
        {
            _table.Clear();
            Read(hypothesis, _hypothesisChars, _hypothesisWords);
            var best = -1.0;
            for (var i = 0; i < references.Count; i++)
            {
                Read(references[i], _referenceChars, _referenceWords);
                Array.Clear(_matches);
                Match(_chars, _hypothesisChars, _referenceChars, _matches.AsSpan(0, _options.CharOrder));
                Match(_words, _hypothesisWords, _referenceWords, _matches.AsSpan(_options.CharOrder));
                Count(0, _options.CharOrder, _hypothesisChars.Count, _referenceChars.Count);
                Count(_options.CharOrder, _options.WordOrder, _hypothesisWords.Count, _referenceWords.Count);
                var score = metric.FScore(_statistics);
                if (score > best)
                {
                    best = score;
                    _statistics.CopyTo(statistics);
                }
            }
        }

        private static void Match(NgramMatcher matcher, List<int> hypothesis, List<int> reference, Span<double> matches)
        {
            if (matches.IsEmpty)
                return;
            matcher.Clear();
            matcher.AddReference(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(reference));
            matcher.Match(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(hypothesis), matches);
        }

        // N-grams of a hypothesis for which the reference is too short do not count.
        private void Count(int first, int orders, int hypothesis, int reference)
        {
            for (var n = 0; n < orders; n++)
            {
                var inReference = Math.Max(0, reference - n);
                _statistics[3 * (first + n)] = inReference > 0 ? Math.Max(0, hypothesis - n) : 0;
                _statistics[(3 * (first + n)) + 1] = inReference;
                _statistics[(3 * (first + n)) + 2] = _matches[first + n];
            }
        }

        private void Read(ReadOnlySpan<char> text, List<int> chars, List<int> words)
        {
            if (_options.Lowercase)
            {
                _lower.Clear();
                PythonText.AppendLower(_lower, text);
                text = _lower.Span;
            }

            chars.Clear();
            words.Clear();
            foreach (var rune in text.EnumerateRunes())
            {
                if (_options.Whitespace || !rune.IsBmp || !PythonText.IsSpace((char)rune.Value))
                    chars.Add(rune.Value);
            }

            if (_options.WordOrder == 0)
                return;
            while (PythonText.NextWord(ref text, out var word))
                AddWord(word, words);
        }

        // A punctuation mark at a word's end, or else at its start, is a word of its own.
        private void AddWord(ReadOnlySpan<char> word, List<int> words)
        {
            var split = word.Length == 1 || (word.Length == 2 && char.IsSurrogate(word[0])) ? 0
                : IsPunctuation(word[^1]) ? word.Length - 1 : IsPunctuation(word[0]) ? 1 : 0;
            if (split > 0)
                words.Add(_table.Add(word[..split]));
            words.Add(_table.Add(word[split..]));
        }

        private static bool IsPunctuation(char c) => char.IsAscii(c) && (char.IsPunctuation(c) || char.IsSymbol(c));
    }
}
