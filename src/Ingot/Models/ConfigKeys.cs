using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ingot.Models;

/// <summary>Reads a config.json key by key; errors name the key.</summary>
public sealed class ConfigKeys(JsonObject json)
{
    /// <summary>A string; an absent one is an error unless a default is given.</summary>
    public string Text(string key, string? fallback = null) => Read(key, fallback, e => e.GetString(), JsonValueKind.String)!;

    /// <summary>A whole number; null or absent gives the default.</summary>
    public int Integer(string key, int? fallback = null) => Read(key, (int?)fallback, e => (int?)e.GetInt32(), JsonValueKind.Number)!.Value;

    /// <summary>A whole number or null.</summary>
    public int? OptionalInteger(string key) => Read(key, null, e => (int?)e.GetInt32(), JsonValueKind.Number, optional: true);

    /// <summary>A number; null or absent gives the default.</summary>
    public double Number(string key, double? fallback = null) =>
        Read(key, fallback, e => (double?)e.GetDouble(), JsonValueKind.Number)!.Value;

    /// <summary>true or false; null or absent gives the default.</summary>
    public bool Flag(string key, bool fallback) => Read(key, (bool?)fallback, e => (bool?)e.GetBoolean(), JsonValueKind.True)!.Value;

    /// <summary>An object, or null.</summary>
    public ConfigKeys? Section(string key) => json[key] is JsonObject o ? new ConfigKeys(o) : null;

    private T Read<T>(string key, T fallback, Func<JsonElement, T> convert, JsonValueKind kind, bool optional = false)
    {
        if (json[key] is not { } node)
        {
            return fallback is not null || optional
                ? fallback
                : throw new FormatException($"config.json has no '{key}'");
        }

        try
        {
            return convert(JsonSerializer.SerializeToElement(node));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new FormatException($"config.json: '{key}' is {node.ToJsonString()}, where a {Describe(kind)} belongs");
        }
    }

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.String => "string",
        JsonValueKind.Number => "number",
        _ => "true or false",
    };
}
