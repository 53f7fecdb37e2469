using System.CommandLine;
using System.Text;
using System.Text.Json;

namespace Ingot.Trainer;

/// <summary>Texts that a command reads, and the lines that it writes for them.</summary>
internal static class TextFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The option that names the file.</summary>
    public static Option<string?> InputOption() => new("--input")
    {
        Description = "A file of texts: one a line, or in a file *.jsonl the \"text\" of each line, perhaps with \"text_pair\".",
        HelpName = "file",
    };

    /// <summary>The option that has long texts cut.</summary>
    public static Option<bool> TruncationOption() => new("--truncation")
    {
        Description = "Cut texts that are longer than the model's positions; without it they are an error.",
    };

    /// <summary>Reads the texts; empty lines count for nothing.</summary>
    /// <exception cref="InvalidDataException">The file is no UTF-8, has no text, or a line is not as it must be.</exception>
    public static IReadOnlyList<(string Text, string? Pair)> Read(string path)
    {
        try
        {
            bool json = path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);
            (string, string?)[] texts = [.. File.ReadLines(path, Utf8).Index().Where(line => !string.IsNullOrWhiteSpace(line.Item))
                .Select(line => json ? Parse(path, line.Index + 1, line.Item) : (line.Item, null))];
            return texts.Length > 0 ? texts : throw new InvalidDataException($"{path} has no text");
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{path} is not valid UTF-8: {e.Message}", e);
        }
    }

    /// <summary>Writes lines to standard output, or to a file beside its name until all are there.</summary>
    public static int Write(string? path, Interruption interruption, Action<Action<string>> lines)
    {
        try
        {
            if (path is null)
            {
                lines(Console.Out.WriteLine);
                return ExitCodes.Success;
            }

            string partial = path + ".partial";
            using (var output = new StreamWriter(partial))
            {
                lines(output.WriteLine);
            }

            File.Move(partial, path, overwrite: true);
            return ExitCodes.Success;
        }
        catch (OperationCanceledException)
        {
            return interruption.ExitCode;
        }
    }

    private static (string Text, string? Pair) Parse(string path, int line, string text)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            JsonElement root = json.RootElement;
            if (root.ValueKind == JsonValueKind.String)
            {
                return (root.GetString()!, null);
            }

            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("text", out JsonElement one)
                && one.ValueKind == JsonValueKind.String)
            {
                return (one.GetString()!, root.TryGetProperty("text_pair", out JsonElement pair) && pair.ValueKind == JsonValueKind.String
                    ? pair.GetString() : null);
            }
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}, line {line}: {e.Message}", e);
        }

        throw new InvalidDataException($"{path}, line {line}: neither a text nor an object with a text \"text\"");
    }
}
