using System.Text.Json;

namespace Ingot.Data;

/// <summary>Documents in JSON Lines: each line a string, or an object with a string "text".</summary>
internal static class JsonTexts
{
    /// <summary>The key of an object that holds its text.</summary>
    public const string Key = "text";

    private const int Beginning = 1 << 16;

    /// <summary>Whether a file is named as JSON Lines are.</summary>
    public static bool IsNamedLines(string path) => HasExtension(path, ".jsonl") || HasExtension(path, ".ndjson");

    /// <summary>Whether a file is named as JSON is.</summary>
    public static bool IsNamed(string path) => IsNamedLines(path) || HasExtension(path, ".json");

    /// <summary>What a file of JSON holds, as its beginning shows.</summary>
    public static DataFormat Recognize(string path)
    {
        using var reader = new TextFileReader(path);
        var (buffer, count) = (new byte[Beginning], 0);
        while (count < Beginning && reader.Append(ref buffer, ref count))
        {
        }

        var json = new Utf8JsonReader(buffer.AsSpan(0, count), isFinalBlock: false, state: default);
        try
        {
            while (json.Read())
            {
                if (json.TokenType == JsonTokenType.String && json.CurrentDepth <= 1)
                    return DataFormat.Examples;
                if (json.TokenType == JsonTokenType.PropertyName)
                    return FormatOf(ref json);
            }
        }
        catch (JsonException)
        {
            // Whoever reads the file says where it is wrong.
        }

        return DataFormat.Text;
    }

    /// <summary>The texts of JSON Lines, with the line that each is on.</summary>
    /// <exception cref="InvalidDataException">A line holds no text; the message names it.</exception>
    public static IEnumerable<(string Text, long Line)> ReadLines(string path, CancellationToken ct = default)
    {
        var number = 0L;
        foreach (var line in TextLines.Read(path, ct))
        {
            number++;
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) >= 0)
                yield return (TextOf(line, path, number), number);
        }
    }

    private static string TextOf(ReadOnlyMemory<byte> line, string path, long number)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return TextOf(json.RootElement) ?? throw Bad($"{path}:{number}", $"the line holds {Describe(json.RootElement)}");
        }
        catch (JsonException e)
        {
            throw Bad($"{path}:{number}", $"the line is not JSON: {e.Message.Split(" LineNumber:")[0]}");
        }
        catch (InvalidOperationException)
        {
            throw Bad($"{path}:{number}", "an escape in the text is half of a character (a lone surrogate)");
        }
    }

    private static string? TextOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Object when element.TryGetProperty(Key, out var text) && text.ValueKind == JsonValueKind.String => text.GetString(),
        _ => null,
    };

    // Of an object whose first key is next.
    private static DataFormat FormatOf(ref Utf8JsonReader json)
    {
        var depth = json.CurrentDepth;
        do
        {
            if (json.TokenType == JsonTokenType.PropertyName && json.CurrentDepth == depth && json.ValueTextEquals(Key))
                return DataFormat.Text;
        }
        while (json.Read() && json.CurrentDepth >= depth);
        return DataFormat.Chat;
    }

    private static string Describe(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object =>
            $"an object without a string \"{Key}\" (it has {string.Join(", ", element.EnumerateObject().Select(p => p.Name).Take(5))})",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        _ => $"{element}".ToLowerInvariant(),
    };

    private static InvalidDataException Bad(string where, string problem) => new(
        $"{where}: {problem}. A text is a string or an object with a string \"{Key}\"; for conversations and prompts with answers see "
        + $"dataFormat.");

    /// <summary>Whether a file is named so, perhaps with .gz behind.</summary>
    public static bool HasExtension(string path, string extension) =>
        path.EndsWith(extension, StringComparison.OrdinalIgnoreCase)
        || path.EndsWith(extension + ".gz", StringComparison.OrdinalIgnoreCase);
}
