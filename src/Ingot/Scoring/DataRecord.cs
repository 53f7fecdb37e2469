using System.Text.Json;
using Ingot.Chat;
using Ingot.Data;

namespace Ingot.Scoring;

/// <summary>An object of a file of JSON Lines, or of a list in a file of JSON.</summary>
/// <param name="Place">File and line, for errors.</param>
/// <param name="Json">The object.</param>
internal sealed record DataRecord(string Place, JsonElement Json)
{
    /// <summary>Reads the objects of a file, which gzip may have packed.</summary>
    /// <exception cref="InvalidDataException">The file is no JSON, or something in it is no object; the message names the line.</exception>
    public static IEnumerable<DataRecord> Read(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file", path);
        if (!JsonTexts.IsNamed(path))
            throw new InvalidDataException($"{path}: records are read from .jsonl, .ndjson and .json, or these with .gz behind");
        foreach (var (text, line) in ExampleText.ReadJson(path))
            yield return new DataRecord($"{path}:{line}", Parse(text, path, line));
    }

    /// <summary>The field of one of the names; null if there is none.</summary>
    public JsonElement? Find(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
                return value;
        }

        return null;
    }

    /// <summary>The field of one of the names.</summary>
    /// <exception cref="InvalidDataException">There is none; the message says which there are.</exception>
    public JsonElement Get(params ReadOnlySpan<string> names) => Find(names) ?? throw Bad(
        $"there is no {string.Join(" or ", names.ToArray().Select(name => $"\"{name}\""))} among the fields "
        + string.Join(", ", Json.EnumerateObject().Select(field => $"\"{field.Name}\"")));

    /// <summary>The same, which must be a text.</summary>
    public string GetText(params ReadOnlySpan<string> names) => Text(Get(names)) ?? throw Bad($"\"{names[0]}\" is no text");

    /// <summary>An error that names the record.</summary>
    public InvalidDataException Bad(string problem) => new($"{Place}: {problem}");

    /// <summary>A value that is a text; null if it is something else.</summary>
    public static string? Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static JsonElement Parse(ReadOnlyMemory<byte> text, string path, long line)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var json = document.RootElement;
            return json.ValueKind == JsonValueKind.Object ? json.Clone()
                : throw new InvalidDataException($"{path}:{line}: an object is expected, not {ChatMessage.DescribeKind(json.ValueKind)}");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{line + (e.LineNumber ?? 0)}: not valid JSON: {JsonExample.Explain(e)}", e);
        }
    }
}
