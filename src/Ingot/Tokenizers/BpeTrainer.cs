using System.Text;
using Ingot.Tokenizers.Models;

namespace Ingot.Tokenizers;

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
        IProgress<TokenizerTrainingProgress>? progress = null,
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
        IProgress<TokenizerTrainingProgress>? progress = null,
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
        var words = WordCounts.Of(utf8Pieces, specialTokens, Gpt2PreTokenizer.Next, progress, cancellationToken);
        var alphabet = ByteSymbols.InSymbolOrder();
        var idOfByte = new int[256];
        for (var i = 0; i < alphabet.Length; i++)
        {
            idOfByte[alphabet[i]] = specialTokens.Count + i;
        }

        var learner = new BpeMergeLearner(
            [.. specialTokens.Select(Encoding.UTF8.GetBytes), .. alphabet.Select(b => new[] { b })],
            (word, symbols) =>
            {
                foreach (var b in word)
                {
                    symbols.Add(idOfByte[b]);
                }
            },
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
        var specials = specialTokens.Index().ToDictionary(token => token.Index, token => token.Item);
        return new ByteLevelBpeTokenizer([.. learner.Tokens], [.. learner.Merges], specials, endOfText);

        void Report() =>
            progress?.Report(new TokenizerTrainingProgress("merging", words.TextBytes, words.Words.Count, learner.Tokens.Count));
    }
}
