using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers.Files;

/// <summary>
/// A tokenizer of a SentencePiece .model file, put together as Hugging Face's converters do. What belongs around a text is known by the
/// tokenizer's class; without one, nothing is added.
/// </summary>
internal static class SentencePieceFile
{
    private const string Mark = "▁";
    private const int LongestMerged = 1024; // Chars; every cut of a piece is a merge that might make it.
    private const int ExtraIds = 100;
    private static readonly string[] MarianTokens = ["</s>", "<unk>", "<pad>"];
    private static readonly string[] M2M100Tokens = ["<s>", "<pad>", "</s>", "<unk>"];

    /// <summary>Reads a model whose ids are its own.</summary>
    public static TokenizerParts Read(string path, TokenizerConfig config) =>
        JsonPart.Reading(path, () =>
        {
            var model = SentencePieceModel.Read(path);
            var parts = Parts(model, Vocabulary.Of([.. model.Pieces.Select(piece => piece.Text)]));
            return config.Class switch
            {
                null or "PreTrainedTokenizer" => parts,
                "LlamaTokenizer" or "GemmaTokenizer" => parts with
                {
                    PostProcessor = TemplateProcessing.Of(
                        config.Flag("add_bos_token") ?? true ? [Token(parts.Roles.Bos, "bos_token")] : [],
                        config.Flag("add_eos_token") ?? false ? [Token(parts.Roles.Eos, "eos_token")] : [],
                        secondTypeId: 1),
                },
                "T5Tokenizer" => WithExtraIds(
                    parts with { PostProcessor = TemplateProcessing.Of([], [Token(parts.Roles.Eos, "eos_token")]) }, config),
                var other => throw new InvalidDataException(
                    $"What belongs around the pieces of a {other} is not known. Supported without tokenizer.json are LlamaTokenizer, " +
                    "GemmaTokenizer, T5Tokenizer and M2M100Tokenizer."),
            };

            (string, int) Token(string? token, string role) =>
                token is null
                    ? throw new InvalidDataException($"The model has no {role}, which a {config.Class} needs.")
                    : (token, parts.Model.Vocabulary.Find(token));
        });

    /// <summary>Reads M2M-100's model, whose pieces have the ids of vocab.json, and whose languages are tokens behind them.</summary>
    public static TokenizerParts ReadM2M100(string path, string vocabPath, TokenizerConfig config)
    {
        var vocabulary = JsonPart.Read(vocabPath, Vocabulary.Read);
        return JsonPart.Reading(path, () =>
        {
            var model = SentencePieceModel.Read(path);
            if (model.Type != SentencePieceModel.Algorithm.Bpe)
            {
                throw new InvalidDataException($"Its type is {model.Type}; M2M-100's is Bpe.");
            }

            var missing = model.Pieces.FirstOrDefault(
                piece => piece.Kind == SentencePieceModel.Kind.Normal && vocabulary.Find(piece.Text) < 0).Text;
            if (missing is not null)
            {
                throw new InvalidDataException($"The piece \"{missing}\" has no id in {vocabPath}.");
            }

            var languages = config.AdditionalTokens.Select((token, i) => token with { Id = vocabulary.Count + i }).ToArray();
            var source = $"__{config.Text("src_lang") ?? "en"}__";
            var language = languages.FirstOrDefault(token => token.Content == source)
                ?? throw new InvalidDataException(
                    $"The language {source} is not among the additional_special_tokens of the tokenizer's configuration.");
            AddedToken[] special =
                [.. M2M100Tokens.Select(token => new AddedToken(vocabulary.Find(token), token) { Special = true })];
            return special.FirstOrDefault(token => token.Id < 0) is { } absent
                ? throw new InvalidDataException($"The token {absent.Content} has no id in {vocabPath}.")
                : Parts(model, vocabulary) with
                {
                    AddedTokens = [.. special, .. languages],
                    PostProcessor = TemplateProcessing.Of([(language.Content, language.Id)], [("</s>", special[2].Id)]),
                    Roles = new SpecialTokenRoles { Bos = "<s>", Eos = "</s>", Unk = "<unk>", Pad = "<pad>", Sep = "</s>" },
                };
        });
    }

