using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ingot.Models;

/// <summary>
/// Reads a config.json key by key; errors name the key. It notes what was asked for, so that the rest can be kept as it is
/// (<see cref="Rest"/>) or refused (<see cref="RefuseRest"/>).
/// </summary>
public sealed class ConfigKeys(JsonObject json, string path = "")
{
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>A string; an absent one is an error unless a default is given.</summary>
    public string Text(string key, string? fallback = null) => Read(key, fallback, e => e.GetString(), "string")!;

    /// <summary>A whole number; null or absent gives the default.</summary>
    public int Integer(string key, int? fallback = null) => Read(key, fallback, e => (int?)e.GetInt32(), "whole number")!.Value;

    /// <summary>A whole number or null.</summary>
    public int? OptionalInteger(string key) => Read(key, null, e => (int?)e.GetInt32(), "whole number", optional: true);

    /// <summary>A number; null or absent gives the default.</summary>
    public double Number(string key, double? fallback = null) => Read(key, fallback, e => (double?)e.GetDouble(), "number")!.Value;

    /// <summary>A number or null.</summary>
    public double? OptionalNumber(string key) => Read(key, null, e => (double?)e.GetDouble(), "number", optional: true);

    /// <summary>true or false; null or absent gives the default.</summary>
    public bool Flag(string key, bool fallback) => Read(key, fallback, e => (bool?)e.GetBoolean(), "true or false")!.Value;

    /// <summary>Token ids: a whole number, a list of them, or nothing.</summary>
    public IReadOnlyList<int> Ids(string key) => Read<int[]>(key, [], e => e.ValueKind == JsonValueKind.Array
        ? [.. e.EnumerateArray().Select(id => id.GetInt32())]
        : [e.GetInt32()], "token id or list of token ids")!;

    /// <summary>The first string of a list; null if there is none.</summary>
    public string? FirstText(string key) => Read(key, null, e => e.EnumerateArray().Select(item => item.GetString()).FirstOrDefault(),
        "list of strings", optional: true);

    /// <summary>Names by id, {"0": "A", "1": "B"}: ids from 0 on without a gap, no name twice.</summary>
    public IReadOnlyList<string> Labels(string key)
    {
        var names = Read<Dictionary<string, string>>(key, null!,
            e => e.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!),
            "object of labels by id");
        List<string> labels = [.. Enumerable.Range(0, names.Count).Select(id => names.GetValueOrDefault($"{id}")
            ?? throw new FormatException($"config.json: '{path}{key}' has {names.Count} labels, but none with the id {id}"))];
        return labels.Distinct().Count() == labels.Count ? labels
            : throw new FormatException($"config.json: '{path}{key}' has the same label twice");
    }

    /// <summary>An object, or null.</summary>
    public ConfigKeys? Section(string key)
    {
        _read.Add(key);
        return json[key] switch
        {
            null => null,
            JsonObject section => new ConfigKeys(section, $"{path}{key}."),
            var other => throw Wrong(key, other, "section in braces"),
        };
    }

    /// <summary>Passes over keys that say nothing about the model.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            _read.Add(key);
    }

    /// <summary>Refuses a setting of another computation than the one that is done here.</summary>
    /// <param name="key">The key; null and absent pass.</param>
    /// <param name="supported">The only value that is supported; null if the key must not be there.</param>
    public void Expect(string key, JsonNode? supported)
    {
        _read.Add(key);
        if (json[key] is { } node && !JsonNode.DeepEquals(node, supported))
        {
            throw new FormatException($"config.json: '{path}{key}' is {Shown(node)}, which is not supported"
                + (supported is null ? "" : $"; only {supported.ToJsonString()} is"));
        }
    }

    /// <summary>Refuses a list that has another word than the one that is supported.</summary>
    public void ExpectEach(string key, string supported)
    {
        _read.Add(key);
        foreach (var node in json[key] as JsonArray ?? [])
        {
            if (!JsonNode.DeepEquals(node, supported))
                throw new FormatException($"config.json: '{path}{key}' has {Shown(node)}, which is not supported; only \"{supported}\" is");
        }
    }

    /// <summary>A copy of everything that was not asked for.</summary>
    public JsonObject Rest() => new(json.Where(pair => !_read.Contains(pair.Key))
        .Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())));

    /// <summary>Refuses what was not asked for: for sections of which every key counts.</summary>
    public void RefuseRest()
    {
        foreach (var (key, node) in json)
        {
            if (node is not null && !_read.Contains(key))
                throw new FormatException($"config.json: '{path}{key}' is {Shown(node)}; this setting is not supported");
        }
    }

    private T Read<T>(string key, T fallback, Func<JsonElement, T> convert, string kind, bool optional = false)
    {
        _read.Add(key);
        if (json[key] is not { } node)
        {
            return fallback is not null || optional
                ? fallback
                : throw new FormatException($"config.json has no '{path}{key}'");
        }

        try
        {
            return convert(JsonSerializer.SerializeToElement(node));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw Wrong(key, node, kind);
        }
    }

    private FormatException Wrong(string key, JsonNode node, string kind) =>
        new($"config.json: '{path}{key}' is {Shown(node)}, where a {kind} belongs");

    private static string Shown(JsonNode? node)
    {
        const int Most = 100;
        var text = node?.ToJsonString() ?? "null";
        return text.Length <= Most ? text : text[..Most] + "...";
    }
}
