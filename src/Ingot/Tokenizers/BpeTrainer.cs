using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Text;
using Ingot.Tokenizers.Models;

namespace Ingot.Tokenizers;

/// <summary>How far training a BPE vocabulary has come.</summary>
/// <param name="TextBytes">Bytes of text counted so far.</param>
/// <param name="DistinctWords">Distinct pre-tokens found; 0 until all text is counted.</param>
/// <param name="VocabularySize">Tokens so far, special tokens and bytes included.</param>
public readonly record struct BpeTrainingProgress(long TextBytes, long DistinctWords, int VocabularySize);

/// <summary>
/// Trains the byte-level BPE vocabulary that GPT-2's pre-tokens and Hugging Face's trainer would give: ids begin with the special
/// tokens, then the 256 bytes in the order of their symbols, then the merges, commonest pair first and, of equally common ones, the
/// smallest ids first. Special tokens in the text are left out of the count.
/// </summary>
public static class BpeTrainer
{
    /// <summary>Trains on text that is in memory or made on the way.</summary>
    /// <remarks>Every string is a text of its own. The rest is as for UTF-8 pieces.</remarks>
    public static ByteLevelBpeTokenizer Train(
        IEnumerable<string> texts,
        int vocabularySize,
        int minFrequency = 2,
        IReadOnlyList<string>? specialTokens = null,
        IProgress<BpeTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Train(
            texts.Select(text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text)),
            vocabularySize,
            minFrequency,
            specialTokens,
            progress,
            cancellationToken);

    /// <summary>Trains on UTF-8 text, on all cores.</summary>
    /// <param name="utf8Pieces">
    /// The text. Every piece is a text of its own, or cut from one before white space that follows something else.
    /// </param>
    /// <param name="vocabularySize">
    /// How many ids to reach, special tokens and the 256 bytes included. A text without enough pairs that come
    /// <paramref name="minFrequency"/> times gives fewer: see <see cref="Tokenizer.VocabularySize"/> of the result.
    /// </param>
    /// <param name="minFrequency">How often a pair must come to be merged, from 1 on.</param>
    /// <param name="specialTokens">
    /// Special tokens, which get the ids from 0 on; by default <see cref="ByteLevelBpeTokenizer.EndOfText"/> alone.
    /// </param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary is too small for the bytes and special tokens.</exception>
    /// <exception cref="InvalidDataException">There is no text, or a special token is empty, holds white space or comes twice.</exception>
    /// <exception cref="InvalidOperationException">The distinct pre-tokens take more than 2 GiB.</exception>
    public static ByteLevelBpeTokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        int vocabularySize,
        int minFrequency = 2,
        IReadOnlyList<string>? specialTokens = null,
        IProgress<BpeTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(utf8Pieces);
        specialTokens ??= [ByteLevelBpeTokenizer.EndOfText];
        var smallest = 256 + specialTokens.Count;
        if (vocabularySize < smallest)
        {
            throw new ArgumentOutOfRangeException(
                nameof(vocabularySize),
                vocabularySize,
                $"A vocabulary of {vocabularySize} is too small: 256 bytes and {specialTokens.Count} special tokens take {smallest}.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(minFrequency, 1);
        if (specialTokens.Distinct().Count() != specialTokens.Count)
        {
            throw new InvalidDataException($"A special token is given twice: {string.Join(", ", specialTokens)}.");
        }

        // The text comes in pieces that are cut at white space, which must not be inside a token.
        if (specialTokens.FirstOrDefault(token => token.Length == 0 || token.Any(char.IsWhiteSpace)) is { } bad)
        {
            throw new InvalidDataException($"The special token \"{bad}\" is empty or holds white space, which is not supported.");
        }

        var specials = specialTokens.Index().ToDictionary(token => token.Index, token => token.Item);
        var words = CountWords(utf8Pieces, new SpecialTokens(specials), progress, cancellationToken);
        if (words.TextBytes == 0)
        {
            throw new InvalidDataException("There is no text to train a vocabulary on.");
        }

        var alphabet = ByteSymbols.InSymbolOrder();
        var idOfByte = new int[256];
        for (var i = 0; i < alphabet.Length; i++)
        {
            idOfByte[alphabet[i]] = specialTokens.Count + i;
        }

        var learner = new BpeMergeLearner(
            [.. specialTokens.Select(Encoding.UTF8.GetBytes), .. alphabet.Select(b => new[] { b })],
            idOfByte,
            words.Words,
            words.Counts,
            minFrequency);
        learner.Learn(
            vocabularySize,
            () =>
            {
                if (learner.Merges.Count % 256 == 0)
                {
                    Report();
                }
            },
            cancellationToken);
        Report();

        var endOfText = specialTokens.Contains(ByteLevelBpeTokenizer.EndOfText) ? ByteLevelBpeTokenizer.EndOfText : null;
        return new ByteLevelBpeTokenizer([.. learner.Tokens], [.. learner.Merges], specials, endOfText);

        void Report() => progress?.Report(new BpeTrainingProgress(words.TextBytes, words.Words.Count, learner.Tokens.Count));
    }

    private static WordCounts CountWords(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        SpecialTokens specials,
        IProgress<BpeTrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        var total = new WordCounts();
        var textBytes = 0L;
        try
        {
            Parallel.ForEach(
                Partitioner.Create(utf8Pieces, EnumerablePartitionerOptions.NoBuffering),
                new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount },
                () => new WordCounts(),
                (piece, _, counts) =>
                {
                    counts.Count(piece.Span, specials);
                    progress?.Report(new BpeTrainingProgress(Interlocked.Add(ref textBytes, piece.Length), 0, 0));
                    return counts;
                },
                counts =>
                {
                    lock (total)
                    {
                        total.Add(counts);
                    }
                });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.Flatten().InnerExceptions[0]);
        }

        return total;
    }

    /// <summary>Distinct pre-tokens and how often each comes.</summary>
    private sealed class WordCounts
    {
        public ByteStringMap Words { get; } = new();

        public List<long> Counts { get; } = [];

        public long TextBytes { get; private set; }

        public void Count(ReadOnlySpan<byte> text, SpecialTokens specials)
        {
            TextBytes += text.Length;
            while (specials.Find(text, out var at, out var length, out _))
            {
                CountOrdinary(text[..at]);
                text = text[(at + length)..];
            }

            CountOrdinary(text);
        }

        public void Add(WordCounts other)
        {
            TextBytes += other.TextBytes;
            for (var word = 0; word < other.Words.Count; word++)
            {
                Add(other.Words[word], other.Counts[word]);
            }
        }

        private void CountOrdinary(ReadOnlySpan<byte> text)
        {
            for (var start = 0; start < text.Length;)
            {
                var end = Gpt2PreTokenizer.Next(text, start);
                Add(text[start..end], 1);
                start = end;
            }
        }

        private void Add(ReadOnlySpan<byte> word, long count)
        {
            var number = Words.FindOrAdd(word, out var added);
            if (added)
            {
                Counts.Add(0);
            }

            Counts[number] += count;
        }
    }
}
