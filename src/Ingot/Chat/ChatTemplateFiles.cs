using System.Text.Json;
using Ingot.Tokenizers;

namespace Ingot.Chat;

/// <summary>Finds chat templates, and the special tokens that they read, in the files of a model's folder.</summary>
internal static class ChatTemplateFiles
{
    private const long LargestTemplate = 4 << 20;
    private const long LargestConfig = 64 << 20;
    private const string DefaultName = "default";

    private static readonly string[] TokenNames =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>What <see cref="ChatTemplate.Load"/> does.</summary>
    public static ChatTemplate Load(string folder, string? choice, Tokenizer? tokenizer) =>
        TryLoad(folder, choice, tokenizer) ?? throw new FileNotFoundException(
            $"{folder}: there is no chat template in it (chat_template.jinja, or chat_template in tokenizer_config.json): "
            + $"choose a .jinja file or a built-in one: {string.Join(", ", ChatTemplate.BuiltInNames)}");

    /// <summary>What <see cref="ChatTemplate.TryLoad"/> does.</summary>
    public static ChatTemplate? TryLoad(string folder, string? choice, Tokenizer? tokenizer)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: there is no such folder");
        }

        Dictionary<string, object?> variables = ReadTokens(folder);
        if (!variables.ContainsKey("bos_token") && tokenizer?.Roles.Bos is { } start)
        {
            variables["bos_token"] = start;
        }

        if (!variables.ContainsKey("eos_token") && tokenizer?.EndOfTextId is { } end)
        {
            variables["eos_token"] = tokenizer.IdToToken(end);
        }

        if (choice is not null && choice.EndsWith(".jinja", StringComparison.Ordinal))
        {
            return ChatTemplate.Parse(ReadText(choice, LargestTemplate), choice, variables);
        }

        Dictionary<string, (string Source, string Name)> templates = ReadTemplates(folder);
        if (templates.TryGetValue(choice ?? DefaultName, out (string Source, string Name) found))
        {
            return ChatTemplate.Parse(found.Source, found.Name, variables);
        }

        if (choice is null && templates.Count == 0)
        {
            return null;
        }

        choice ??= DefaultName;
        if (BuiltInTemplates.Find(choice) is not null)
        {
            return ChatTemplate.BuiltIn(choice, variables);
        }

        string own = templates.Count > 0 ? $"it has the templates {string.Join(", ", templates.Keys)}; " : "";
        throw new FileNotFoundException(
            $"{folder}: there is no chat template '{choice}': {own}built in are {string.Join(", ", ChatTemplate.BuiltInNames)}; "
            + "a file ends with .jinja");
    }

    // Files of their own come before what is in the configuration, as in Hugging Face's libraries.
    private static Dictionary<string, (string Source, string Name)> ReadTemplates(string folder)
    {
        var templates = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        string config = Path.Combine(folder, "tokenizer_config.json");
        if (File.Exists(config))
        {
            using JsonDocument json = ReadJson(config);
            if (json.RootElement.TryGetProperty("chat_template", out JsonElement template))
            {
                ReadFromConfig(config, template, templates);
            }
        }

        string file = Path.Combine(folder, "chat_template.jinja");
        if (File.Exists(file))
        {
            templates[DefaultName] = (ReadText(file, LargestTemplate), file);
        }

        string additional = Path.Combine(folder, "additional_chat_templates");
        if (Directory.Exists(additional))
        {
            foreach (string path in Directory.EnumerateFiles(additional, "*.jinja").Order(StringComparer.Ordinal))
            {
                templates[Path.GetFileNameWithoutExtension(path)] = (ReadText(path, LargestTemplate), path);
            }
        }

        return templates;
    }

    private static void ReadFromConfig(string config, JsonElement template, Dictionary<string, (string, string)> templates)
    {
        switch (template.ValueKind)
        {
            case JsonValueKind.Null:
                break;
            case JsonValueKind.String:
                templates[DefaultName] = (template.GetString()!, $"{config}: chat_template");
                break;
            case JsonValueKind.Array:
                foreach (JsonElement entry in template.EnumerateArray())
                {
                    if (entry.ValueKind != JsonValueKind.Object
                        || !entry.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
                        || !entry.TryGetProperty("template", out JsonElement text) || text.ValueKind != JsonValueKind.String)
                    {
                        throw new InvalidDataException(
                            $"{config}: an entry of chat_template is no object with the strings 'name' and 'template'");
                    }

                    templates[name.GetString()!] = (text.GetString()!, $"{config}: chat_template '{name.GetString()}'");
                }

                break;
            default:
                throw new InvalidDataException(
                    $"{config}: chat_template is {ChatMessage.DescribeKind(template.ValueKind)}, not a string or a list of templates");
        }
    }

    // A token is a string, or an object with its content.
    private static Dictionary<string, object?> ReadTokens(string folder)
    {
        var tokens = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (string file in new[] { "special_tokens_map.json", "tokenizer_config.json" })
        {
            string path = Path.Combine(folder, file);
            if (!File.Exists(path))
            {
                continue;
            }

            using JsonDocument json = ReadJson(path);
            foreach (string name in TokenNames)
            {
                if (json.RootElement.TryGetProperty(name, out JsonElement token))
                {
                    bool isObject = token.ValueKind == JsonValueKind.Object;
                    JsonElement content = isObject && token.TryGetProperty("content", out JsonElement inner) ? inner : token;
                    if (content.ValueKind == JsonValueKind.String)
                    {
                        tokens[name] = content.GetString();
                    }
                    else if (content.ValueKind != JsonValueKind.Null)
                    {
                        throw new InvalidDataException($"{path}: {name} is {ChatMessage.DescribeKind(content.ValueKind)}, not a string");
                    }
                }
            }
        }

        return tokens;
    }

    private static JsonDocument ReadJson(string path)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(ReadText(path, LargestConfig));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not valid JSON: {e.Message}", e);
        }

        if (json.RootElement.ValueKind != JsonValueKind.Object)
        {
            json.Dispose();
            throw new InvalidDataException($"{path}: a JSON object is expected");
        }

        return json;
    }

    private static string ReadText(string path, long largest)
    {
        long length = new FileInfo(path) is { Exists: true } file ? file.Length
            : throw new FileNotFoundException($"{path}: there is no such file", path);
        return length <= largest
            ? File.ReadAllText(path)
            : throw new InvalidDataException($"{path}: {length} bytes; more than {largest >> 20} MB are taken for an error");
    }
}
