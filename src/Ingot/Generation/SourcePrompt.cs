using Ingot.Models;
using Ingot.Pairs;
using Ingot.Tokenizers;

namespace Ingot.Generation;

/// <summary>How an encoder-decoder is given a text to read, and how its own text begins and ends.</summary>
internal sealed class SourcePrompt
{
    private readonly PairEncoder _encoder;
    private readonly int? _language;
    private readonly int _context;
    private readonly bool _truncate;

    private SourcePrompt(PairEncoder encoder, int? language, int context, GenerationOptions options) =>
        (_encoder, _language, _context, _truncate, Options) = (encoder, language, context, options.TruncatePrompt, options);

    /// <summary>The settings, complete: with the tokens that a text begins and ends with, and no longer than the model's context.</summary>
    public GenerationOptions Options { get; }

    /// <summary>Takes what settings, model and tokenizer say, in this order.</summary>
    /// <exception cref="ArgumentException">A language is not known or not given, or no token ends texts.</exception>
    public static SourcePrompt For(EncoderDecoderConfig model, Tokenizer tokenizer, GenerationOptions options, int context)
    {
        IReadOnlyList<int> ends = options.EosTokenIds ?? model.EndOfText;
        if (ends.Count == 0)
        {
            ends = [tokenizer.EosId ?? tokenizer.EndOfTextId ?? throw new ArgumentException(
                "no token ends texts: neither config.json nor tokenizer has an eos token, without which an encoder-decoder cannot be "
                + "used")];
        }

        if (model.HasLanguages && (options.SourceLanguage is null || (options.TargetLanguage is null && options.ForcedBosTokenId is null)))
        {
            var known = LanguageTokens.Find(tokenizer).Keys.Order(StringComparer.Ordinal);
            throw new ArgumentException(
                $"the model translates between several languages: sourceLanguage and targetLanguage must be given, of "
                + $"{string.Join(", ", known)}");
        }

        var start = options.DecoderStartTokenId ?? model.DecoderStart;
        var language = options.SourceLanguage is { } from ? LanguageTokens.Id(tokenizer, from) : (int?)null;
        return new SourcePrompt(new PairEncoder(tokenizer, ends[0]), language, context, options with
        {
            EosTokenIds = ends,
            DecoderStartTokenId = start,
            ForcedBosTokenId = options.TargetLanguage is { } to ? LanguageTokens.Id(tokenizer, to) : options.ForcedBosTokenId,
            // A text does not slide out of its context: its beginning belongs to it.
            MaxNewTokens = Math.Min(options.NewTokens(1), context - 1),
            MaxLength = null,
        });
    }

    /// <summary>How many ids a text has, however many the encoder can read.</summary>
    public int Count(string text) => _encoder.EncodeSource(text, _language).Length;

    /// <summary>The ids that the encoder reads.</summary>
    /// <exception cref="ArgumentException">They are more than it can read, and not to be truncated.</exception>
    public int[] Encode(string text)
    {
        var ids = _encoder.EncodeSource(text, _language);
        if (ids.Length <= _context)
            return ids;
        return _truncate ? _encoder.Truncate(ids, _context) : throw new ArgumentException(
            $"the text has {ids.Length} tokens, and the model reads {_context} at most: shorten it, or let truncatePrompt drop its end");
    }
}
