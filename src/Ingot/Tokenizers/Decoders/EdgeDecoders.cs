using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Decoders;

/// <summary>Puts a string in the place of every match in a token.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : TokenDecoder
{
    public override string Type => "Replace";

    public static ReplaceDecoder Read(JsonPart json) => new(TextPattern.Read(json), json.Required("content").AsText());

    public override List<string> Decode(List<string> tokens) => [.. tokens.Select(Replace)];

    public override void WriteMembers(Utf8JsonWriter json)
    {
        pattern.Write(json);
        json.WriteString("content", content);
    }

    private string Replace(string token)
    {
        var codePoints = CodePoints.Of(token);
        var result = new StringBuilder(token.Length);
        var at = 0;
        foreach (var (start, end) in pattern.Find(codePoints))
        {
            result.Append(CodePoints.ToText(codePoints.AsSpan(at, start - at))).Append(content);
            at = end;
        }

        return result.Append(CodePoints.ToText(codePoints.AsSpan(at))).ToString();
    }
}

/// <summary>Takes a character away from the ends of every token, so many times at most.</summary>
internal sealed class StripDecoder(int content, int start, int stop) : TokenDecoder
{
    public override string Type => "Strip";

    public static StripDecoder Read(JsonPart json) =>
        new(json.Required("content").AsCharacter(), json.Required("start").AsCount(), json.Required("stop").AsCount());

    public override List<string> Decode(List<string> tokens) => [.. tokens.Select(Strip)];

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteString("content", new Rune(content).ToString());
        json.WriteNumber("start", start);
        json.WriteNumber("stop", stop);
    }

    private string Strip(string token)
    {
        var codePoints = CodePoints.Of(token);
        var (first, end) = (0, codePoints.Length);
        while (first < Math.Min(start, end) && codePoints[first] == content)
        {
            first++;
        }

        while (end > first && codePoints.Length - end < stop && codePoints[end - 1] == content)
        {
            end--;
        }

        return CodePoints.ToText(codePoints.AsSpan(first, end - first));
    }
}
