using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Text;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.PreTokenizers;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers;

/// <summary>Distinct words of a text and how often each comes: all that trainers of vocabularies need to know of it.</summary>
internal sealed class WordCounts
{
    private const int LongestChunk = 64; // Longer ones hardly ever come twice.

    private readonly List<long> _counts = [];

    /// <summary>Where the word that begins at a place of a text ends.</summary>
    public delegate int Cutter(ReadOnlySpan<byte> utf8, int start);

    private delegate void TextCounter<T>(T counts, ReadOnlySpan<byte> text);

    public ByteStringMap Words { get; } = new();

    public IReadOnlyList<long> Counts => _counts;

    public long TextBytes { get; private set; }

    /// <summary>Counts the words of a text on all cores. In which order they come is left to chance: see <see cref="Sorted"/>.</summary>
    /// <param name="utf8Pieces">Valid UTF-8; no word lies in two pieces.</param>
    /// <param name="specialTokens">Are left out, and end a word.</param>
    /// <param name="cutter">What a word is.</param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="InvalidDataException">
    /// There is no text, or a special token is empty, holds white space or comes twice.
    /// </exception>
    /// <exception cref="InvalidOperationException">The distinct words take more than 2 GiB.</exception>
    public static WordCounts Of(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        IReadOnlyList<string> specialTokens,
        Cutter cutter,
        IProgress<TokenizerTrainingProgress>? progress,
        CancellationToken cancellationToken) =>
        CountAll<WordCounts>(
            utf8Pieces,
            specialTokens,
            (counts, text) =>
            {
                counts.TextBytes += text.Length;
                for (int start = 0, end; start < text.Length; start = end)
                {
                    end = cutter(text, start);
                    counts.Add(text[start..end], 1);
                }
            },
            (total, counts) => total.Add(counts),
            progress,
            cancellationToken);

