using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Checkpoints;

namespace Ingot.Tokenizers;

/// <summary>
/// Tokenizers as Hugging Face's libraries write them: tokenizer.json (the whole pipeline), tokenizer_config.json (which tokens have which
/// role), and GPT-2's older pair vocab.json and merges.txt. What is read but not supported is an error, never passed over.
/// </summary>
internal static class TokenizerFiles
{
    private const string TokenizerJson = "tokenizer.json";
    private const string ConfigJson = "tokenizer_config.json";
    private const string VocabJson = "vocab.json";
    private const string MergesTxt = "merges.txt";

    // The character level as Hugging Face's pipeline: every code point is a word.
    private const string AnyCharacter = @"[\s\S]";

    /// <inheritdoc cref="Tokenizer.Load"/>
    public static Tokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: there is no such folder to load a tokenizer from.");
        }

        var tokenizerPath = Path.Combine(folder, TokenizerJson);
        if (File.Exists(tokenizerPath))
        {
            return Reading(tokenizerPath, () => ReadTokenizerJson(tokenizerPath, folder));
        }

        var vocabPath = Path.Combine(folder, VocabJson);
        var mergesPath = Path.Combine(folder, MergesTxt);
        if (File.Exists(vocabPath) && File.Exists(mergesPath))
        {
            return Reading(vocabPath, () => ReadVocabAndMerges(vocabPath, mergesPath, folder));
        }

        throw new FileNotFoundException(
            $"{folder}: no tokenizer here. Looked for {TokenizerJson}, and for {VocabJson} with {MergesTxt}.", tokenizerPath);
    }

    /// <summary>Writes tokenizer.json, tokenizer_config.json, vocab.json and merges.txt.</summary>
    public static void Save(ByteLevelBpeTokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        var names = tokenizer.Tokens
            .Select((bytes, id) => tokenizer.SpecialTokens.TryGetValue(id, out var special) ? special : ByteSymbols.ToSymbols(bytes))
            .ToArray();

        WriteJson(Path.Combine(folder, VocabJson), json => WriteVocabulary(json, names));
        WriteText(Path.Combine(folder, MergesTxt), writer =>
        {
            writer.Write("#version: 0.2\n");
            foreach (var merge in tokenizer.Merges)
            {
                writer.Write($"{names[merge.Left]} {names[merge.Right]}\n");
            }
        });
        WriteJson(Path.Combine(folder, ConfigJson), json =>
        {
            // GPT2Tokenizer takes it that the vocabulary has GPT-2's special token.
            json.WriteStartObject();
            json.WriteString("tokenizer_class", tokenizer.EndOfTextToken is null ? "PreTrainedTokenizerFast" : "GPT2Tokenizer");
            json.WriteBoolean("add_prefix_space", false);
            json.WriteBoolean("clean_up_tokenization_spaces", false);
            if (tokenizer.EndOfTextToken is { } endOfText)
            {
                json.WriteString("bos_token", endOfText);
                json.WriteString("eos_token", endOfText);
                json.WriteString("unk_token", endOfText);
            }

            json.WriteEndObject();
        });
        WriteJson(Path.Combine(folder, TokenizerJson), json => WritePipeline(
            json,
            tokenizer.SpecialTokens,
            preTokenizer: WriteByteLevel,
            decoder: WriteByteLevel,
            model: () =>
            {
                json.WriteString("type", "BPE");
                json.WriteNull("dropout");
                json.WriteNull("unk_token");
                json.WriteNull("continuing_subword_prefix");
                json.WriteNull("end_of_word_suffix");
                json.WriteBoolean("fuse_unk", false);
                json.WriteBoolean("byte_fallback", false);
                json.WriteBoolean("ignore_merges", false);
                json.WritePropertyName("vocab");
                WriteVocabulary(json, names);

                // As strings: every version of the libraries reads them, and no symbol is a space.
                json.WriteStartArray("merges");
                foreach (var merge in tokenizer.Merges)
                {
                    json.WriteStringValue($"{names[merge.Left]} {names[merge.Right]}");
                }

                json.WriteEndArray();
            }));

        static void WriteByteLevel(Utf8JsonWriter json)
        {
            json.WriteString("type", "ByteLevel");
            json.WriteBoolean("add_prefix_space", false);
            json.WriteBoolean("trim_offsets", true);
            json.WriteBoolean("use_regex", true);
        }
    }

    /// <summary>Writes tokenizer.json and tokenizer_config.json.</summary>
    public static void Save(CharacterTokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        WriteJson(Path.Combine(folder, ConfigJson), json =>
        {
            json.WriteStartObject();
            json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
            json.WriteBoolean("clean_up_tokenization_spaces", false);
            json.WriteEndObject();
        });
        WriteJson(Path.Combine(folder, TokenizerJson), json => WritePipeline(
            json,
            new Dictionary<int, string>(),
            preTokenizer: static json =>
            {
                json.WriteString("type", "Split");
                json.WriteStartObject("pattern");
                json.WriteString("Regex", AnyCharacter);
                json.WriteEndObject();
                json.WriteString("behavior", "Isolated");
                json.WriteBoolean("invert", false);
            },
            decoder: static json => json.WriteString("type", "Fuse"),
            model: () =>
            {
                json.WriteString("type", "WordLevel");
                json.WritePropertyName("vocab");
                WriteVocabulary(json, [.. tokenizer.CodePoints.Select(char.ConvertFromUtf32)]);

                // The libraries want a name here. No character has it, so an unknown character is an error there too.
                json.WriteString("unk_token", "<unk>");
            }));
    }

    private static void WritePipeline(
        Utf8JsonWriter json,
        IReadOnlyDictionary<int, string> specialTokens,
        Action<Utf8JsonWriter> preTokenizer,
        Action<Utf8JsonWriter> decoder,
        Action model)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (var (id, content) in specialTokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", content);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", false);
            json.WriteBoolean("rstrip", false);
            json.WriteBoolean("normalized", false);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        json.WriteStartObject("pre_tokenizer");
        preTokenizer(json);
        json.WriteEndObject();
        json.WriteNull("post_processor");
        json.WriteStartObject("decoder");
        decoder(json);
        json.WriteEndObject();
        json.WriteStartObject("model");
        model();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteVocabulary(Utf8JsonWriter json, string[] names)
    {
        json.WriteStartObject();
        for (var id = 0; id < names.Length; id++)
        {
            json.WriteNumber(names[id], id);
        }

        json.WriteEndObject();
    }

    private static void WriteJson(string path, Action<Utf8JsonWriter> write) =>
        DurableFile.Write(path, stream =>
        {
            var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
            using var json = new Utf8JsonWriter(stream, options);
            write(json);
        });

    private static void WriteText(string path, Action<StreamWriter> write) =>
        DurableFile.Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
            write(writer);
        });

    // Puts the file's name before whatever is wrong with it.
    private static Tokenizer Reading(string path, Func<Tokenizer> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{path}: not a tokenizer that Ingot can read. {e.Message}", e);
        }
    }

    private static Tokenizer ReadTokenizerJson(string path, string folder)
    {
        using var document = ParseJson(path);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("model", out var model))
        {
            throw new InvalidDataException("It has no \"model\".");
        }

        RequireNull(root, "normalizer");
        return TypeOf(model) switch
        {
            "BPE" => ReadByteLevelBpe(root, model, folder),
            "WordLevel" => ReadCharacters(root, model),
            var type => throw new InvalidDataException(
                $"Its model is of the type \"{type}\"; supported are \"BPE\" over bytes and Ingot's character level (\"WordLevel\")."),
        };
    }

    private static ByteLevelBpeTokenizer ReadByteLevelBpe(JsonElement root, JsonElement model, string folder)
    {
        var preTokenizer = Optional(root, "pre_tokenizer");
        RequireType(preTokenizer, "pre_tokenizer", "ByteLevel");
        if (Optional(preTokenizer!.Value, "add_prefix_space") is { ValueKind: JsonValueKind.True })
        {
            throw new InvalidDataException("pre_tokenizer.add_prefix_space is true; only false, as in GPT-2, is supported.");
        }

        if (Optional(preTokenizer.Value, "use_regex") is { ValueKind: JsonValueKind.False })
        {
            throw new InvalidDataException("pre_tokenizer.use_regex is false; only GPT-2's pre-tokens are supported.");
        }

        // The byte-level post-processor changes offsets, not ids.
        if (Optional(root, "post_processor") is { } postProcessor)
        {
            RequireType(postProcessor, "post_processor", "ByteLevel");
        }

        RequireType(Optional(root, "decoder"), "decoder", "ByteLevel");
        foreach (var name in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (Optional(model, name) is { } affix && affix.GetString() != "")
            {
                throw new InvalidDataException($"model.{name} is \"{affix}\", which is not supported.");
            }
        }

        if (Optional(model, "dropout") is { } dropout && dropout.GetDouble() != 0)
        {
            throw new InvalidDataException($"model.dropout is {dropout}; random merges are not supported.");
        }

        if (Optional(model, "ignore_merges") is { ValueKind: JsonValueKind.True })
        {
            throw new InvalidDataException("model.ignore_merges is true, which is not supported.");
        }

        var vocabulary = ReadVocabulary(Required(model, "vocab"));
        var specialTokens = ReadAddedTokens(root, vocabulary);
        var merges = Required(model, "merges").EnumerateArray().Select(merge =>
            SplitMerge(merge.ValueKind == JsonValueKind.Array ? string.Join(' ', merge.EnumerateArray()) : merge.ToString()));
        return MakeByteLevelBpe(vocabulary, merges, specialTokens, folder);
    }

    private static CharacterTokenizer ReadCharacters(JsonElement root, JsonElement model)
    {
        var preTokenizer = Optional(root, "pre_tokenizer");
        RequireType(preTokenizer, "pre_tokenizer", "Split");
        var pattern = Optional(preTokenizer!.Value, "pattern");
        if (pattern is not { ValueKind: JsonValueKind.Object } || Optional(pattern.Value, "Regex")?.GetString() != AnyCharacter)
        {
            throw new InvalidDataException("Of word-level models only Ingot's character level is supported.");
        }

        if (Optional(root, "added_tokens") is { } added && added.GetArrayLength() > 0)
        {
            throw new InvalidDataException("added_tokens are not supported at the character level.");
        }

        var codePoints = ById(ReadVocabulary(Required(model, "vocab"))).Select((word, id) =>
            Rune.DecodeFromUtf16(word, out var rune, out var length) == System.Buffers.OperationStatus.Done && length == word.Length
                ? rune.Value
                : throw new InvalidDataException($"The word \"{word}\" (id {id}) is not a single character."));
        int[] ascending = [.. codePoints];
        return ascending.Length > 0 && ascending.Zip(ascending.Skip(1)).All(pair => pair.First < pair.Second)
            ? new CharacterTokenizer(ascending)
            : throw new InvalidDataException("The characters are not in the order of their code points.");
    }

    private static ByteLevelBpeTokenizer ReadVocabAndMerges(string vocabPath, string mergesPath, string folder)
    {
        using var document = ParseJson(vocabPath);
        var vocabulary = ReadVocabulary(document.RootElement);
        var specialTokens = new Dictionary<int, string>();
        if (vocabulary.TryGetValue(ByteLevelBpeTokenizer.EndOfText, out var endOfText))
        {
            specialTokens.Add(endOfText, ByteLevelBpeTokenizer.EndOfText);
        }

        var merges = File.ReadLines(mergesPath)
            .Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal))
            .Select(SplitMerge);
        return MakeByteLevelBpe(vocabulary, merges, specialTokens, folder);
    }

    private static ByteLevelBpeTokenizer MakeByteLevelBpe(
        Dictionary<string, int> vocabulary,
        IEnumerable<(string Left, string Right)> merges,
        Dictionary<int, string> specialTokens,
        string folder)
    {
        var tokens = ById(vocabulary).Select((name, id) =>
            specialTokens.ContainsKey(id)
                ? Encoding.UTF8.GetBytes(name)
                : ByteSymbols.ToBytes(name)
                    ?? throw new InvalidDataException($"The token \"{name}\" (id {id}) is not written in the byte symbols of GPT-2."));
        var mergeIds = merges.Select(merge => new BpeMerge(IdOf(merge.Left), IdOf(merge.Right), IdOf(merge.Left + merge.Right)));
        return new ByteLevelBpeTokenizer([.. tokens], [.. mergeIds], specialTokens, ReadEndOfText(folder, specialTokens));

        int IdOf(string name) =>
            vocabulary.TryGetValue(name, out var id)
                ? id
                : throw new InvalidDataException($"The merges use \"{name}\", which is not in the vocabulary.");
    }

    // tokenizer_config.json says which special token ends a text; without it, GPT-2's does.
    private static string? ReadEndOfText(string folder, Dictionary<int, string> specialTokens)
    {
        var name = ByteLevelBpeTokenizer.EndOfText;
        var path = Path.Combine(folder, ConfigJson);
        if (File.Exists(path))
        {
            using var config = ParseJson(path);
            if (Optional(config.RootElement, "eos_token") is { } token)
            {
                name = token.ValueKind == JsonValueKind.Object ? Required(token, "content").GetString()! : token.GetString()!;
            }
        }

        return specialTokens.ContainsValue(name) ? name : null;
    }

    private static Dictionary<string, int> ReadVocabulary(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException("The vocabulary is not an object of tokens and ids.");
        }

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in element.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id < 0)
            {
                throw new InvalidDataException($"The id of \"{entry.Name}\" is {entry.Value}, not a number from 0 on.");
            }

            if (!vocabulary.TryAdd(entry.Name, id))
            {
                throw new InvalidDataException($"The token \"{entry.Name}\" stands twice in the vocabulary.");
            }
        }

        return vocabulary;
    }

    // Adds to the vocabulary those added tokens that it lacks, and returns all of them by id.
    private static Dictionary<int, string> ReadAddedTokens(JsonElement root, Dictionary<string, int> vocabulary)
    {
        var added = new Dictionary<int, string>();
        foreach (var token in Optional(root, "added_tokens")?.EnumerateArray() ?? default)
        {
            var content = Required(token, "content").GetString()!;
            var id = Required(token, "id").GetInt32();
            if (id < 0)
            {
                throw new InvalidDataException($"The added token \"{content}\" has the id {id}, not a number from 0 on.");
            }

            foreach (var flag in new[] { "single_word", "lstrip", "rstrip" })
            {
                if (Optional(token, flag) is { ValueKind: JsonValueKind.True })
                {
                    throw new InvalidDataException($"The added token \"{content}\" has {flag} = true, which is not supported.");
                }
            }

            if (!added.TryAdd(id, content) || (!vocabulary.TryAdd(content, id) && vocabulary[content] != id))
            {
                throw new InvalidDataException($"The added token \"{content}\" has the id {id}, which contradicts the other tokens.");
            }
        }

        return added;
    }

    private static string[] ById(Dictionary<string, int> vocabulary)
    {
        var names = new string[vocabulary.Count];
        foreach (var (name, id) in vocabulary)
        {
            if (id >= names.Length || names[id] is not null)
            {
                throw new InvalidDataException(
                    $"The ids of the {names.Length} tokens are not 0 … {names.Length - 1}, each once: \"{name}\" has {id}.");
            }

            names[id] = name;
        }

        return names;
    }

    private static (string Left, string Right) SplitMerge(string merge) =>
        merge.Split(' ') is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw new InvalidDataException($"The merge \"{merge}\" is not two tokens with a space between them.");

    private static JsonDocument ParseJson(string path)
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path).AsMemory());
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{Path.GetFileName(path)} is damaged: {e.Message}", e);
        }
    }

    private static JsonElement Required(JsonElement element, string name) =>
        Optional(element, name) ?? throw new InvalidDataException($"\"{name}\" is missing.");

    // A member that is absent or null is null.
    private static JsonElement? Optional(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static void RequireNull(JsonElement root, string name)
    {
        if (Optional(root, name) is { } element)
        {
            throw new InvalidDataException($"Its {name} is of the type \"{TypeOf(element)}\"; none is supported.");
        }
    }

    private static void RequireType(JsonElement? element, string name, string type)
    {
        var found = element is { } present ? TypeOf(present) : "null";
        if (found != type)
        {
            throw new InvalidDataException($"Its {name} is of the type \"{found}\"; supported is \"{type}\".");
        }
    }

    // GPT-2's own tokenizer.json, an early one, gives its model no type.
    private static string TypeOf(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            return Optional(element, "type")?.GetString() ?? (Optional(element, "merges") is null ? "unknown" : "BPE");
        }

        return element.ValueKind.ToString();
    }
}
