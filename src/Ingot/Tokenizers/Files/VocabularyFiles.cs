using System.Text;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers.Files;

/// <summary>
/// Vocabularies from before tokenizer.json: vocab.json with merges.txt (GPT-2, RoBERTa, Qwen) and vocab.txt (BERT). The pipeline around
/// them is known by the tokenizer's class.
/// </summary>
internal static class VocabularyFiles
{
    private const long LargestFile = 1L << 30;

    /// <summary>Reads vocab.json and merges.txt.</summary>
    public static TokenizerParts ReadVocabAndMerges(string vocabPath, string mergesPath, TokenizerConfig config)
    {
        var vocabulary = JsonPart.Read(vocabPath, Vocabulary.Read);
        var merges = JsonPart.Reading(mergesPath, () => ReadMerges(mergesPath, vocabulary));
        var byteLevel = new ByteLevel(addPrefixSpace: false, trimOffsets: true, useRegex: true);
        var parts = new TokenizerParts
        {
            Model = new BpeModel(vocabulary, merges, new BpeModelOptions()),
            PreTokenizer = byteLevel,
            Decoder = new ByteLevelDecoder(addPrefixSpace: false, trimOffsets: true, useRegex: true),
            AddedTokens = config.AddedTokens,
        };
        return config.Class switch
        {
            null or "GPT2Tokenizer" or "PreTrainedTokenizer" => WithRoles(parts, config, new SpecialTokenRoles
            {
                Bos = ByteLevelBpeTokenizer.EndOfText,
                Eos = ByteLevelBpeTokenizer.EndOfText,
                Unk = ByteLevelBpeTokenizer.EndOfText,
            }),
            "RobertaTokenizer" => Roberta(WithRoles(parts, config, SpecialTokenRoles.Roberta)),
            "Qwen2Tokenizer" => WithRoles(
                parts with
                {
                    Normalizer = new UnicodeForm(NormalizationForm.FormC),
                    PreTokenizer = new PreTokenizerSequence(
                    [
                        new Split(TextPattern.OfRegex(WordPatterns.Qwen), SplitBehavior.Isolated, invert: false),
                        new ByteLevel(addPrefixSpace: false, trimOffsets: false, useRegex: false),
                    ]),
                },
                config,
                new SpecialTokenRoles { Eos = ByteLevelBpeTokenizer.EndOfText, Pad = ByteLevelBpeTokenizer.EndOfText }),
            var other => throw new InvalidDataException(
                $"{vocabPath}: what belongs around the vocabulary of a {other} is not known. Supported without tokenizer.json are " +
                "GPT2Tokenizer, RobertaTokenizer and Qwen2Tokenizer."),
        };
    }

    /// <summary>Reads vocab.txt: one piece a line.</summary>
    public static TokenizerParts ReadVocabTxt(string path, TokenizerConfig config)
    {
        if (config.Class is not (null or "BertTokenizer" or "DistilBertTokenizer" or "ElectraTokenizer"))
        {
            throw new InvalidDataException(
                $"{path}: what belongs around the vocabulary of a {config.Class} is not known. " +
                "Supported without tokenizer.json is BertTokenizer.");
        }

        var vocabulary = JsonPart.Reading(path, () => ReadLines(path));
        var roles = SpecialTokenRoles.Bert;
        if (vocabulary.Find("[UNK]") is -1 || vocabulary.Find("[CLS]") is -1 || vocabulary.Find("[SEP]") is -1)
        {
            throw new InvalidDataException($"{path}: the vocabulary lacks [UNK], [CLS] or [SEP], which BERT's tokenizer needs.");
        }

        var lowercase = config.Flag("do_lower_case") ?? true;
        return WithRoles(
            new TokenizerParts
            {
                Normalizer = new BertNormalizer(
                    true, config.Flag("tokenize_chinese_chars") ?? true, config.Flag("strip_accents"), lowercase),
                PreTokenizer = new BertPreTokenizer(),
                Model = new WordPieceModel(vocabulary),
                PostProcessor = new BertProcessing(new ClsAndSep(Token("[SEP]"), Token("[CLS]"))),
                Decoder = new WordPieceDecoder("##", cleanup: true),
                AddedTokens = config.AddedTokens,
            },
            config,
            roles);

        (string, int) Token(string token) => (token, vocabulary.Find(token));
    }

    /// <summary>Writes merges.txt.</summary>
    public static void WriteMerges(StreamWriter writer, BpeModel model)
    {
        writer.Write("#version: 0.2\n");
        foreach (var merge in model.Merges)
        {
            writer.Write($"{model.Vocabulary[merge.Left]} {model.Vocabulary[merge.Right]}\n");
        }
    }

    // The roles that the class has by itself, as far as the vocabulary has the tokens and no file says otherwise.
    private static TokenizerParts WithRoles(TokenizerParts parts, TokenizerConfig config, SpecialTokenRoles roles)
    {
        if (config.HasRoles)
        {
            return parts;
        }

        var known = SpecialTokenRoles.Of(role =>
            roles.All.First(own => own.Name == role).Token is { } token && IsKnown(token) ? token : null);
        var added = parts.AddedTokens.ToList();
        foreach (var token in known.All.Select(role => role.Token).OfType<string>().Distinct())
        {
            if (added.All(other => other.Content != token))
            {
                added.Add(new AddedToken(parts.Model.Vocabulary.Find(token), token) { Special = true, LStrip = token == "<mask>" });
            }
        }

        return parts with { AddedTokens = added, Roles = known };

        bool IsKnown(string token) => parts.Model.Vocabulary.Find(token) >= 0 || parts.AddedTokens.Any(other => other.Content == token);
    }

    private static TokenizerParts Roberta(TokenizerParts parts)
    {
        var tokens = new ClsAndSep(Token("</s>"), Token("<s>"));
        return parts with { PostProcessor = new RobertaProcessing(tokens, trimOffsets: true, addPrefixSpace: false) };

        (string, int) Token(string token) =>
            parts.Model.Vocabulary.Find(token) is >= 0 and var id
                ? (token, id)
                : throw new InvalidDataException($"The vocabulary lacks {token}, which RoBERTa's tokenizer needs.");
    }

    private static BpeMerge[] ReadMerges(string path, Vocabulary vocabulary)
    {
        RequireSize(path);
        var merges = new List<BpeMerge>();
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            if (line.Length == 0 || (number == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
            {
                continue;
            }

            var (left, right) = BpeModel.SplitMerge(line)
                ?? throw new InvalidDataException($"Line {number + 1}: the merge \"{line}\" is not two tokens with a space between them.");
            merges.Add(BpeModel.Merge(vocabulary, left, right)
                ?? throw new InvalidDataException($"Line {number + 1}: {BpeModel.Problem(vocabulary, left, right)}."));
        }

        return [.. merges];
    }

    private static Vocabulary ReadLines(string path)
    {
        RequireSize(path);
        var pieces = File.ReadLines(path).Select(line => line.TrimEnd('\r')).ToList();
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (number, piece) in pieces.Index())
        {
            if (!numbers.TryAdd(piece, number))
            {
                throw new InvalidDataException($"Line {number + 1}: the piece \"{piece}\" stands on line {numbers[piece] + 1} too.");
            }
        }

        return Vocabulary.Of(pieces);
    }

    private static void RequireSize(string path)
    {
        if (new FileInfo(path).Length is > LargestFile and var length)
        {
            throw new InvalidDataException($"It has {length:N0} bytes; more than 1 GiB is not read.");
        }
    }
}
