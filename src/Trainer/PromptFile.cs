using System.Text;
using System.Text.Json;

namespace Ingot.Trainer;

/// <summary>Prompts of a file: one a line, or in a file *.jsonl the "prompt" of each line's object.</summary>
internal static class PromptFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads them; empty lines count for nothing.</summary>
    /// <exception cref="InvalidDataException">The file is no UTF-8, has no prompt, or a line is not as it must be.</exception>
    public static IReadOnlyList<string> Read(string path)
    {
        try
        {
            bool json = path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);
            string[] prompts = [.. File.ReadLines(path, Utf8).Index().Where(line => !string.IsNullOrWhiteSpace(line.Item))
                .Select(line => json ? Prompt(path, line.Index + 1, line.Item) : line.Item)];
            return prompts.Length > 0 ? prompts : throw new InvalidDataException($"{path} has no prompt");
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{path} is not valid UTF-8: {e.Message}", e);
        }
    }

    private static string Prompt(string path, int line, string text)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            JsonElement root = json.RootElement;
            if (root.ValueKind == JsonValueKind.String)
            {
                return root.GetString()!;
            }

            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("prompt", out JsonElement prompt)
                && prompt.ValueKind == JsonValueKind.String)
            {
                return prompt.GetString()!;
            }
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}, line {line}: {e.Message}", e);
        }

        throw new InvalidDataException($"{path}, line {line}: neither a text nor an object with a text \"prompt\"");
    }
}
