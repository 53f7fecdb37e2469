using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers.Files;

/// <summary>tokenizer.json of Hugging Face's libraries: the whole pipeline in one file.</summary>
internal static class TokenizerJson
{
    public static JsonWriterOptions WriterOptions { get; } =
        new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the parts from the file's root.</summary>
    public static TokenizerParts Read(JsonPart root)
    {
        root.Ignore("version");
        var model = root.Required("model");
        var parts = new TokenizerParts
        {
            Truncation = root.Optional("truncation") is { } truncation ? ReadTruncation(truncation) : null,
            Padding = root.Optional("padding") is { } padding ? ReadPadding(padding) : null,
            AddedTokens = ReadAddedTokens(root),
            Normalizer = Normalizer.Kinds.ReadOptional(root, "normalizer"),
            PreTokenizer = PreTokenizer.Kinds.ReadOptional(root, "pre_tokenizer"),
            PostProcessor = PostProcessor.Kinds.ReadOptional(root, "post_processor"),
            Decoder = TokenDecoder.Kinds.ReadOptional(root, "decoder"),
            Model = TokenModel.Read(model),
        };
        root.RejectOthers();
        return parts;
    }

    public static void Write(Utf8JsonWriter json, TokenizerParts parts)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        WriteTruncation(json, parts.Truncation);
        WritePadding(json, parts);
        WriteAddedTokens(json, parts);
        json.Write("normalizer", parts.Normalizer);
        json.Write("pre_tokenizer", parts.PreTokenizer);
        json.Write("post_processor", parts.PostProcessor);
        json.Write("decoder", parts.Decoder);
        json.Write("model", parts.Model);
        json.WriteEndObject();
    }

    /// <summary>All that decides which ids a text gets, as JSON.</summary>
    public static ReadOnlySpan<byte> IdsPart(TokenizerParts parts)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(bytes);
        json.WriteStartObject();
        WriteAddedTokens(json, parts);
        json.Write("normalizer", parts.Normalizer);
        json.Write("pre_tokenizer", parts.PreTokenizer);
        json.Write("model", parts.Model);
        json.WriteEndObject();
        json.Flush();
        return bytes.WrittenSpan;
    }

    /// <summary>Reads the flags of an added token.</summary>
    public static AddedToken ReadAddedToken(JsonPart json, int id)
    {
        json.Ignore("id", "__type");
        var special = json.Flag("special", false);
        var token = new AddedToken(id, json.Required("content").AsText())
        {
            SingleWord = json.Flag("single_word", false),
            LStrip = json.Flag("lstrip", false),
            RStrip = json.Flag("rstrip", false),
            Normalized = json.Flag("normalized", !special),
            Special = special,
        };
        json.RejectOthers();
        return token.Content.Length > 0 ? token : throw json.Error("the added token is empty");
    }

    private static AddedToken[] ReadAddedTokens(JsonPart root) =>
        [.. (root.Optional("added_tokens")?.Items() ?? []).Select(item => ReadAddedToken(item, item.Required("id").AsCount()))];

    private static void WriteAddedTokens(Utf8JsonWriter json, TokenizerParts parts)
    {
        json.WriteStartArray("added_tokens");
        foreach (var token in parts.AddedTokens.OrderBy(token => token.Id))
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.SingleWord);
            json.WriteBoolean("lstrip", token.LStrip);
            json.WriteBoolean("rstrip", token.RStrip);
            json.WriteBoolean("normalized", token.Normalized);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static TruncationOptions ReadTruncation(JsonPart json)
    {
        var options = new TruncationOptions(json.Required("max_length").AsCount())
        {
            Strategy = ReadEnum(json, "strategy", TruncationStrategy.LongestFirst),
            Stride = json.Optional("stride")?.AsCount() ?? 0,
            Side = ReadEnum(json, "direction", TextSide.Right),
        };
        json.RejectOthers();
        return options;
    }

    private static void WriteTruncation(Utf8JsonWriter json, TruncationOptions? options)
    {
        if (options is null)
        {
            json.WriteNull("truncation");
            return;
        }

        json.WriteStartObject("truncation");
        json.WriteString("direction", options.Side.ToString());
        json.WriteNumber("max_length", options.MaxLength);
        json.WriteString("strategy", options.Strategy.ToString());
        json.WriteNumber("stride", options.Stride);
        json.WriteEndObject();
    }

    private static PaddingOptions ReadPadding(JsonPart json)
    {
        json.Ignore("pad_token");
        var strategy = json.Optional("strategy");
        int? length = null;
        if (strategy is { IsObject: true })
        {
            length = strategy.Required("Fixed").AsCount();
        }
        else if (strategy is not null && strategy.AsText() != "BatchLongest")
        {
            throw strategy.Error("is neither \"BatchLongest\" nor {\"Fixed\": n}");
        }

        var options = new PaddingOptions
        {
            Length = length,
            MultipleOf = json.Optional("pad_to_multiple_of")?.AsCount() is > 0 and var multiple ? multiple : null,
            Side = ReadEnum(json, "direction", TextSide.Right),
            PadId = json.Optional("pad_id")?.AsCount() ?? 0,
            PadTypeId = json.Optional("pad_type_id")?.AsCount() ?? 0,
        };
        json.RejectOthers();
        return options;
    }

    private static void WritePadding(Utf8JsonWriter json, TokenizerParts parts)
    {
        if (parts.Padding is not { } options)
        {
            json.WriteNull("padding");
            return;
        }

        json.WriteStartObject("padding");
        if (options.Length is { } length)
        {
            json.WriteStartObject("strategy");
            json.WriteNumber("Fixed", length);
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("strategy", "BatchLongest");
        }

        json.WriteString("direction", options.Side.ToString());
        if (options.MultipleOf is { } multiple)
        {
            json.WriteNumber("pad_to_multiple_of", multiple);
        }
        else
        {
            json.WriteNull("pad_to_multiple_of");
        }

        var padId = options.PadId ?? 0;
        json.WriteNumber("pad_id", padId);
        json.WriteNumber("pad_type_id", options.PadTypeId);
        var padToken = parts.AddedTokens.FirstOrDefault(token => token.Id == padId)?.Content ?? parts.Model.Vocabulary[padId] ?? "";
        json.WriteString("pad_token", padToken);
        json.WriteEndObject();
    }

    private static T ReadEnum<T>(JsonPart json, string name, T otherwise)
        where T : struct, Enum
    {
        if (json.Optional(name) is not { } part)
        {
            return otherwise;
        }

        var text = part.AsText();
        return Array.IndexOf(Enum.GetNames<T>(), text) is >= 0
            ? Enum.Parse<T>(text)
            : throw part.Error($"\"{text}\" is none of {string.Join(", ", Enum.GetNames<T>())}");
    }
}