    /// <summary>
    /// Reads one of a Marian model's two sides, whose pieces have the ids of vocab.json. That has pieces of the other side, too; a piece
    /// without an id is not used.
    /// </summary>
    public static TokenizerParts ReadMarian(string path, string vocabPath)
    {
        var vocabulary = JsonPart.Read(vocabPath, Vocabulary.Read);
        return JsonPart.Reading(path, () =>
        {
            var model = SentencePieceModel.Read(path);
            if (model.Type != SentencePieceModel.Algorithm.Unigram || model.ByteFallback)
            {
                throw new InvalidDataException(
                    $"Its type is {model.Type}{(model.ByteFallback ? " with byte fallback" : "")}; Marian's is Unigram without.");
            }

            var missing = MarianTokens.FirstOrDefault(token => vocabulary.Find(token) < 0);
            if (missing is not null)
            {
                throw new InvalidDataException($"The token {missing} has no id in {vocabPath}.");
            }

            var scores = new double[vocabulary.Count];
            Array.Fill(scores, double.NegativeInfinity);
            foreach (var piece in model.Pieces)
            {
                if (piece.Kind == SentencePieceModel.Kind.Normal && vocabulary.Find(piece.Text) is >= 0 and var id)
                {
                    scores[id] = piece.Score;
                }
            }

            var languages = vocabulary.Tokens.Where(token => token is ['>', '>', _, .., '<', '<']);
            return Parts(model, vocabulary) with
            {
                AddedTokens = [.. MarianTokens.Concat(languages)
                    .Select(token => new AddedToken(vocabulary.Find(token), token) { Special = true })],
                Model = new UnigramModel(vocabulary, scores, vocabulary.Find("<unk>"), byteFallback: false),
                PostProcessor = TemplateProcessing.Of([], [("</s>", vocabulary.Find("</s>"))]),
                Roles = new SpecialTokenRoles { Eos = "</s>", Unk = "<unk>", Pad = "<pad>" },
            };
        });
    }

    /// <summary>The parts around pieces, without what a tokenizer's class adds to texts.</summary>
    public static TokenizerParts Parts(SentencePieceModel model, Vocabulary vocabulary)
    {
        // Where no piece holds a space but at its beginning, no piece lies in two words.
        var cuts = model.RemovesExtraSpaces && model.Pieces.All(piece =>
            piece.Kind != SentencePieceModel.Kind.Normal || piece.Text.LastIndexOf(Mark, StringComparison.Ordinal) <= 0);
        var mark = new MetaspaceOptions(Mark[0], model.AddsPrefix ? PrependScheme.Always : PrependScheme.Never, Split: true);
        return new TokenizerParts
        {
            AddedTokens = [.. model.Pieces.Index().Where(piece => IsAdded(piece.Item.Kind)).Select(piece =>
                new AddedToken(vocabulary.Find(piece.Item.Text), piece.Item.Text)
                {
                    Special = piece.Item.Kind != SentencePieceModel.Kind.UserDefined,
                })],
            Normalizer = Normalizers(model, cuts) is { Length: > 0 } steps ? new NormalizerSequence(steps) : null,
            PreTokenizer = cuts ? new Metaspace(mark) : null,
            Model = model.Type == SentencePieceModel.Algorithm.Unigram ? Unigram(model, vocabulary) : Bpe(model, vocabulary),
            Decoder = Decoder(model, cuts, mark),
            Roles = new SpecialTokenRoles
            {
                Bos = Role(model.BosId),
                Eos = Role(model.EosId),
                Pad = Role(model.PadId),
                Unk = model.Pieces[model.UnknownId].Text,
            },
        };

        bool IsAdded(SentencePieceModel.Kind kind) =>
            kind is SentencePieceModel.Kind.Unknown or SentencePieceModel.Kind.Control or SentencePieceModel.Kind.UserDefined;

        string? Role(int id) =>
            id >= 0 && id < model.Pieces.Count && model.Pieces[id].Kind == SentencePieceModel.Kind.Control ? model.Pieces[id].Text : null;
    }

