using Ingot.Data;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Generation;

/// <summary>
/// Has an encoder-decoder write a text for each of any number of texts: translations, summaries. Texts of like lengths are written side by
/// side, and come out in the order of their sources.
/// </summary>
/// <example><code>
/// using var generator = TextGenerator.Load("m2m100/");
/// var rewriter = new TextRewriter(generator, generator.Options with { SourceLanguage = "en", TargetLanguage = "de", NumBeams = 4 });
/// foreach (var text in rewriter.Rewrite(File.ReadLines("english.txt")))
///     Console.WriteLine(text.Text);
/// </code></example>
public sealed class TextRewriter
{
    /// <summary>How many rows are written at a time, unless asked for otherwise.</summary>
    public const int DefaultBatchSize = 32;

    /// <summary>Texts that are read ahead for each row, so that there are some of like lengths.</summary>
    private const int TextsForRow = 16;

    private readonly TextGenerator _generator;
    private readonly GenerationOptions _options;
    private readonly int _batchSize;

    /// <summary>Prepares it.</summary>
    /// <param name="generator">The model.</param>
    /// <param name="options">The settings, of which the number of texts for each source counts for nothing.</param>
    /// <param name="batchSize">How many texts are written at a time; beam search counts each beam.</param>
    /// <exception cref="ArgumentException">The model is no encoder-decoder.</exception>
    public TextRewriter(TextGenerator generator, GenerationOptions options, int batchSize = DefaultBatchSize)
    {
        ArgumentNullException.ThrowIfNull(generator);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        if (generator.Model.EncoderDecoder is null)
        {
            throw new ArgumentException($"a {generator.Model.ModelType} goes on with a text; to write another one of it takes an "
                + $"encoder-decoder: {string.Join(", ", EncoderDecoderConfig.EncoderDecoderFamilies)}");
        }

        (_generator, _options, _batchSize) = (generator, options with { NumReturnSequences = 1 }, batchSize);
        Languages = [.. LanguageTokens.Find(generator.Tokenizer).Keys.Order(StringComparer.Ordinal)];
    }

    /// <summary>Codes of the languages that the model knows tokens of; none where it has one task only.</summary>
    public IReadOnlyList<string> Languages { get; }

    /// <summary>What goes in front of every source, such as T5's "summarize: ".</summary>
    public string Prefix { get; init; } = "";

    /// <summary>
    /// Whether each source's language is told by the text, among the model's. One that cannot be told is taken to be the commonest of
    /// the texts read with it.
    /// </summary>
    public bool IdentifiesLanguage { get; init; }

    /// <summary>Told of every text when it is there, which is not the order of the sources.</summary>
    public Action<RewrittenText>? OnWritten { get; init; }

    /// <summary>Tokens that a source has for the model; more than <see cref="TextGenerator.Context"/> are too many.</summary>
    /// <exception cref="ArgumentException">A language is not known or not given.</exception>
    public int CountTokens(string source) =>
        _generator.CountPromptTokens(Prefix + source, IdentifiesLanguage ? In(Languages[0]) : _options);

    /// <summary>
    /// A text for each source, in their order. Sources are read ahead, so many that those of like lengths are written together. When it is
    /// cancelled, the texts come that are there and have no gap before them, and then the exception.
    /// </summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ArgumentException">A source is too long and not to be truncated, or a setting is out of range.</exception>
    /// <exception cref="InvalidDataException">No source shows its language.</exception>
    /// <exception cref="InvalidOperationException">Another text is under way.</exception>
    public IEnumerable<RewrittenText> Rewrite(IEnumerable<string> sources, CancellationToken cancellationToken = default)
    {
        foreach (var part in sources.Chunk(TextsForRow * _batchSize))
        {
            var texts = new RewrittenText?[part.Length];
            try
            {
                RewritePart(part, texts, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // What is there is given out first.
            }

            foreach (var text in texts)
            {
                if (text is null)
                    cancellationToken.ThrowIfCancellationRequested();
                yield return text!;
            }
        }
    }

    private void RewritePart(string[] sources, RewrittenText?[] texts, CancellationToken cancellationToken)
    {
        foreach (var i in Enumerable.Range(0, sources.Length).Where(i => string.IsNullOrWhiteSpace(sources[i])))
            Add(i, new RewrittenText(sources[i], ""));
        var languages = IdentifiesLanguage ? Identify(sources) : new string?[sources.Length];
        var filled = Enumerable.Range(0, sources.Length).Where(i => !string.IsNullOrWhiteSpace(sources[i]));
        foreach (var group in filled.GroupBy(i => languages[i]))
        {
            // The longest first, so that not one long text alone is left at the end.
            (int Index, int Tokens)[] order = [.. group.Select(i => (i, CountTokens(sources[i]))).OrderByDescending(item => item.Item2)];
            string[] prompts = [.. order.Select(item => Prefix + sources[item.Index])];
            foreach (var text in _generator.Generate(prompts, group.Key is { } code ? In(code) : _options, _batchSize, cancellationToken))
            {
                var (index, tokens) = order[text.Prompt];
                Add(index, new RewrittenText(sources[index], text.Text)
                {
                    SourceLanguage = group.Key,
                    SourceTokens = tokens,
                    IsTruncated = tokens > _generator.Context,
                    NewTokens = text.Tokens.Count,
                    FinishReason = text.FinishReason,
                    Score = text.Score,
                });
            }
        }

        void Add(int index, RewrittenText text)
        {
            texts[index] = text;
            OnWritten?.Invoke(text);
        }
    }

    private string?[] Identify(string[] sources)
    {
        string?[] languages = [.. sources.Select(source => LanguageIdentifier.Identify(source, Languages))];
        var common = languages.Where(code => code != LanguageIdentifier.Unknown).GroupBy(code => code)
            .OrderByDescending(group => group.Count()).ThenBy(group => group.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
        for (var i = 0; i < languages.Length; i++)
        {
            if (languages[i] == LanguageIdentifier.Unknown && !string.IsNullOrWhiteSpace(sources[i]))
            {
                languages[i] = common ?? throw new InvalidDataException(
                    $"\"{Shortened(sources[i])}\" does not show which of the model's languages it is in "
                    + $"({string.Join(", ", Languages)}): name it");
            }
        }

        return languages;
    }

    private GenerationOptions In(string language) => _options with { SourceLanguage = language };

    private static string Shortened(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
