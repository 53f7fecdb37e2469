using Ingot.Models;
using Ingot.Tokenizers;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.PostProcessors;

namespace Ingot.Training;

/// <summary>Tokenizers of encoder-decoders: with tokens that end texts and fill up batches and, for some models, one a language.</summary>
internal static class PairTokenizer
{
    // In the order that T5's vocabularies have, too: the ids are 0, 1 and 2.
    private const string Pad = "<pad>", Eos = "</s>", Unk = "<unk>";

    /// <summary>Whether a new model of that name has a token for every language.</summary>
    public static bool HasLanguages(string model) =>
        Presets.Find(model) is EncoderDecoderConfig { HasLanguages: true } || model.Equals("m2m_100", StringComparison.OrdinalIgnoreCase);

    /// <summary>Trains a byte-level BPE or a Unigram.</summary>
    /// <param name="kind">"bpe" or "unigram".</param>
    /// <param name="utf8">The texts of both sides.</param>
    /// <param name="vocabularySize">How many ids to reach.</param>
    /// <param name="languages">Codes of the languages that get tokens.</param>
    /// <param name="ct">Stops the work.</param>
    public static Tokenizer Train(string kind, IEnumerable<ReadOnlyMemory<byte>> utf8, int vocabularySize, IEnumerable<string> languages,
        CancellationToken ct)
    {
        string[] codes = [.. languages.Select(LanguageTokens.Of)];
        if (kind == "unigram")
        {
            // The rarest characters, one in ten thousand of the text, are written in bytes: nothing is unknown.
            var options = new UnigramTrainerOptions
            {
                VocabularySize = vocabularySize,
                CharacterCoverage = 0.9999,
                ByteFallback = true,
                SpecialTokens = codes,
            };
            return UnigramTrainer.Train(utf8, options, cancellationToken: ct);
        }

        var trained = BpeTrainer.Train(utf8, vocabularySize, specialTokens: [Pad, Eos, Unk, .. codes], cancellationToken: ct);
        return TokenizerFolder.Make(trained.Parts with
        {
            Roles = new SpecialTokenRoles { Pad = Pad, Eos = Eos, Unk = Unk },
            PostProcessor = TemplateProcessing.Of([], [(Eos, trained.TokenToId(Eos)!.Value)]),
        });
    }

    /// <summary>Checks that a tokenizer has what an encoder-decoder's texts need.</summary>
    /// <exception cref="InvalidDataException">It has not.</exception>
    public static void Require(Tokenizer tokenizer)
    {
        if (tokenizer.EosId is null)
        {
            throw new InvalidDataException("the tokenizer has no eos_token, which ends what an encoder-decoder reads and writes: take one "
                + "that was made for such a model, or leave tokenizer out, which trains one");
        }
    }
}
