using System.Runtime.InteropServices;
using Ingot.Evaluation.Segmentation;

namespace Ingot.Evaluation;

/// <summary>How METEOR is computed; the defaults are NLTK's.</summary>
public sealed record MeteorOptions
{
    /// <summary>none: what stands between white space is a word, as where NLTK is given split text; or one of BLEU's tokenizers.</summary>
    public string Tokenize { get; init; } = "none";

    /// <summary>
    /// Folder of WordNet's files for synonyms; null for that of Debian's wordnet-base, or none where it is absent; "" for no synonyms.
    /// </summary>
    public string? WordNetFolder { get; init; }
}

/// <summary>
/// METEOR as NLTK's meteor_score computes it, with the parameters of Lavie and Agarwal (2007): words are matched as they are, then by
/// Porter stem, then by WordNet synonyms; from 0 to 1. It is not Meteor 1.5. The score of a corpus is the mean of its segments'; of
/// several references the best counts.
/// </summary>
public sealed class MeteorMetric : TextMetric
{
    private const double Alpha = 0.9, Beta = 3, Gamma = 0.5;

    private readonly SegmentTokenizer _tokenizer;
    private readonly WordNet? _wordNet;

    /// <summary>Makes it, and reads WordNet if it is there.</summary>
    /// <exception cref="ArgumentException">There is no such tokenizer, or the folder has no WordNet.</exception>
    public MeteorMetric(MeteorOptions? options = null)
    {
        options ??= new();
        _tokenizer = SegmentTokenizer.Create(options.Tokenize);
        var folder = options.WordNetFolder ?? (WordNet.IsIn(WordNet.DefaultFolder) ? WordNet.DefaultFolder : "");
        if (folder.Length > 0 && !WordNet.IsIn(folder))
        {
            throw new ArgumentException(
                $"{folder} has no index.noun: name the folder of WordNet's files, as Debian's wordnet-base has them");
        }

        _wordNet = folder.Length > 0 ? WordNet.Load(folder) : null;
    }

    /// <inheritdoc/>
    public override string Name => "METEOR";

    internal override int Width => 2;

    internal override int MoreDecimals => 2;

    internal override SegmentMeter CreateMeter() => new Meter(_tokenizer, _wordNet);

    internal override void Compute(ReadOnlySpan<double> sums, Span<double> values) => values[0] = sums[0] / sums[1];

    internal override MetricScore Describe(ReadOnlySpan<double> sums, double value, MetricSignature signature) => new(Name, value, signature
        .Add("tok", _tokenizer.Name).Add("stem", "porter").Add("wn", _wordNet is not null).Add("version", "nltk+ingot"));

    private sealed class Meter(SegmentTokenizer tokenizer, WordNet? wordNet) : SegmentMeter
    {
        private const int MostSynonyms = 1 << 16;

        private readonly CharBuffer _lower = new();
        private readonly CharBuffer _separated = new();
        private readonly Dictionary<string, HashSet<string>> _synonyms = [];

        public override void Measure(ReadOnlySpan<char> hypothesis, SegmentReferences references, Span<double> statistics)
        {
            var words = Read(hypothesis);
            var best = 0.0;
            for (var i = 0; i < references.Count; i++)
                best = Math.Max(best, Score(words, Read(references[i])));
            (statistics[0], statistics[1]) = (best, 1);
        }

        private double Score(List<string> hypothesis, List<string> reference)
        {
            var matches = Align(hypothesis, reference);
            if (matches.Count == 0)
                return 0;
            var (precision, recall) = (matches.Count / (double)hypothesis.Count, matches.Count / (double)reference.Count);
            var mean = precision * recall / ((Alpha * precision) + ((1 - Alpha) * recall));
            matches.Sort();
            var chunks = 1;
            for (var i = 1; i < matches.Count; i++)
                chunks += matches[i] == (matches[i - 1].Hypothesis + 1, matches[i - 1].Reference + 1) ? 0 : 1;
            return (1 - (Gamma * Math.Pow(chunks / (double)matches.Count, Beta))) * mean;
        }

        // Each stage matches what the one before left over, which goes on as it stands there: the stems go on to the synonyms.
        private List<(int Hypothesis, int Reference)> Align(List<string> hypothesis, List<string> reference)
        {
            var matches = new List<(int, int)>();
            List<(int Place, string Word)> left = [.. hypothesis.Index()], right = [.. reference.Index()];
            Match(left, right, matches, (a, b) => a == b);
            Stem(left);
            Stem(right);
            Match(left, right, matches, (a, b) => a == b);
            if (wordNet is not null)
                Match(left, right, matches, (a, b) => Synonyms(a).Contains(b));
            return matches;
        }

        // From the end, each word takes the last that matches.
        private static void Match(List<(int Place, string Word)> left, List<(int Place, string Word)> right, List<(int, int)> matches,
            Func<string, string, bool> areSame)
        {
            for (var i = left.Count - 1; i >= 0; i--)
            {
                var word = left[i].Word;
                var j = right.FindLastIndex(other => areSame(word, other.Word));
                if (j < 0)
                    continue;
                matches.Add((left[i].Place, right[j].Place));
                left.RemoveAt(i);
                right.RemoveAt(j);
            }
        }

        private static void Stem(List<(int Place, string Word)> words)
        {
            foreach (ref var word in CollectionsMarshal.AsSpan(words))
                word.Word = PorterStemmer.Stem(word.Word);
        }

        private HashSet<string> Synonyms(string word)
        {
            if (_synonyms.TryGetValue(word, out var synonyms))
                return synonyms;
            if (_synonyms.Count == MostSynonyms)
                _synonyms.Clear();
            return _synonyms[word] = wordNet!.Synonyms(word);
        }

        private List<string> Read(ReadOnlySpan<char> text)
        {
            _lower.Clear();
            PythonText.AppendLower(_lower, PythonText.TrimEnd(text));
            var separated = tokenizer.Separate(_lower.Span, _separated);
            var words = new List<string>();
            while (PythonText.NextWord(ref separated, out var word))
                words.Add(word.ToString());
            return words;
        }
    }
}