    private static Normalizer[] Normalizers(SentencePieceModel model, bool cuts)
    {
        var steps = new List<Normalizer>();
        if (model.CharacterMap.Length > 0)
        {
            steps.Add(new Precompiled(model.CharacterMap));
        }

        if (model.RemovesExtraSpaces)
        {
            // A space at the beginning is as good as the one that is put there.
            steps.Add(new Strip(left: !cuts || !model.AddsPrefix, right: true));
            steps.Add(new Replace(TextPattern.OfRegex(TextPattern.RepeatedSpaces), cuts ? Mark : " "));
        }

        if (!cuts)
        {
            steps.AddRange(model.AddsPrefix ? [new Prepend(Mark)] : []);
            steps.Add(new Replace(TextPattern.OfLiteral(" "), Mark));
        }

        return [.. steps];
    }

    private static TokenDecoder Decoder(SentencePieceModel model, bool cuts, MetaspaceOptions mark)
    {
        TokenDecoder[] bytes = model.ByteFallback ? [new ByteFallback()] : [];
        if (cuts)
        {
            var decoder = new MetaspaceDecoder(mark);
            return bytes.Length == 0 ? decoder : new DecoderSequence([.. bytes, decoder]);
        }

        TokenDecoder[] strip = model.AddsPrefix ? [new StripDecoder(' ', start: 1, stop: 0)] : [];
        return new DecoderSequence([new ReplaceDecoder(TextPattern.OfLiteral(Mark), " "), .. bytes, new Fuse(), .. strip]);
    }

    private static UnigramModel Unigram(SentencePieceModel model, Vocabulary vocabulary) =>
        new(vocabulary, [.. model.Pieces.Select(piece => (double)piece.Score)], model.UnknownId, model.ByteFallback);

    // SentencePiece merges whatever makes a piece, the piece with the best score first. So each cut of a piece into two pieces is a merge.
    private static BpeModel Bpe(SentencePieceModel model, Vocabulary vocabulary)
    {
        var merges = new List<(BpeMerge Merge, float Score, int LeftLength)>();
        foreach (var piece in model.Pieces.Where(piece => piece.Kind == SentencePieceModel.Kind.Normal))
        {
            var text = piece.Text;
            if (text.Length > LongestMerged)
            {
                throw new InvalidDataException($"The piece \"{text[..40]} …\" has {text.Length:N0} chars, more than {LongestMerged:N0}.");
            }

            for (var (cut, characters) = (1, 1); cut < text.Length; cut++, characters++)
            {
                cut += char.IsLowSurrogate(text[cut]) ? 1 : 0;
                if (cut < text.Length && BpeModel.Merge(vocabulary, text[..cut], text[cut..]) is { } merge)
                {
                    merges.Add((merge, piece.Score, characters));
                }
            }
        }

        var ordered = merges.OrderByDescending(merge => merge.Score).ThenByDescending(merge => merge.LeftLength);
        return new BpeModel(vocabulary, [.. ordered.Select(merge => merge.Merge)], new BpeModelOptions
        {
            UnkToken = model.Pieces[model.UnknownId].Text,
            FuseUnk = true,
            ByteFallback = model.ByteFallback,
        });
    }

    // T5's sentinels get the ids behind the pieces, the last first.
    private static TokenizerParts WithExtraIds(TokenizerParts parts, TokenizerConfig config)
    {
        var count = config.Count("extra_ids") ?? ExtraIds;
        var first = parts.Model.Vocabulary.Count;
        var sentinels = Enumerable.Range(0, count)
            .Select(i => new AddedToken(first + i, $"<extra_id_{count - 1 - i}>") { Special = true })
            .Where(token => parts.Model.Vocabulary.Find(token.Content) < 0);
        return parts with { AddedTokens = [.. parts.AddedTokens, .. sentinels] };
    }
}
