using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Normalizers;

/// <summary>Removes white space from the ends.</summary>
internal sealed class Strip(bool left, bool right) : Normalizer
{
    public override string Type => "Strip";

    public override bool GoesByChunks => !left;

    public static Strip Read(JsonPart json) => new(json.Flag("strip_left", true), json.Flag("strip_right", true));

    public override AlignedText Apply(AlignedText text)
    {
        var (start, end) = (0, text.Length);
        while (left && start < end && CodePoints.IsWhiteSpace(text[start]))
        {
            start++;
        }

        while (right && start < end && CodePoints.IsWhiteSpace(text[end - 1]))
        {
            end--;
        }

        return text.Slice(start, end);
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteBoolean("strip_left", left);
        json.WriteBoolean("strip_right", right);
    }
}

/// <summary>Puts something before a text that is not empty; it counts as part of the first character.</summary>
internal sealed class Prepend(string prepended) : Normalizer
{
    private readonly int[] _codePoints = CodePoints.Of(prepended);

    public override string Type => "Prepend";

    public static Prepend Read(JsonPart json) => new(json.Required("prepend").AsText());

    public override AlignedText Apply(AlignedText text) => text.Length > 0 ? text.WithBefore(_codePoints) : text;

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteString("prepend", prepended);
}

/// <summary>Puts a string in the place of every match; it counts as the match's last character.</summary>
internal sealed class Replace(TextPattern pattern, string content) : Normalizer
{
    private readonly int[] _codePoints = CodePoints.Of(content);

    public override string Type => "Replace";

    // A space alone, or what holds none, is never found across the beginning of a chunk; of the regular expressions one is known.
    public override bool GoesByChunks =>
        pattern.IsRegex
            ? pattern.Source == TextPattern.RepeatedSpaces
            : pattern.Source == " " || !pattern.Source.Contains(' ', StringComparison.Ordinal);

    public static Replace Read(JsonPart json) => new(TextPattern.Read(json), json.Required("content").AsText());

    public override AlignedText Apply(AlignedText text)
    {
        if (_codePoints.Length == 1 && pattern.Character is { } character)
        {
            return text.CodePoints.Contains(character) ? text.With(character, _codePoints[0]) : text;
        }

        var matches = pattern.Find(text.CodePoints);
        if (matches.Count == 0)
        {
            return text;
        }

        var result = new List<(int, int)>(text.Length);
        var at = 0;
        foreach (var (start, end) in matches)
        {
            Keep(start);
            foreach (var codePoint in _codePoints)
            {
                result.Add((codePoint, Math.Max(end - 1, 0)));
            }

            at = end;
        }

        Keep(text.Length);
        return text.With(result);

        void Keep(int end)
        {
            for (; at < end; at++)
            {
                result.Add((text[at], at));
            }
        }
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        pattern.Write(json);
        json.WriteString("content", content);
    }
}
