using System.Globalization;
using System.Text.Json;

namespace Ingot.Tokenizers.Files;

/// <summary>
/// tokenizer_config.json, and the older special_tokens_map.json beside it: which special tokens have a role, and settings that are kept
/// for others, such as the chat template.
/// </summary>
internal sealed class TokenizerConfig
{
    private const string ConfigJson = "tokenizer_config.json";
    private const string MapJson = "special_tokens_map.json";

    // What tokenizer.json says better, or what changes with the tokens.
    private static readonly string[] NotKept =
        ["added_tokens_decoder", "additional_special_tokens", "tokenizer_file", "name_or_path", "special_tokens_map_file"];

    private readonly List<Named> _special = [];

    private sealed record Named(string File, string Path, string? Role, AddedToken Token);

    /// <summary>tokenizer_class, without the "Fast" at its end; null if it is not said.</summary>
    public string? Class { get; private set; }

    /// <summary>Whether a file says which tokens have a role.</summary>
    public bool HasRoles => _special.Any(named => named.Role is not null);

    /// <summary>The other members of tokenizer_config.json, as JSON.</summary>
    public IReadOnlyList<(string Name, string Json)> Settings { get; private set; } = [];

    /// <summary>Tokens of added_tokens_decoder, where tokenizers without a tokenizer.json have them.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; private set; } = [];

    /// <summary>Special tokens without a role.</summary>
    public IEnumerable<AddedToken> AdditionalTokens => _special.Where(named => named.Role is null).Select(named => named.Token);

    /// <summary>A setting that is true or false; null if it is neither.</summary>
    public bool? Flag(string name) => Setting(name) switch { "true" => true, "false" => false, _ => null };

    /// <summary>A setting that is a whole number from 0 to 100,000; null if it is none.</summary>
    public int? Count(string name) =>
        int.TryParse(Setting(name), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= 100_000 ? count : null;

    /// <summary>A setting that is a string; null if it is none.</summary>
    public string? Text(string name) =>
        Setting(name) is ['"', ..] json ? JsonSerializer.Deserialize<string>(json) : null;

    /// <summary>Reads what is there of the two files.</summary>
    /// <exception cref="InvalidDataException">A file is damaged; the message names it.</exception>
    public static TokenizerConfig Read(string folder)
    {
        var config = new TokenizerConfig();
        var path = Path.Combine(folder, ConfigJson);
        if (File.Exists(path))
        {
            JsonPart.Read(path, root =>
            {
                config.ReadSpecialTokens(path, root);
                config.Class = root.Optional("tokenizer_class")?.AsText() is { } name
                    ? name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name
                    : null;
                string[] roles = [.. new SpecialTokenRoles().All.Select(role => role.Name)];
                config.Settings = [.. root.Members().Where(member => !roles.Contains(member.Name) && !NotKept.Contains(member.Name))
                    .Select(member => (member.Name, member.Value.AsJson()))];
                config.AddedTokens = [.. (root.Optional("added_tokens_decoder")?.Members() ?? []).Select(member =>
                    int.TryParse(member.Name, out var id) && id >= 0
                        ? TokenizerJson.ReadAddedToken(member.Value, id)
                        : throw member.Value.Error("the name is not an id"))];
                return true;
            });
        }

        var map = Path.Combine(folder, MapJson);
        if (File.Exists(map))
        {
            JsonPart.Read(map, root =>
            {
                config.ReadSpecialTokens(map, root);
                return true;
            });
        }

        return config;
    }

    /// <summary>Gives the parts the roles and settings. Tokens with a role, and the additional ones, are special tokens.</summary>
    /// <exception cref="InvalidDataException">A token with a role is not in the vocabulary.</exception>
    public TokenizerParts ApplyTo(TokenizerParts parts)
    {
        var added = parts.AddedTokens.ToList();
        foreach (var named in _special)
        {
            var place = added.FindIndex(token => token.Content == named.Token.Content);
            if (place >= 0)
            {
                added[place] = added[place] with { Special = true };
            }
            else if (parts.Model.Vocabulary.Find(named.Token.Content) is >= 0 and var id)
            {
                added.Add(named.Token with { Id = id });
            }
            else
            {
                throw new InvalidDataException(
                    $"{named.File}: {named.Path}: the special token \"{named.Token.Content}\" is neither in the model's vocabulary nor " +
                    "among the added tokens. Add it to the tokenizer, or take it out of this file.");
            }
        }

        return parts with
        {
            AddedTokens = added,
            Settings = Settings,
            Roles = HasRoles ? SpecialTokenRoles.Of(role => _special.Find(named => named.Role == role)?.Token.Content) : parts.Roles,
        };
    }

    /// <summary>Writes the file.</summary>
    public static void Write(Utf8JsonWriter json, TokenizerParts parts, string tokenizerClass)
    {
        json.WriteStartObject();
        var settings = parts.Settings.ToDictionary(setting => setting.Name, setting => setting.Json);
        settings.TryAdd("tokenizer_class", JsonSerializer.Serialize(tokenizerClass));
        settings.TryAdd("clean_up_tokenization_spaces", "false");
        foreach (var (name, value) in settings)
        {
            json.WritePropertyName(name);
            json.WriteRawValue(value);
        }

        foreach (var (name, token) in parts.Roles.All)
        {
            if (token is not null)
            {
                json.WriteString(name, token);
            }
        }

        json.WriteEndObject();
    }

    private string? Setting(string name) => Settings.FirstOrDefault(setting => setting.Name == name).Json;

    private void ReadSpecialTokens(string file, JsonPart root)
    {
        foreach (var (role, _) in new SpecialTokenRoles().All)
        {
            if (root.Optional(role) is { } part && _special.All(named => named.Role != role))
            {
                _special.Add(new Named(file, part.Path, role, ReadToken(part)));
            }
        }

        if (root.Optional("additional_special_tokens") is { IsArray: true } additional)
        {
            _special.AddRange(additional.Items().Select(part => new Named(file, part.Path, null, ReadToken(part))));
        }
    }

    // A string, or an object with flags.
    private static AddedToken ReadToken(JsonPart part)
    {
        var token = part.IsObject ? TokenizerJson.ReadAddedToken(part, 0) : new AddedToken(0, part.AsText());
        return token.Content.Length > 0
            ? token with { Special = true, Normalized = part.IsObject && token.Normalized }
            : throw part.Error("is empty");
    }
}
