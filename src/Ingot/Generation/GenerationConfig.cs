using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Models;

namespace Ingot.Generation;

/// <summary>
/// A model folder's generation_config.json: how its author means text to be written. A key that is not there, or null, has Hugging
/// Face's default (greedy; when sampling, temperature 1 and top-k 50), except that a text has Ingot's length, not 20 tokens.
/// </summary>
/// <param name="Options">The settings; <see cref="GenerationOptions.EosTokenIds"/> is null unless the file has them.</param>
public sealed record GenerationConfig(GenerationOptions Options)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "generation_config.json";

    /// <summary>What is not supported. It changes what is written only where it is not at its default.</summary>
    private static readonly Dictionary<string, JsonNode?> Unsupported = new()
    {
        ["num_beam_groups"] = 1,
        ["diversity_penalty"] = 0.0,
        ["encoder_repetition_penalty"] = 1.0,
        ["encoder_no_repeat_ngram_size"] = 0,
        ["guidance_scale"] = 1.0,
        ["penalty_alpha"] = 0.0,
        ["top_h"] = null,
        ["dola_layers"] = null,
        ["constraints"] = null,
        ["force_words_ids"] = null,
        ["exponential_decay_length_penalty"] = null,
        ["forced_decoder_ids"] = null,
        ["watermarking_config"] = null,
        ["max_time"] = null,
        ["token_healing"] = false,
        ["remove_invalid_values"] = false,
        ["low_memory"] = false,
    };

    /// <summary>What changes how text is computed, or what is told about it, but not the text.</summary>
    private static readonly HashSet<string> Ignored =
    [
        "transformers_version", "_from_model_config", "use_cache", "cache_implementation", "cache_config", "return_legacy_cache",
        "prefill_chunk_size", "compile_config", "disable_compile", "continuous_batching_config", "output_attentions",
        "output_hidden_states",
        "output_scores", "output_logits", "return_dict_in_generate", "is_assistant", "num_assistant_tokens",
        "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_early_exit", "assistant_lookbehind",
        "target_lookbehind", "prompt_lookup_num_tokens", "max_matching_ngram_size", "use_mtp", "trust_remote_code",
        "custom_generate", "name_or_path", "_name_or_path", "_commit_hash",
    ];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The token that texts begin with; null if the file has none.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The token that fills up batches; null if the file has none. Ingot needs none.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>What the file asks for and Ingot does not do, for people.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Reads a folder's file; null if there is none.</summary>
    /// <exception cref="InvalidDataException">It is no JSON object, or a value cannot be used; the message names file and key.</exception>
    public static GenerationConfig? Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) is JsonObject json ? Read(json)
                : throw new InvalidDataException($"{path} is not a JSON object");
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads the text of a file that is known to be right.</summary>
    internal static GenerationConfig Parse(string text) => Read(JsonNode.Parse(text)!.AsObject());

    /// <summary>Reads the file's object.</summary>
    /// <exception cref="FormatException">A value is of the wrong kind; the message names its key.</exception>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    public static GenerationConfig Read(JsonObject json)
    {
        var keys = new GenerationKeys(json);
        var defaults = new GenerationOptions();
        // 20, Hugging Face's default, is what a file says that says nothing.
        var maxNewTokens = keys.Integer("max_new_tokens");
        var maxLength = keys.Integer("max_length") is { } length and not 20 && maxNewTokens is null ? length : (int?)null;
        var options = new GenerationOptions
        {
            MaxNewTokens = maxNewTokens ?? defaults.MaxNewTokens,
            MaxLength = maxLength,
            MinLength = keys.Integer("min_length") ?? 0,
            MinNewTokens = keys.Integer("min_new_tokens") ?? 0,
            DoSample = keys.Flag("do_sample") ?? false,
            Temperature = keys.Number("temperature") ?? 1,
            TopK = keys.Integer("top_k") ?? 50,
            TopP = keys.Number("top_p") ?? 1,
            MinP = keys.Number("min_p") ?? 0,
            TypicalP = keys.Number("typical_p") ?? 1,
            EpsilonCutoff = keys.Number("epsilon_cutoff") ?? 0,
            EtaCutoff = keys.Number("eta_cutoff") ?? 0,
            RepetitionPenalty = keys.Number("repetition_penalty") ?? 1,
            PresencePenalty = keys.Number("presence_penalty") ?? 0,
            FrequencyPenalty = keys.Number("frequency_penalty") ?? 0,
            NoRepeatNgramSize = keys.Integer("no_repeat_ngram_size") ?? 0,
            BadWordsIds = keys.Sequences("bad_words_ids"),
            SequenceBias = keys.Biases("sequence_bias"),
            SuppressTokens = keys.Ids("suppress_tokens") ?? [],
            BeginSuppressTokens = keys.Ids("begin_suppress_tokens") ?? [],
            ForcedBosTokenId = keys.Integer("forced_bos_token_id"),
            DecoderStartTokenId = keys.Integer("decoder_start_token_id"),
            ForcedEosTokenIds = keys.Ids("forced_eos_token_id") ?? [],
            NumBeams = keys.Integer("num_beams") ?? 1,
            LengthPenalty = keys.Number("length_penalty") ?? 1,
            EarlyStopping = keys.EarlyStopping("early_stopping"),
            RenormalizeLogits = keys.Flag("renormalize_logits") ?? false,
            NumReturnSequences = keys.Integer("num_return_sequences") ?? 1,
            EosTokenIds = keys.Ids("eos_token_id"),
            Stop = keys.Texts("stop_strings"),
        };
        options.Validate();
        var config = new GenerationConfig(options)
        {
            BosTokenId = keys.Integer("bos_token_id"),
            PadTokenId = keys.Integer("pad_token_id"),
        };
        return config with { Warnings = [.. FindUnsupported(json, keys, options)] };
    }

    /// <summary>The file's object, with every key that Ingot knows and that is not at Hugging Face's default.</summary>
    public JsonObject ToJson()
    {
        var o = Options;
        var json = new JsonObject { ["do_sample"] = !o.IsGreedy };
        if (o.MaxLength is null)
            json["max_new_tokens"] = o.MaxNewTokens;
        Put("max_length", o.MaxLength, null);
        Put("min_length", o.MinLength, 0);
        Put("min_new_tokens", o.MinNewTokens, 0);
        if (!o.IsGreedy)
        {
            json["temperature"] = o.Temperature;
            json["top_k"] = o.TopK;
        }

        Put("top_p", o.TopP, 1);
        Put("min_p", o.MinP, 0);
        Put("typical_p", o.TypicalP, 1);
        Put("epsilon_cutoff", o.EpsilonCutoff, 0);
        Put("eta_cutoff", o.EtaCutoff, 0);
        Put("repetition_penalty", o.RepetitionPenalty, 1);
        Put("presence_penalty", o.PresencePenalty, 0);
        Put("frequency_penalty", o.FrequencyPenalty, 0);
        Put("no_repeat_ngram_size", o.NoRepeatNgramSize, 0);
        PutAll("bad_words_ids", o.BadWordsIds.Select(ids => (JsonNode?)Array(ids)));
        PutAll("sequence_bias", o.SequenceBias.Select(bias => (JsonNode?)new JsonArray(Array(bias.Ids), bias.Bias)));
        PutAll("suppress_tokens", o.SuppressTokens.Select(id => (JsonNode?)id));
        PutAll("begin_suppress_tokens", o.BeginSuppressTokens.Select(id => (JsonNode?)id));
        Put("forced_bos_token_id", o.ForcedBosTokenId, null);
        Put("decoder_start_token_id", o.DecoderStartTokenId, null);
        PutAll("forced_eos_token_id", o.ForcedEosTokenIds.Select(id => (JsonNode?)id));
        Put("num_beams", o.NumBeams, 1);
        Put("length_penalty", o.LengthPenalty, 1);
        if (o.EarlyStopping != EarlyStopping.False)
            json["early_stopping"] = o.EarlyStopping == EarlyStopping.True ? true : "never";
        if (o.RenormalizeLogits)
            json["renormalize_logits"] = true;
        Put("num_return_sequences", o.NumReturnSequences, 1);
        PutAll("stop_strings", o.Stop.Select(text => (JsonNode?)text));
        Put("bos_token_id", BosTokenId, null);
        if (o.EosTokenIds is [var single])
            json["eos_token_id"] = single;
        else
            PutAll("eos_token_id", (o.EosTokenIds ?? []).Select(id => (JsonNode?)id));
        Put("pad_token_id", PadTokenId, null);
        return json;

        void Put(string key, double? value, double? standard)
        {
            if (value is { } number && number != standard)
                json[key] = number == Math.Floor(number) && Math.Abs(number) < 1e9 ? JsonValue.Create((long)number)
                    : JsonValue.Create(number);
        }

        void PutAll(string key, IEnumerable<JsonNode?> values)
        {
            JsonNode?[] all = [.. values];
            if (all.Length > 0)
                json[key] = new JsonArray(all);
        }

        static JsonArray Array(IReadOnlyList<int> ids) => [.. ids.Select(id => (JsonNode?)id)];
    }

    /// <summary>The file's text.</summary>
    public string ToText() => ToJson().ToJsonString(Indented);

    /// <summary>The file of a model trained here: Ingot's defaults, spelt out.</summary>
    internal static string Text(int? endOfText) =>
        new GenerationConfig(new GenerationOptions { EosTokenIds = endOfText is { } id ? [id] : null }) { BosTokenId = endOfText }.ToText();

    /// <summary>
    /// The file of an encoder-decoder that is trained: its author's settings if the folder that it began from has some, or else the
    /// likeliest text, as long as the model can write.
    /// </summary>
    /// <param name="model">The model, which says what texts begin and end with.</param>
    /// <param name="author">The settings of the folder; null for none.</param>
    /// <param name="targetLanguage">The token of the language of all texts; null if there are several, or none.</param>
    internal static GenerationConfig Of(EncoderDecoderConfig model, GenerationConfig? author, int? targetLanguage)
    {
        var options = author?.Options ?? new GenerationOptions { DoSample = false, MaxLength = model.MaxPositions };
        return new GenerationConfig(options with
        {
            DecoderStartTokenId = model.DecoderStart,
            EosTokenIds = model.EndOfText,
            ForcedBosTokenId = targetLanguage ?? options.ForcedBosTokenId,
        })
        {
            BosTokenId = author?.BosTokenId ?? model.BeginOfText,
            PadTokenId = model.Padding,
        };
    }

    private static IEnumerable<string> FindUnsupported(JsonObject json, GenerationKeys keys, GenerationOptions options)
    {
        foreach (var (key, value) in json)
        {
            if (keys.IsKnown(key) || Ignored.Contains(key) || value is null or JsonArray { Count: 0 })
                continue;
            if (!Unsupported.TryGetValue(key, out var standard))
                yield return $"{key} is not known, and left out of account";
            else if (!JsonNode.DeepEquals(value, standard) && value.ToJsonString() != standard?.ToJsonString())
                yield return $"{key} is {value.ToJsonString()}, which is not supported, and left out of account";
        }

        if (options is { NumBeams: > 1, DoSample: true })
            yield return "do_sample with num_beams: beam search that draws is not supported; it takes the most probable texts";
    }
}
