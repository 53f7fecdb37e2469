using System.Text.Json;

namespace Ingot.Checkpoints.Gguf;

/// <summary>
/// The tokenizer of a model folder as llama.cpp wants it: byte-level BPE with the pre-tokens of GPT-2, Llama 3 or Qwen 2. Read from
/// tokenizer.json, or from vocab.json and merges.txt.
/// </summary>
internal sealed class GgufTokenizer
{
    private const long MaximumLength = 200_000_000;

    private const string Words = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string Rest = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // How text is split before merges apply; llama.cpp knows the patterns by name.
    private static readonly Dictionary<string, string> Patterns = new(StringComparer.Ordinal)
    {
        [Words + @"\p{N}{1,3}" + Rest] = "llama-bpe",
        [Words + @"\p{N}" + Rest] = "qwen2",
    };

    private enum Kind
    {
        Normal = 1,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
    }

    private readonly Dictionary<int, (string Text, Kind Kind)> _tokens = [];
    private string[] _merges = [];
    private string _preTokens = "gpt-2";
    private bool _addBos;
    private string? _chatTemplate;

    /// <summary>Reads a folder's tokenizer.</summary>
    /// <exception cref="InvalidDataException">It is missing, damaged or of a kind that llama.cpp or this library does not know.</exception>
    public static GgufTokenizer Load(string folder)
    {
        var tokenizer = new GgufTokenizer();
        var path = Path.Combine(folder, "tokenizer.json");
        try
        {
            if (File.Exists(path))
            {
                tokenizer.ReadTokenizer(path);
            }
            else
            {
                path = Path.Combine(folder, "vocab.json");
                if (!File.Exists(path))
                    throw new InvalidDataException("is missing, and tokenizer.json is too: a GGUF file holds its tokenizer");
                tokenizer.ReadVocabulary(path, Path.Combine(folder, "merges.txt"));
            }

            path = Path.Combine(folder, "tokenizer_config.json");
            tokenizer.ReadSettings(path, Path.Combine(folder, "chat_template.jinja"));
            return tokenizer;
        }
        catch (Exception e) when (
            e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Adds the tokenizer to a file, with as many tokens as the model has.</summary>
    public void AddTo(GgufFile file, int vocabulary, int? begin, IReadOnlyList<int> ends, int? padding)
    {
        if (_tokens.Keys.FirstOrDefault(id => id >= vocabulary, -1) is var beyond and >= 0)
            throw new InvalidDataException($"the tokenizer's token {beyond} is beyond the model's vocabulary of {vocabulary}");
        var texts = new string[vocabulary];
        var kinds = new int[vocabulary];
        for (var id = 0; id < vocabulary; id++)
        {
            var (text, kind) = _tokens.GetValueOrDefault(id, ($"[PAD{id}]", Kind.Unused));
            (texts[id], kinds[id]) = (text, (int)kind);
        }

        file.Add("tokenizer.ggml.model", "gpt2");
        file.Add("tokenizer.ggml.pre", _preTokens);
        file.Add("tokenizer.ggml.tokens", texts);
        file.Add("tokenizer.ggml.token_type", kinds);
        file.Add("tokenizer.ggml.merges", _merges);
        AddId("bos", begin);
        AddId("eos", ends.Count > 0 ? ends[0] : null);
        AddId("padding", padding);
        file.Add("tokenizer.ggml.add_bos_token", _addBos && begin is not null);
        if (_chatTemplate is not null)
            file.Add("tokenizer.chat_template", _chatTemplate);

        void AddId(string name, int? id)
        {
            if (id is >= 0 && id < vocabulary)
                file.Add($"tokenizer.ggml.{name}_token_id", (uint)id.Value);
        }
    }

    private void ReadTokenizer(string path)
    {
        using var json = Parse(path);
        var root = json.RootElement;
        var model = root.GetProperty("model");
        var type = model.TryGetProperty("type", out var t) ? t.GetString() : "BPE";
        if (type != "BPE" || IsTrue(model, "byte_fallback"))
        {
            throw new InvalidDataException($"the tokenizer is {(type == "BPE" ? "BPE with byte_fallback" : type)}; "
                + "a GGUF file gets byte-level BPE only, that of GPT-2, Llama 3 and Qwen");
        }

        _preTokens = PreTokens(root);
        foreach (var token in model.GetProperty("vocab").EnumerateObject())
            AddToken(token.Value.GetInt32(), token.Name, Kind.Normal);
        _merges = [.. model.GetProperty("merges").EnumerateArray().Select(merge => merge.ValueKind == JsonValueKind.String
            ? merge.GetString()!
            : $"{merge[0].GetString()} {merge[1].GetString()}")];
        if (Find(root, "added_tokens") is { } added)
        {
            foreach (var token in added.EnumerateArray())
            {
                _tokens[token.GetProperty("id").GetInt32()] =
                    (token.GetProperty("content").GetString()!, IsTrue(token, "special") ? Kind.Control : Kind.UserDefined);
            }
        }

        // A template that puts a token in front of every text: Llama 3's.
        _addBos = Find(root, "post_processor") is { } processor && BeginsWithToken(processor);
    }

    private void ReadVocabulary(string vocabulary, string merges)
    {
        using var json = Parse(vocabulary);
        foreach (var token in json.RootElement.EnumerateObject())
            AddToken(token.Value.GetInt32(), token.Name, token.Name == "<|endoftext|>" ? Kind.Control : Kind.Normal);
        _merges = [.. File.ReadLines(merges).Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal))];
    }

