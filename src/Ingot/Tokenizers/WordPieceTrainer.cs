using System.Globalization;
using System.Text;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers;

/// <summary>How WordPiece vocabularies are trained.</summary>
public sealed record WordPieceTrainerOptions
{
    /// <summary>How many ids to reach, special tokens and characters included. Poor text gives fewer.</summary>
    public int VocabularySize { get; init; } = 8192;

    /// <summary>How often a pair must come to be merged, from 1 on.</summary>
    public int MinFrequency { get; init; } = 2;

    /// <summary>Lower case without accents, as uncased BERT has it.</summary>
    public bool Lowercase { get; init; }

    /// <summary>
    /// Which part of the text's characters the vocabulary covers, more than 0 and at most 1. A word with a rarer one is unknown.
    /// </summary>
    public double CharacterCoverage { get; init; } = 1;

    /// <summary>Further special tokens, behind [PAD], [UNK], [CLS], [SEP] and [MASK].</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];
}

/// <summary>
/// Trains a WordPiece vocabulary with BERT's pipeline around it. As in Hugging Face's trainer the pieces are those that byte-pair encoding
/// learns from characters, where a character inside a word is another one than at its beginning (##x); they are used longest first,
/// without merges.
/// </summary>
public static class WordPieceTrainer
{
    private const string Prefix = "##";
    private const int LongestWord = 100;
    private static readonly string[] Specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>Trains on text that is in memory or made on the way; every string is a text of its own.</summary>
    /// <remarks>The rest is as for UTF-8 pieces.</remarks>
    public static Tokenizer Train(
        IEnumerable<string> texts,
        WordPieceTrainerOptions? options = null,
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
    /// There is no text, its characters are more than the vocabulary has room for, or a special token is empty, holds white space or comes
    /// twice.
    /// </exception>
    /// <exception cref="InvalidOperationException">The distinct words take more than 2 GiB.</exception>
    public static Tokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> utf8Pieces,
        WordPieceTrainerOptions? options = null,
        IProgress<TokenizerTrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(utf8Pieces);
        options ??= new WordPieceTrainerOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MinFrequency, 1);
        TrainedVocabulary.CheckCoverage(options.CharacterCoverage);
        var normalizer = new BertNormalizer(cleanText: true, handleChineseChars: true, stripAccents: null, options.Lowercase);
        var preTokenizer = new BertPreTokenizer();
        string[] specials = [.. Specials, .. options.SpecialTokens];
        var words = WordCounts.Of(utf8Pieces, specials, normalizer, preTokenizer, progress, cancellationToken);
        var learner = Learner(words, specials, options);
        learner.Learn(
            options.VocabularySize,
            () =>
            {
                if (learner.Merges.Count % 256 == 0)
                {
                    Report();
                }
            },
            cancellationToken);
        Report();
        return Make([.. learner.Tokens.Select(Encoding.UTF8.GetString)], specials, normalizer, preTokenizer);

        void Report() =>
            progress?.Report(new TokenizerTrainingProgress("merging", words.TextBytes, words.Words.Count, learner.Tokens.Count));
    }

    // Begins with the special tokens, the characters, and those that stand inside words.
    private static BpeMergeLearner Learner(WordCounts words, string[] specials, WordPieceTrainerOptions options)
    {
        var characters = words.Characters(options.CharacterCoverage);
        var inside = new SortedSet<int>();
        for (var word = 0; word < words.Words.Count; word++)
        {
            if (CharactersOf(words.Words[word]) is { } all)
            {
                inside.UnionWith(all.Skip(1));
            }
        }

        TrainedVocabulary.CheckSize(
            options.VocabularySize, specials.Length + characters.Count + inside.Count, characters.Count, specials.Length);
        var ids = characters.Index().ToDictionary(character => character.Item, character => specials.Length + character.Index);
        var insideIds = inside.Index().ToDictionary(
            character => character.Item, character => specials.Length + characters.Count + character.Index);
        IEnumerable<string> tokens =
        [
            .. specials, .. characters.Select(char.ConvertFromUtf32),
            .. inside.Select(character => Prefix + char.ConvertFromUtf32(character)),
        ];
        return new BpeMergeLearner(
            tokens.Select(Encoding.UTF8.GetBytes),
            (word, symbols) =>
            {
                foreach (var (place, character) in (CharactersOf(word) ?? []).Index())
                {
                    symbols.Add(place == 0 ? ids[character] : insideIds[character]);
                }
            },
            words.Words,
            words.Counts,
            options.MinFrequency,
            Encoding.UTF8.GetBytes(Prefix));

        // Null for words that the vocabulary will not write anyway.
        int[]? CharactersOf(ReadOnlySpan<byte> word)
        {
            var all = Unicode.CodePoints.OfUtf8(word);
            return all.Length <= LongestWord && all.All(characters.Contains) ? all : null;
        }
    }

    private static PipelineTokenizer Make(string[] tokens, string[] specials, Normalizer normalizer, PreTokenizer preTokenizer)
    {
        return TokenizerFolder.Make(new TokenizerParts
        {
            AddedTokens = TrainedVocabulary.Special(specials),
            Normalizer = normalizer,
            PreTokenizer = preTokenizer,
            Model = new WordPieceModel(Vocabulary.Of(tokens), "[UNK]", Prefix, LongestWord),
            PostProcessor = new BertProcessing(new ClsAndSep(Token("[SEP]"), Token("[CLS]"))),
            Decoder = new WordPieceDecoder(Prefix, cleanup: true),
            Roles = SpecialTokenRoles.Bert,
        });

        (string, int) Token(string token) => (token, Array.IndexOf(specials, token));
    }
}

/// <summary>What the trainers of vocabularies have in common.</summary>
internal static class TrainedVocabulary
{
    /// <summary>Special tokens with the ids from 0 on.</summary>
    public static AddedToken[] Special(IReadOnlyList<string> tokens) =>
        [.. tokens.Select((token, id) => new AddedToken(id, token) { Special = true })];

    public static void CheckCoverage(double coverage)
    {
        if (coverage is not (> 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(coverage), coverage, "The character coverage is a part of the text: more than 0 and at most 1.");
        }
    }

    /// <summary>Makes an error of a vocabulary that has no room for the characters.</summary>
    public static void CheckSize(int size, int needed, int characters, int specials)
    {
        if (size < needed)
        {
            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"A vocabulary of {size:N0} is too small: the text's {characters:N0} characters and {specials} special tokens take " +
                $"{needed:N0}. Take a larger one, or a character coverage below 1 (0.9995, say) to leave out the rarest characters."));
        }
    }
}