    /// <summary>
    /// The words that a normalizer and a pre-tokenizer make of a text, in the order of their bytes. Both go by chunks
    /// (<see cref="SpacedChunks"/>), so they see short chunks once, and only long ones as often as they come.
    /// </summary>
    public static WordCounts Of(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        IReadOnlyList<string> specialTokens,
        Normalizer? normalizer,
        PreTokenizer preTokenizer,
        IProgress<TokenizerTrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        var counts = CountAll<ChunkCounts>(
            utf8Pieces,
            specialTokens,
            (counts, text) =>
            {
                counts.Words.TextBytes += text.Length;
                for (int start = 0, end; start < text.Length; start = end)
                {
                    end = SpacedChunks.Next(text, start);
                    var chunk = text[start..end];
                    if (chunk.Length > LongestChunk)
                    {
                        AddWords(chunk, 1, counts.Words);
                    }
                    else
                    {
                        counts.Chunks.Add(chunk, 1);
                    }
                }
            },
            (total, counts) =>
            {
                total.Chunks.Add(counts.Chunks);
                total.Words.Add(counts.Words);
            },
            progress,
            cancellationToken);
        for (var chunk = 0; chunk < counts.Chunks.Words.Count; chunk++)
        {
            if (chunk % 4096 == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            AddWords(counts.Chunks.Words[chunk], counts.Chunks.Counts[chunk], counts.Words);
        }

        return counts.Words.Words.Count > 0
            ? counts.Words.Sorted()
            : throw new InvalidDataException("There is no text to train a vocabulary on, only white space and control characters.");

        void AddWords(ReadOnlySpan<byte> chunk, long count, WordCounts result)
        {
            var text = AlignedText.Of(Encoding.UTF8.GetString(chunk));
            text = normalizer?.Apply(text) ?? text;
            var words = new List<AlignedText>();
            if (text.Length > 0)
            {
                preTokenizer.Cut(text, words);
            }

            foreach (var word in words)
            {
                result.Add(word.ToUtf8(), count);
            }
        }
    }

    /// <summary>Counts a word.</summary>
    public void Add(ReadOnlySpan<byte> word, long count)
    {
        var number = Words.FindOrAdd(word, out var added);
        if (added)
        {
            _counts.Add(0);
        }

        _counts[number] += count;
    }

    /// <summary>The same words in the order of their bytes, which no thread has a part in.</summary>
    public WordCounts Sorted()
    {
        var order = Enumerable.Range(0, Words.Count).ToArray();
        Array.Sort(order, (a, b) => Words[a].SequenceCompareTo(Words[b]));
        var result = new WordCounts { TextBytes = TextBytes };
        foreach (var word in order)
        {
            result.Add(Words[word], _counts[word]);
        }

        return result;
    }

    /// <summary>
    /// The characters (code points) of the words, in ascending order. The rarest are left out, as long as the others make up
    /// <paramref name="coverage"/> of all.
    /// </summary>
    public SortedSet<int> Characters(double coverage)
    {
        var counts = new Dictionary<int, long>();
        for (var word = 0; word < Words.Count; word++)
        {
            foreach (var codePoint in CodePoints.OfUtf8(Words[word]))
            {
                counts[codePoint] = counts.GetValueOrDefault(codePoint) + _counts[word];
            }
        }

        var wanted = coverage * counts.Values.Sum();
        var covered = 0L;
        var result = new SortedSet<int>();
        foreach (var (codePoint, count) in counts.OrderByDescending(character => character.Value).ThenBy(character => character.Key))
        {
            if (covered >= wanted)
            {
                break;
            }

            result.Add(codePoint);
            covered += count;
        }

        return result;
    }

    private static void CheckSpecialTokens(IReadOnlyList<string> specialTokens)
    {
        if (specialTokens.Distinct().Count() != specialTokens.Count)
        {
            throw new InvalidDataException($"A special token is given twice: {string.Join(", ", specialTokens)}.");
        }

        // The text comes in pieces that are cut at white space, which must not be inside a token.
        if (specialTokens.FirstOrDefault(token => token.Length == 0 || token.Any(char.IsWhiteSpace)) is { } bad)
        {
            throw new InvalidDataException($"The special token \"{bad}\" is empty or holds white space, which is not supported.");
        }
    }

    // Every thread counts for itself.
    private static T CountAll<T>(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        IReadOnlyList<string> specialTokens,
        TextCounter<T> count,
        Action<T, T> add,
        IProgress<TokenizerTrainingProgress>? progress,
        CancellationToken cancellationToken)
        where T : new()
    {
        CheckSpecialTokens(specialTokens);
        var specials = new SpecialTokens(specialTokens.Index().Select(token => KeyValuePair.Create(token.Index, token.Item)));
        var total = new T();
        var gate = new Lock();
        var textBytes = 0L;
        try
        {
            Parallel.ForEach(
                Partitioner.Create(utf8Pieces, EnumerablePartitionerOptions.NoBuffering),
                new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount },
                () => new T(),
                (piece, state, counts) =>
                {
                    var text = piece.Span;
                    while (specials.Find(text, out var at, out var length, out var _))
                    {
                        count(counts, text[..at]);
                        text = text[(at + length)..];
                    }

                    count(counts, text);
                    var done = Interlocked.Add(ref textBytes, piece.Length);
                    progress?.Report(new TokenizerTrainingProgress("reading", done, 0, 0));
                    return counts;
                },
                counts =>
                {
                    lock (gate)
                    {
                        add(total, counts);
                    }
                });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.Flatten().InnerExceptions[0]);
        }

        return textBytes > 0 ? total : throw new InvalidDataException("There is no text to train a vocabulary on.");
    }

    private void Add(WordCounts other)
    {
        TextBytes += other.TextBytes;
        for (var word = 0; word < other.Words.Count; word++)
        {
            Add(other.Words[word], other._counts[word]);
        }
    }

    private sealed class ChunkCounts
    {
        public WordCounts Chunks { get; } = new();

        public WordCounts Words { get; } = new();
    }
}