    private void ReadSettings(string path, string template)
    {
        if (File.Exists(path))
        {
            using var json = Parse(path);
            _addBos = Find(json.RootElement, "add_bos_token") is { } add ? add.GetBoolean() : _addBos;
            if (Find(json.RootElement, "chat_template") is { ValueKind: JsonValueKind.String } text)
                _chatTemplate = text.GetString();
        }

        if (File.Exists(template))
            _chatTemplate = File.ReadAllText(template);
    }

    private void AddToken(int id, string text, Kind kind)
    {
        if (id < 0 || !_tokens.TryAdd(id, (text, kind)))
            throw new InvalidDataException($"the token '{text}' has the id {id}, which is {(id < 0 ? "below 0" : "another token's too")}");
    }

    private static string PreTokens(JsonElement root)
    {
        if (Find(root, "pre_tokenizer") is not { } pre)
            throw new InvalidDataException("it has no pre_tokenizer; a GGUF file needs that of GPT-2, Llama 3 or Qwen 2");
        JsonElement[] steps = pre.GetProperty("type").GetString() == "Sequence"
            ? [.. pre.GetProperty("pretokenizers").EnumerateArray()] : [pre];
        var split = steps.FirstOrDefault(step => step.GetProperty("type").GetString() == "Split");
        var bytes = steps.FirstOrDefault(step => step.GetProperty("type").GetString() == "ByteLevel");
        if (steps.Length > 2 || bytes.ValueKind == JsonValueKind.Undefined || IsTrue(bytes, "add_prefix_space"))
            throw Unknown(pre);
        if (steps.Length == 1 && Find(bytes, "use_regex") is not { ValueKind: JsonValueKind.False })
            return "gpt-2";
        return split.ValueKind == JsonValueKind.Object && Find(split.GetProperty("pattern"), "Regex") is { } pattern
            && Patterns.TryGetValue(pattern.GetString()!, out var name) ? name : throw Unknown(pre);
    }

    private static InvalidDataException Unknown(JsonElement pre)
    {
        var text = pre.GetRawText();
        return new($"pre_tokenizer {(text.Length > 300 ? text[..300] + "..." : text)} is none that a GGUF file can name: "
            + "GPT-2's, Llama 3's or Qwen 2's");
    }

    private static bool BeginsWithToken(JsonElement processor)
    {
        var type = processor.GetProperty("type").GetString();
        if (type == "Sequence")
            return processor.GetProperty("processors").EnumerateArray().Any(BeginsWithToken);
        return type == "TemplateProcessing" && processor.GetProperty("single").EnumerateArray().FirstOrDefault() is
        { ValueKind: JsonValueKind.Object } first && Find(first, "SpecialToken") is not null;
    }

    private static JsonDocument Parse(string path)
    {
        if (new FileInfo(path).Length > MaximumLength)
            throw new InvalidDataException($"it is longer than {MaximumLength:N0} bytes");
        return JsonDocument.Parse(File.ReadAllBytes(path));
    }

    private static JsonElement? Find(JsonElement element, string key) =>
        element.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static bool IsTrue(JsonElement element, string key) => Find(element, key) is { ValueKind: JsonValueKind.True };
}
