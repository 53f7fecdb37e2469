using Ingot.Evaluation.Segmentation;

namespace Ingot.Evaluation;

/// <summary>How ROUGE is computed; the defaults are rouge_score's.</summary>
public sealed record RougeOptions
{
    /// <summary>Whether words of more than three letters count by their stems.</summary>
    public bool UseStemmer { get; init; }

    /// <summary>
    /// Whether rougeLsum finds the sentences of running text by rules; otherwise each line is one. rouge_score's split_summaries does it
    /// with NLTK's Punkt, which differs now and then.
    /// </summary>
    public bool SplitSummaries { get; init; }

    /// <summary>
    /// rouge for words of the letters a to z and digits; for other scripts one of BLEU's tokenizers: 13a, intl, zh, char, none.
    /// </summary>
    public string Tokenize { get; init; } = "rouge";
}

/// <summary>
/// ROUGE (Lin 2004) as Google's rouge_score computes it; from 0 to 1. The score is the mean of the segments' F-measures; of several
/// references the one with the best F-measure counts.
/// </summary>
public sealed class RougeMetric : TextMetric
{
    private readonly RougeOptions _options;
    private readonly SegmentTokenizer _tokenizer;
    private readonly int _order; // 0 for the longest common subsequence.
    private readonly bool _bySentence;

    /// <summary>Makes it.</summary>
    /// <param name="type">
    /// rouge1 to rouge9: n-grams; rougeL: longest common subsequence of the texts; rougeLsum: of their lines, each of which is a sentence.
    /// </param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no such type or tokenizer.</exception>
    public RougeMetric(string type, RougeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(type);
        _options = options ?? new();
        _tokenizer = _options.Tokenize == "rouge" ? new TokenizerRouge() : SegmentTokenizer.Create(_options.Tokenize);
        _bySentence = type == "rougeLsum";
        _order = type.Length == 6 && type[..5] == "rouge" && type[5] is >= '1' and <= '9' ? type[5] - '0' : 0;
        if (_order == 0 && type is not ("rougeL" or "rougeLsum"))
            throw new ArgumentException($"there is no \"{type}\": take rouge1 to rouge9, rougeL or rougeLsum");
        Name = type;
    }

    /// <inheritdoc/>
    public override string Name { get; }

    internal override int Width => 4;

    internal override IReadOnlyList<string> ValueNames => ["fmeasure", "precision", "recall"];

    internal override int MoreDecimals => 2;

    internal override IntervalKind Interval => IntervalKind.Percentiles;

    internal override SegmentMeter CreateMeter() => new Meter(this);

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values)
    {
        for (var i = 0; i < values.Length; i++)
            values[i] = sums[i] / sums[3];
    }

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature)
    {
        var (precision, recall) = (sums[1] / sums[3], sums[2] / sums[3]);
        signature.Add("stemmer", _options.UseStemmer).Add("tok", _tokenizer.Name);
        if (_bySentence)
            signature.Add("split", _options.SplitSummaries ? "rules" : "lines");
        return new MetricScore(Name, value, signature.Add("version", "rouge_score-0.1.2+ingot"))
        {
            Verbose = $"(P = {PythonText.Fixed(precision, 4)} R = {PythonText.Fixed(recall, 4)})",
            Measures = new Dictionary<string, double> { ["fmeasure"] = value, ["precision"] = precision, ["recall"] = recall },
        };
    }

    private sealed class Meter(RougeMetric metric) : SegmentMeter
    {
        private readonly NgramMatcher _matcher = new(Math.Max(1, metric._order));
        private readonly SegmentWords _words = new(metric._tokenizer, lowercase: true, metric._options.UseStemmer);
        private readonly double[] _matches = new double[Math.Max(1, metric._order)];

        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics)
        {
            var best = -1.0;
            for (var i = 0; i < references.Count; i++)
            {
                _words.Clear();
                var (hits, predicted, target) = metric._order > 0 ? CountNgrams(hypothesis, references[i])
                    : metric._bySentence ? CountSentences(hypothesis, references[i])
                    : CountSequence(hypothesis, references[i]);
                var (precision, recall) = (hits / Math.Max(predicted, 1), hits / Math.Max(target, 1));
                var f = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
                if (f > best)
                    (best, statistics[0], statistics[1], statistics[2]) = (f, f, precision, recall);
            }

            statistics[3] = 1;
        }

        private (double Hits, double Predicted, double Target) CountNgrams(ReadOnlySpan<char> hypothesis, ReadOnlySpan<char> reference)
        {
            var order = metric._order;
            _matcher.Clear();
            Array.Clear(_matches);
            var target = _words.Read(reference);
            var targets = Math.Max(0, target.Length - order + 1);
            _matcher.AddReference(target);
            var words = _words.Find(hypothesis);
            _matcher.Match(words, _matches);
            return (_matches[order - 1], Math.Max(0, words.Length - order + 1), targets);
        }

        private (double Hits, double Predicted, double Target) CountSequence(ReadOnlySpan<char> hypothesis, ReadOnlySpan<char> reference)
        {
            int[] target = [.. _words.Read(reference)];
            var words = _words.Find(hypothesis);
            return (LongestCommonSubsequence.Length(target, words), words.Length, target.Length);
        }

        // For each sentence of the reference, the words in a longest common subsequence with some sentence of the hypothesis; but no word
        // more often than both texts have it, as ROUGE-1.5.5 counts.
        private (double Hits, double Predicted, double Target) CountSentences(ReadOnlySpan<char> hypothesis, ReadOnlySpan<char> reference)
        {
            var targets = Sentences(reference);
            var predictions = Sentences(hypothesis);
            var inTarget = Counts(targets);
            var inPrediction = Counts(predictions);
            var hits = 0;
            foreach (var target in targets)
            {
                var isHit = new bool[target.Length];
                foreach (var prediction in predictions)
                    LongestCommonSubsequence.Mark(target, prediction, isHit);
                for (var i = 0; i < target.Length; i++)
                {
                    if (isHit[i] && inTarget[target[i]] > 0 && inPrediction[target[i]] > 0)
                    {
                        hits++;
                        inTarget[target[i]]--;
                        inPrediction[target[i]]--;
                    }
                }
            }

            return (hits, predictions.Sum(sentence => sentence.Length), targets.Sum(sentence => sentence.Length));
        }

        private List<int[]> Sentences(ReadOnlySpan<char> text)
        {
            var sentences = new List<int[]>();
            if (metric._options.SplitSummaries)
            {
                var whole = text.ToString();
                foreach (var sentence in SentenceRules.Split(whole))
                    sentences.Add([.. _words.Read(whole.AsSpan(sentence))]);
                return sentences;
            }

            foreach (var line in text.Split('\n'))
                sentences.Add([.. _words.Read(text[line])]);
            return sentences;
        }

        private int[] Counts(List<int[]> sentences)
        {
            var counts = new int[_words.Different];
            foreach (var word in sentences.SelectMany(sentence => sentence))
                counts[word]++;
            return counts;
        }
    }
}
