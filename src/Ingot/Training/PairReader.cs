using Ingot.Models;
using Ingot.Pairs;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>A pair of texts, and its tokens as an encoder-decoder reads and writes them.</summary>
/// <param name="Texts">The pair.</param>
/// <param name="Source">What the encoder reads, the token that ends it included.</param>
/// <param name="Target">What the decoder writes, the token that ends it included.</param>
internal readonly record struct EncodedPair(TextPair Texts, int[] Source, int[] Target);

/// <summary>Reads pairs of texts as tokens of a model, which may want to be told their languages.</summary>
internal sealed class PairReader
{
    private readonly PairFiles _files;
    private readonly Tokenizer _tokenizer;
    private readonly PairEncoder _encoder;
    private readonly Dictionary<string, int> _languages = new(StringComparer.Ordinal);

    /// <summary>Finds the files.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="fields">What their records hold where.</param>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="InvalidDataException">Languages are not said that must be, or the other way round.</exception>
    public PairReader(string path, PairFields fields, EncoderDecoderConfig model, Tokenizer tokenizer)
    {
        RequireLanguages(path, fields, model);
        (_files, _tokenizer, _encoder) = (PairFiles.Open(path, fields), tokenizer, new PairEncoder(tokenizer, model.EndOfText[0]));
    }

    /// <summary>Records without a source or a target, which were passed over, in what was read last.</summary>
    public long Empty => _files.Empty;

    /// <summary>At most so many ids: what is too much is taken from before the token that ends them.</summary>
    public int[] Truncate(int[] ids, int most) => _encoder.Truncate(ids, most);

    /// <summary>Reads the pairs.</summary>
    /// <exception cref="InvalidDataException">A record is not as it must be; the message names file and line.</exception>
    public IEnumerable<EncodedPair> Read(CancellationToken ct) => _files.Read(ct).Select(pair => new EncodedPair(pair,
        EncodeOf(pair, _encoder.EncodeSource, pair.Source, pair.SourceLanguage),
        EncodeOf(pair, _encoder.EncodeTarget, pair.Target, pair.TargetLanguage)));

    private int[] EncodeOf(TextPair pair, Func<string, int?, int[]> encode, string text, string? language)
    {
        try
        {
            return encode(text, language is null ? null : IdOf(language));
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{pair.Place}: {e.Message}", e);
        }
    }

    private int IdOf(string language)
    {
        if (!_languages.TryGetValue(language, out var id))
            _languages.Add(language, id = LanguageTokens.Id(_tokenizer, language));
        return id;
    }

    private static void RequireLanguages(string path, PairFields fields, EncoderDecoderConfig model)
    {
        if (!model.HasLanguages)
        {
            if (fields is { SourceLanguage: null, TargetLanguage: null, SourceLanguageField: null, TargetLanguageField: null })
                return;
            throw new InvalidDataException($"{path}: a {model.ModelType} learns one direction and has no tokens of languages: leave "
                + "sourceLanguage, targetLanguage and their fields out, or take an m2m_100");
        }

        if (fields is { SourceLanguage: null, SourceLanguageField: null } or { TargetLanguage: null, TargetLanguageField: null })
        {
            throw new InvalidDataException($"{path}: a {model.ModelType} must be told the languages of source and target: set "
                + "sourceLanguage and targetLanguage or, where records differ, sourceLanguageField and targetLanguageField");
        }
    }
}
