using System.Text;
using System.Text.Json;
using Ingot.Checkpoints;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers.Files;

/// <summary>The tokenizer of a model folder: which files there may be, and which tokenizer they make.</summary>
internal static class TokenizerFolder
{
    private const string PipelineJson = "tokenizer.json";
    private const string ConfigJson = "tokenizer_config.json";
    private const string VocabJson = "vocab.json";
    private const string MergesTxt = "merges.txt";
    private const string VocabTxt = "vocab.txt";
    private const string TargetPipelineJson = "target_tokenizer.json"; // Of this library: tokenizer.json has room for one pipeline.
    private const string SourcePieces = "source.spm";
    private const string TargetPieces = "target.spm";

    // SentencePiece's, and Llama 3's, which is tiktoken's.
    private static readonly string[] PieceModels = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model"];

    /// <inheritdoc cref="Tokenizer.Load"/>
    public static Tokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: there is no such folder to load a tokenizer from.");
        }

        var config = TokenizerConfig.Read(folder);
        if (Find(PipelineJson) is { } pipeline)
        {
            return Made(pipeline, () => JsonPart.Read(pipeline, TokenizerJson.Read) with
            {
                Target = Find(TargetPipelineJson) is { } target ? config.ApplyTo(JsonPart.Read(target, TokenizerJson.Read)) : null,
            });
        }

        if (Find(SourcePieces) is { } source)
        {
            var target = Find(TargetPieces) ?? throw Missing(TargetPieces);
            var ids = Find(VocabJson) ?? throw Missing(VocabJson);
            return Made(source, () => SentencePieceFile.ReadMarian(source, ids) with
            {
                Target = config.ApplyTo(SentencePieceFile.ReadMarian(target, ids)),
            });
        }

        if (Find(VocabJson) is { } vocab && Find(MergesTxt) is { } merges)
        {
            return Made(vocab, () => VocabularyFiles.ReadVocabAndMerges(vocab, merges, config));
        }

        if (Find(VocabTxt) is { } pieces)
        {
            return Made(pieces, () => VocabularyFiles.ReadVocabTxt(pieces, config));
        }

        if (PieceModels.Select(Find).FirstOrDefault(path => path is not null) is { } model)
        {
            return Made(model, () =>
                TiktokenFile.IsOne(model) ? TiktokenFile.Read(model, config)
                    : config.Class == "M2M100Tokenizer" && Find(VocabJson) is { } ids ? SentencePieceFile.ReadM2M100(model, ids, config)
                    : SentencePieceFile.Read(model, config));
        }

        if (Directory.GetFiles(folder, "*.tiktoken") is [var ranks])
        {
            return Made(ranks, () => TiktokenFile.Read(ranks, config));
        }

        throw new FileNotFoundException(
            $"{folder}: no tokenizer here. Looked for {PipelineJson}, for {VocabJson} with {MergesTxt}, for {VocabTxt}, for " +
            $"{string.Join(", ", PieceModels)}, for {SourcePieces} with {TargetPieces}, and for one file .tiktoken.",
            Path.Combine(folder, PipelineJson));

        FileNotFoundException Missing(string name) =>
            new(
                $"{folder}: {SourcePieces} is here, and {name} is not. A Marian tokenizer is {SourcePieces}, {TargetPieces} and " +
                $"{VocabJson}: copy what is missing there.",
                Path.Combine(folder, name));

        string? Find(string name) => Path.Combine(folder, name) is var path && File.Exists(path) ? path : null;

        Tokenizer Made(string path, Func<TokenizerParts> read)
        {
            var parts = config.ApplyTo(read());
            return JsonPart.Reading(path, () => Make(parts.Roles.Eos is null && !config.HasRoles ? WithEndOfText(parts) : parts));
        }
    }

    /// <summary>The tokenizer of these parts: one that is made for them, or else the pipeline as it is.</summary>
    public static PipelineTokenizer Make(TokenizerParts parts) =>
        ByteLevelBpeTokenizer.Fits(parts) ? new ByteLevelBpeTokenizer(parts)
            : CharacterTokenizer.CodePointsOf(parts) is { } codePoints ? new CharacterTokenizer(codePoints, parts)
            : new PipelineTokenizer(parts);

    /// <summary>Writes a tokenizer's files.</summary>
    public static void Save(TokenizerParts parts, string folder)
    {
        Directory.CreateDirectory(folder);

        // GPT2Tokenizer takes it that the vocabulary has GPT-2's special token.
        var isGpt2 = parts is
        {
            Normalizer: null, PreTokenizer: ByteLevel { UseRegex: true, AddPrefixSpace: false }, PostProcessor: null, Model: BpeModel,
        };
        if (isGpt2)
        {
            WriteJson(VocabJson, json =>
            {
                json.WriteStartObject();
                foreach (var (id, token) in parts.TokensById().Index())
                {
                    json.WriteNumber(token, id);
                }

                json.WriteEndObject();
            });
            DurableFile.Write(Path.Combine(folder, MergesTxt), stream =>
            {
                using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
                VocabularyFiles.WriteMerges(writer, (BpeModel)parts.Model);
            });
        }

        var tokenizerClass = isGpt2 && parts.Roles.Eos is not null ? "GPT2Tokenizer" : "PreTrainedTokenizerFast";
        WriteJson(ConfigJson, json => TokenizerConfig.Write(json, parts, tokenizerClass));
        WriteJson(PipelineJson, json => TokenizerJson.Write(json, parts));
        if (parts.Target is { } target)
        {
            WriteJson(TargetPipelineJson, json => TokenizerJson.Write(json, target));
        }

        void WriteJson(string name, Action<Utf8JsonWriter> write) =>
            DurableFile.Write(Path.Combine(folder, name), stream =>
            {
                using var json = new Utf8JsonWriter(stream, TokenizerJson.WriterOptions);
                write(json);
            });
    }

    // Where no file says which token ends a text, GPT-2's does.
    private static TokenizerParts WithEndOfText(TokenizerParts parts) =>
        parts.AddedTokens.Any(token => token.Special && token.Content == ByteLevelBpeTokenizer.EndOfText)
            ? parts with { Roles = parts.Roles with { Eos = ByteLevelBpeTokenizer.EndOfText } }
            : parts;
}
