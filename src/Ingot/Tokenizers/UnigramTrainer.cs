using System.Text;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers;

/// <summary>How Unigram vocabularies are trained.</summary>
public sealed record UnigramTrainerOptions
{
    /// <summary>How many ids to reach, special tokens and characters included. Poor text gives fewer.</summary>
    public int VocabularySize { get; init; } = 8192;

    /// <summary>Lower case.</summary>
    public bool Lowercase { get; init; }

    /// <summary>
    /// Which part of the text's characters the vocabulary covers, more than 0 and at most 1. Rarer ones are unknown, or bytes.
    /// </summary>
    public double CharacterCoverage { get; init; } = 1;

    /// <summary>
    /// Whether characters that the vocabulary lacks are written as tokens of their bytes, 256 in all, and nothing is unknown.
    /// </summary>
    public bool ByteFallback { get; init; }

    /// <summary>Further special tokens, behind &lt;pad&gt;, &lt;/s&gt; and &lt;unk&gt;.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>How many pieces to begin with at most.</summary>
    internal int SeedSize { get; init; } = 1_000_000;
}

/// <summary>
/// Trains a Unigram vocabulary (Kudo 2018) as SentencePiece does: from many pieces, expectation maximization finds the probabilities under
/// which the text is likeliest, and those pieces go whose loss costs the least, a quarter at a time. T5's pipeline is around it: NFKC,
/// white space is a single space, and a word begins with the mark ▁.
/// </summary>
public static class UnigramTrainer
{
    private const string Pad = "<pad>";
    private const string Eos = "</s>";
    private const string Unk = "<unk>";

    // SentencePiece's: how many pieces stay in each step, how many more than asked for the last step leaves, and how often a piece must
    // be expected to stay.
    private const double Shrinking = 0.75;
    private const double Margin = 1.1;
    private const double LeastExpected = 0.5;
    private const int Expectations = 2;

    // Sums are made in so many parts, always the same, whatever the number of threads.
    private const int Parts = 16;

    /// <summary>Trains on text that is in memory or made on the way; every string is a text of its own.</summary>
    /// <remarks>The rest is as for UTF-8 pieces.</remarks>
    public static Tokenizer Train(
        IEnumerable<string> texts,
        UnigramTrainerOptions? options = null,
        IProgress<TokenizerTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Train(texts.Select(text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text)), options, progress, cancellationToken);

    /// <summary>Trains on UTF-8 text, on all cores. The result is the same on any number of them.</summary>
    /// <param name="utf8Pieces">The text. Every piece is a text of its own, or cut from one before white space.</param>
    /// <param name="options">Size and kind of the vocabulary.</param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidDataException">
    /// There is no text, its characters are more than the vocabulary has room for, or a special token is empty, holds white space or comes
    /// twice.
    /// </exception>
    /// <exception cref="InvalidOperationException">The distinct words take more than 2 GiB.</exception>
    public static Tokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        UnigramTrainerOptions? options = null,
        IProgress<TokenizerTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(utf8Pieces);
        options ??= new UnigramTrainerOptions();
        TrainedVocabulary.CheckCoverage(options.CharacterCoverage);
        string[] specials = [Pad, Eos, Unk, .. options.SpecialTokens];
        var bytes = options.ByteFallback ? Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>").ToArray() : [];
        var normalizer = new NormalizerSequence(
        [
            new Nmt(), new UnicodeForm(NormalizationForm.FormKC), .. options.Lowercase ? [new Lowercase()] : (Normalizer[])[],
            new Replace(TextPattern.OfRegex(TextPattern.RepeatedSpaces), " "),
        ]);
        var preTokenizer = new Metaspace(Mark);
        var counted = WordCounts.Of(utf8Pieces, specials, normalizer, preTokenizer, progress, cancellationToken);
        var characters = counted.Characters(options.CharacterCoverage);
        var kept = specials.Length + bytes.Length;
        TrainedVocabulary.CheckSize(options.VocabularySize, kept + characters.Count, characters.Count, kept);

