using System.Text;
using System.Text.Json;

namespace Ingot.Data;

/// <summary>
/// The texts of a file that has one a line: of JSON Lines (*.jsonl, *.jsonl.gz) each line's string, or a field of its object. The file may
/// be larger than the memory.
/// </summary>
public static class LineTexts
{
    /// <summary>
    /// Reads the texts, each with the number of its line, from 1. Empty lines are texts, but of JSON Lines they are passed over. A list of
    /// texts is one text, as in training on pairs: its sentences are joined by spaces.
    /// </summary>
    /// <param name="path">The file: UTF-8, plain or gzip.</param>
    /// <param name="field">The field of JSON Lines' objects.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="InvalidDataException">It is no such file; the message says where and what to do.</exception>
    public static IEnumerable<(string Text, long Line)> Read(string path, string field = "text",
        CancellationToken cancellationToken = default) =>
        ReadUtf8(path, field, joinsLists: true, cancellationToken).Select(line => (Encoding.UTF8.GetString(line.Text.Span), line.Line));

    /// <summary>The same as UTF-8, with lists or without; a text is valid until the next one is asked for.</summary>
    internal static IEnumerable<(ReadOnlyMemory<byte> Text, long Line)> ReadUtf8(string path, string field, bool joinsLists,
        CancellationToken cancellationToken)
    {
        var isJson = JsonTexts.HasExtension(path, ".jsonl");
        var number = 0L;
        foreach (var line in TextLines.Read(path, cancellationToken))
        {
            number++;
            if (!isJson)
                yield return (line, number);
            else if (line.Span.Trim(" \t\r"u8).Length > 0)
                yield return (JsonText(path, number, line, field, joinsLists), number);
        }
    }

    private static byte[] JsonText(string path, long number, ReadOnlyMemory<byte> line, string field, bool joinsLists)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var text = json.RootElement;
            if (text.ValueKind == JsonValueKind.Object && !text.TryGetProperty(field, out text))
            {
                var fields = string.Join(", ", json.RootElement.EnumerateObject().Select(property => $"\"{property.Name}\""));
                throw new InvalidDataException($"{path}, line {number}: the object has no \"{field}\"; its fields are {fields}.");
            }

            JsonElement[] parts = joinsLists && text.ValueKind == JsonValueKind.Array ? [.. text.EnumerateArray()] : [text];
            return parts.All(part => part.ValueKind == JsonValueKind.String)
                ? Encoding.UTF8.GetBytes(string.Join(' ', parts.Select(part => part.GetString()!).Where(part => part.Length > 0)))
                : throw new InvalidDataException($"{path}, line {number}: neither a text nor an object whose \"{field}\" is a text.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}, line {number}: {e.Message}", e);
        }
    }
}
