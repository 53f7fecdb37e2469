using System.Text.Json;
using Ingot.Data;

namespace Ingot.Chat;

/// <summary>
/// Reads examples to train and measure classifiers on: JSON, one object a line or a list of objects, perhaps packed by gzip. For sequences
/// an object has <c>text</c>, perhaps <c>text_pair</c>, and <c>label</c>; for tokens it has <c>tokens</c> and <c>labels</c>, lists of the
/// same length. A label is a text, a whole number, or true or false. Other fields are passed over.
/// </summary>
public static class LabelledFiles
{
    /// <summary>Reads a file, or all files .jsonl, .ndjson and .json of a folder.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="byToken">Whether every token has a label, rather than the whole text.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="IOException">There is no such file or folder, or nothing to read in it.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or an example not of that form; the message names file and line.
    /// </exception>
    public static IEnumerable<LabelledExample> Read(string path, bool byToken, CancellationToken cancellationToken = default)
    {
        foreach (var file in ExampleFiles.Open(path).Files)
        {
            if (!JsonTexts.IsNamed(file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? file[..^3] : file))
                throw new InvalidDataException($"{file}: labelled examples are read from files that end with .jsonl, .ndjson or .json");
            foreach (var (json, line) in ExampleText.ReadJson(file))
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return Parse(json, file, line, byToken);
            }
        }
    }

    private static LabelledExample Parse(ReadOnlyMemory<byte> json, string file, long line, bool byToken)
    {
        var place = $"{file}:{line}";
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw Bad(place, byToken, "it is no object");
            return byToken ? Words(place, root) : Text(place, root);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file}:{line + (e.LineNumber ?? 0)}: not valid JSON: {JsonExample.Explain(e)}", e);
        }
    }

    private static LabelledText Text(string place, JsonElement root)
    {
        if (!root.TryGetProperty("text", out var text) || text.ValueKind != JsonValueKind.String)
            throw Bad(place, false, "it has no text 'text'");
        if (!root.TryGetProperty("label", out var label))
            throw Bad(place, false, "it has no 'label'");
        var pair = root.TryGetProperty("text_pair", out var second) && second.ValueKind != JsonValueKind.Null ? second : (JsonElement?)null;
        if (pair is { ValueKind: not JsonValueKind.String })
            throw Bad(place, false, "'text_pair' is no text");
        return new LabelledText(place, text.GetString()!, pair?.GetString(), LabelOf(place, label, false));
    }

    private static LabelledWords Words(string place, JsonElement root)
    {
        if (!root.TryGetProperty("tokens", out var tokens) || tokens.ValueKind != JsonValueKind.Array
            || tokens.EnumerateArray().Any(token => token.ValueKind != JsonValueKind.String))
            throw Bad(place, true, "it has no list of texts 'tokens'");
        if (!root.TryGetProperty("labels", out var labels) || labels.ValueKind != JsonValueKind.Array)
            throw Bad(place, true, "it has no list 'labels'");
        if (tokens.GetArrayLength() != labels.GetArrayLength())
            throw Bad(place, true, $"it has {tokens.GetArrayLength()} tokens, but {labels.GetArrayLength()} labels");
        return new LabelledWords(place, [.. tokens.EnumerateArray().Select(token => token.GetString()!)],
            [.. labels.EnumerateArray().Select(label => LabelOf(place, label, true))]);
    }

    private static string LabelOf(string place, JsonElement label, bool byToken) => label.ValueKind switch
    {
        JsonValueKind.String when label.GetString() is { Length: > 0 } text => text,
        JsonValueKind.Number when label.TryGetInt64(out var number) => $"{number}",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => throw Bad(place, byToken, $"the label {label.GetRawText()} is no text, whole number, true or false"),
    };

    private static InvalidDataException Bad(string place, bool byToken, string problem) => new($"{place}: {problem}; an example is "
        + (byToken ? "{\"tokens\": [\"…\", …], \"labels\": [\"…\", …]}"
            : "{\"text\": \"…\", \"label\": \"…\"}, perhaps with \"text_pair\""));
}