        var training = new Training(CoveredParts(counted, characters), progress, counted, cancellationToken);
        var pieces = training.Learn(options.VocabularySize - kept, options.SeedSize, [.. specials, .. bytes]);
        return Make(specials, bytes, pieces, normalizer, preTokenizer);
    }

    private static MetaspaceOptions Mark { get; } = new('▁', PrependScheme.Always, Split: true);

    // Words without the characters that are not covered, which end a part.
    private static WordCounts CoveredParts(WordCounts words, SortedSet<int> characters)
    {
        var parts = new WordCounts();
        for (var word = 0; word < words.Words.Count; word++)
        {
            var utf8 = words.Words[word];
            var start = 0;
            for (int at = 0, length; at < utf8.Length; at += length)
            {
                Rune.DecodeFromUtf8(utf8[at..], out var rune, out length);
                if (!characters.Contains(rune.Value))
                {
                    Add(utf8[start..at], words.Counts[word]);
                    start = at + length;
                }
            }

            Add(utf8[start..], words.Counts[word]);
        }

        return parts.Sorted();

        void Add(ReadOnlySpan<byte> part, long count)
        {
            if (part.Length > 0)
            {
                parts.Add(part, count);
            }
        }
    }

    private static PipelineTokenizer Make(
        string[] specials, string[] bytes, List<Piece> pieces, Normalizer normalizer, PreTokenizer preTokenizer)
    {
        string[] tokens = [.. specials, .. bytes, .. pieces.Select(piece => Encoding.UTF8.GetString(piece.Utf8))];
        double[] scores = [.. new double[specials.Length + bytes.Length], .. pieces.Select(piece => piece.Score)];
        TokenDecoder decoder = new MetaspaceDecoder(Mark);
        return TokenizerFolder.Make(new TokenizerParts
        {
            AddedTokens = TrainedVocabulary.Special(specials),
            Normalizer = normalizer,
            PreTokenizer = preTokenizer,
            Model = new UnigramModel(Vocabulary.Of(tokens), scores, Array.IndexOf(specials, Unk), bytes.Length > 0),
            PostProcessor = TemplateProcessing.Of([], [(Eos, Array.IndexOf(specials, Eos))]),
            Decoder = bytes.Length > 0 ? new DecoderSequence([new ByteFallback(), decoder]) : decoder,
            Roles = new SpecialTokenRoles { Eos = Eos, Unk = Unk, Pad = Pad },
        });
    }

    private readonly record struct Piece(byte[] Utf8, double Score);

    private sealed class Training(
        WordCounts words, IProgress<TokenizerTrainingProgress>? progress, WordCounts all, CancellationToken cancellationToken)
    {
        private readonly (int Start, int End)[] _parts = PartsOf(words);
        private readonly HashSet<string> _notPieces = new(StringComparer.Ordinal);

        /// <summary>Learns so many pieces at most, the likeliest first.</summary>
        public List<Piece> Learn(int size, int seedSize, IEnumerable<string> notPieces)
        {
            _notPieces.UnionWith(notPieces);
            Report("seeding", 0);
            var pieces = Seeds(seedSize);
            while (true)
            {
                for (var i = 0; i < Expectations; i++)
                {
                    Report("pruning", pieces.Count);
                    pieces = Maximize(pieces, Expect(pieces));
                }

                if (pieces.Count <= Math.Max(size, (int)(size * Margin)))
                {
                    break;
                }

                pieces = Prune(pieces, Math.Max((int)(pieces.Count * Shrinking), (int)(size * Margin)));
            }

            // Characters stay; what is left goes to the likeliest.
            var chosen = pieces.Where(piece => IsCharacter(piece.Utf8)).ToList();
            chosen.AddRange(pieces.Where(piece => !IsCharacter(piece.Utf8)).OrderByDescending(piece => piece.Score)
                .ThenBy(piece => piece.Utf8, Ordinal).Take(size - chosen.Count));
            Report("pruning", chosen.Count);
            return [.. chosen.OrderByDescending(piece => piece.Score).ThenBy(piece => piece.Utf8, Ordinal)];
        }

        private static Comparer<byte[]> Ordinal { get; } = Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b));

        private static bool IsCharacter(byte[] utf8) => Rune.DecodeFromUtf8(utf8, out _, out var length) == 0 && length == utf8.Length;

        // Parts of about the same number of bytes.
        private static (int Start, int End)[] PartsOf(WordCounts words)
        {
            var parts = new List<(int, int)>();
            var (start, bytes) = (0, 0L);
            for (var word = 0; word < words.Words.Count; word++)
            {
                bytes += words.Words[word].Length;
                if (bytes * Parts >= (parts.Count + 1L) * words.Words.ByteCount)
                {
                    parts.Add((start, word + 1));
                    start = word + 1;
                }
            }

            return [.. parts];
        }

        private List<Piece> Seeds(int seedSize)
        {
            byte[][] list = [.. Enumerable.Range(0, words.Words.Count).Select(word => words.Words[word].ToArray())];
            var seeds = UnigramSeeds.Find(list, words.Counts, seedSize, cancellationToken)
                .Where(seed => !_notPieces.Contains(Encoding.UTF8.GetString(seed.Piece))).ToList();
            var sum = Math.Log(seeds.Sum(seed => seed.Score));
            return [.. seeds.Select(seed => new Piece(seed.Piece, Math.Log(seed.Score) - sum))];
        }

        // How often each piece is expected.
        private double[] Expect(List<Piece> pieces) => SumOfParts(pieces, (lattice, part, sums) =>
        {
            for (var word = part.Start; word < part.End; word++)
            {
                lattice.AddExpected(words.Words[word], words.Counts[word], sums);
            }
        });

        // The variational Bayesian estimate, which makes rare pieces rarer still.
        private static List<Piece> Maximize(List<Piece> pieces, double[] expected)
        {
            var result = new List<Piece>(pieces.Count);
            var kept = pieces.Index().Where(piece => expected[piece.Index] >= LeastExpected || IsCharacter(piece.Item.Utf8)).ToList();
            var sum = Digamma(kept.Sum(piece => Math.Max(LeastExpected, expected[piece.Index])));
            foreach (var (i, piece) in kept)
            {
                result.Add(piece with { Score = Digamma(Math.Max(LeastExpected, expected[i])) - sum });
            }

            return result;
        }

        // Every piece that can be written with others has a loss: how much less likely the text is without it. The greatest losses stay.
        private List<Piece> Prune(List<Piece> pieces, int size)
        {
            // How often each piece is used in the best ways to write the words, and in how many words.
            var uses = SumOfParts(pieces, 2 * pieces.Count, (lattice, part, sums) =>
            {
                var best = new List<int>();
                for (var word = part.Start; word < part.End; word++)
                {
                    lattice.Best(words.Words[word], withWhole: true, best);
                    best.Sort();
                    foreach (var (i, piece) in best.Index())
                    {
                        sums[piece] += words.Counts[word];
                        sums[pieces.Count + piece] += i == 0 || best[i - 1] != piece ? words.Counts[word] : 0;
                    }
                }
            });
            var wordSum = words.Counts.Sum(count => (double)count);
            var useSum = uses.Take(pieces.Count).Sum();
            var lattice = new UnigramLattice(TrieOf(pieces), [.. pieces.Select(piece => piece.Score)]);
            var others = new List<int>();
            var kept = new List<int>();
            var losses = new List<(int Piece, double Loss)>();
            for (var i = 0; i < pieces.Count; i++)
            {
                if (IsCharacter(pieces[i].Utf8))
                {
                    kept.Add(i);
                    continue;
                }

                if (uses[i] == 0)
                {
                    continue;
                }

                // What the piece would be written with takes over its uses.
                lattice.Best(pieces[i].Utf8, withWhole: false, others);
                var otherSum = Math.Log(useSum + (uses[i] * (others.Count - 1)));
                var withOthers = others.Sum(other => Math.Log(uses[other] + uses[i]) - otherSum);
                losses.Add((i, uses[pieces.Count + i] / wordSum * (Math.Log(uses[i]) - Math.Log(useSum) - withOthers)));
            }

            kept.AddRange(losses.OrderByDescending(loss => loss.Loss).ThenBy(loss => loss.Piece)
                .Take(Math.Max(0, size - kept.Count)).Select(loss => loss.Piece));
            return [.. kept.Order().Select(i => pieces[i])];
        }

        private double[] SumOfParts(List<Piece> pieces, Action<UnigramLattice, (int Start, int End), double[]> add) =>
            SumOfParts(pieces, pieces.Count, add);

        // The parts are summed up in their order: sums of doubles depend on it.
        private double[] SumOfParts(List<Piece> pieces, int length, Action<UnigramLattice, (int Start, int End), double[]> add)
        {
            var trie = TrieOf(pieces);
            double[] scores = [.. pieces.Select(piece => piece.Score)];
            var sums = new double[_parts.Length][];
            Parallel.For(
                0,
                _parts.Length,
                new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount },
                part =>
                {
                    sums[part] = new double[length];
                    add(new UnigramLattice(trie, scores), _parts[part], sums[part]);
                });
            for (var part = 1; part < sums.Length; part++)
            {
                for (var i = 0; i < length; i++)
                {
                    sums[0][i] += sums[part][i];
                }
            }

            return sums[0];
        }

        private static ByteTrie TrieOf(List<Piece> pieces) => new([.. pieces.Select(piece => piece.Utf8)]);

        private void Report(string step, int size) =>
            progress?.Report(new TokenizerTrainingProgress(step, all.TextBytes, all.Words.Count, size));
    }

    // The logarithmic derivative of the gamma function: its recurrence up to 7, and Stirling's series from there.
    internal static double Digamma(double x)
    {
        var result = 0.0;
        for (; x < 7; x++)
        {
            result -= 1 / x;
        }

        var square = 1 / (x * x);
        return result + Math.Log(x) - (0.5 / x)
            - (square * ((1.0 / 12) - (square * ((1.0 / 120) - (square * ((1.0 / 252) - (square / 240)))))));
    }
}
