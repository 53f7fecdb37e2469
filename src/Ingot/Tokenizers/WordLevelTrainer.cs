using System.Text;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers;

/// <summary>How vocabularies of whole words are made.</summary>
public sealed record WordLevelTrainerOptions
{
    /// <summary>How many ids there are at most, special tokens included. The commonest words get them.</summary>
    public int VocabularySize { get; init; } = 8192;

    /// <summary>How often a word must come to get an id, from 1 on.</summary>
    public int MinFrequency { get; init; } = 2;

    /// <summary>Lower case.</summary>
    public bool Lowercase { get; init; }

    /// <summary>Further special tokens, behind &lt;pad&gt;, &lt;/s&gt; and &lt;unk&gt;.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];
}

/// <summary>
/// Makes a vocabulary of the commonest words: runs of letters and digits, and runs of punctuation. Of equally common words the first in
/// the order of their bytes counts. White space is lost: decoding puts a space between words.
/// </summary>
public static class WordLevelTrainer
{
    private const string Pad = "<pad>";
    private const string Eos = "</s>";
    private const string Unk = "<unk>";

    /// <summary>Trains on text that is in memory or made on the way; every string is a text of its own.</summary>
    /// <remarks>The rest is as for UTF-8 pieces.</remarks>
    public static Tokenizer Train(
        IEnumerable<string> texts,
        WordLevelTrainerOptions? options = null,
        IProgress<TokenizerTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Train(texts.Select(text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text)), options, progress, cancellationToken);

    /// <summary>Trains on UTF-8 text; counting it takes all cores. The result is the same on any number of them.</summary>
    /// <param name="utf8Pieces">The text. Every piece is a text of its own, or cut from one before white space.</param>
    /// <param name="options">Size and kind of the vocabulary.</param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidDataException">
    /// There is no text, or a special token is empty, holds white space or comes twice.
    /// </exception>
    /// <exception cref="InvalidOperationException">The distinct words take more than 2 GiB.</exception>
    public static Tokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        WordLevelTrainerOptions? options = null,
        IProgress<TokenizerTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(utf8Pieces);
        options ??= new WordLevelTrainerOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MinFrequency, 1);
        string[] specials = [Pad, Eos, Unk, .. options.SpecialTokens];
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.VocabularySize, specials.Length);
        var normalizer = options.Lowercase ? new Lowercase() : null;
        var preTokenizer = new Whitespace();
        var words = WordCounts.Of(utf8Pieces, specials, normalizer, preTokenizer, progress, cancellationToken);
        var chosen = Enumerable.Range(0, words.Words.Count)
            .Where(word => words.Counts[word] >= options.MinFrequency)
            .OrderByDescending(word => words.Counts[word]) // Stable: the order of the bytes stays.
            .Select(word => Encoding.UTF8.GetString(words.Words[word]))
            .Where(word => !specials.Contains(word))
            .Take(options.VocabularySize - specials.Length);
        var vocabulary = Vocabulary.Of([.. specials, .. chosen]);
        progress?.Report(new TokenizerTrainingProgress("choosing", words.TextBytes, words.Words.Count, vocabulary.Count));
        return TokenizerFolder.Make(new TokenizerParts
        {
            AddedTokens = TrainedVocabulary.Special(specials),
            Normalizer = normalizer,
            PreTokenizer = preTokenizer,
            Model = new WordLevelModel(vocabulary, Unk),
            Roles = new SpecialTokenRoles { Eos = Eos, Unk = Unk, Pad = Pad },
        });
    }
}
