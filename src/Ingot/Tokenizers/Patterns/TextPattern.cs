using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Patterns;

/// <summary>What a component looks for in text: a string, or a regular expression.</summary>
internal sealed class TextPattern
{
    /// <summary>SentencePiece's: white space that comes more than once. It is found without .NET's regular expressions.</summary>
    public const string RepeatedSpaces = " {2,}";

    private readonly string _source;
    private readonly int[]? _literal;
    private readonly CodePointRegex? _regex;

    private static ReadOnlySpan<int> DoubleSpace => [' ', ' '];

    private TextPattern(string source, bool isRegex)
    {
        _source = source;
        IsRegex = isRegex;
        _regex = isRegex && source != RepeatedSpaces ? new CodePointRegex(source) : null;
        _literal = isRegex ? null : CodePoints.Of(source);
    }

    /// <summary>The pattern as it was given.</summary>
    public string Source => _source;

    public bool IsRegex { get; }

    /// <summary>The regular expression, if it is one that has to be run.</summary>
    public CodePointRegex? Regex => _regex;

    /// <exception cref="FormatException">The pattern is none, or has a construct that is not supported.</exception>
    public static TextPattern OfRegex(string pattern) => new(pattern, isRegex: true);

    public static TextPattern OfLiteral(string text) => new(text, isRegex: false);

    /// <summary>The only character of a string that has one.</summary>
    public int? Character => _literal is [var character] ? character : null;

    /// <summary>Reads {"Regex": …} or {"String": …}.</summary>
    public static TextPattern Read(JsonPart json)
    {
        var pattern = json.Required("pattern");
        var regex = pattern.Optional("Regex");
        var literal = pattern.Optional("String");
        pattern.RejectOthers();
        return regex is not null ? OfRegex(regex.AsText())
            : literal is not null ? OfLiteral(literal.AsText())
            : throw pattern.Error("has neither \"Regex\" nor \"String\"");
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("pattern");
        json.WriteString(IsRegex ? "Regex" : "String", _source);
        json.WriteEndObject();
    }

    /// <summary>The matches in a text, from left to right. An empty string is found nowhere.</summary>
    public List<(int Start, int End)> Find(ReadOnlySpan<int> text)
    {
        if (_regex is not null)
        {
            return _regex.Find(text);
        }

        var matches = new List<(int, int)>();
        if (IsRegex)
        {
            for (var at = 0; text[at..].IndexOf(DoubleSpace) is var next and >= 0;)
            {
                var length = text[(at + next)..].IndexOfAnyExcept(' ');
                var (start, end) = (at + next, length < 0 ? text.Length : at + next + length);
                matches.Add((start, end));
                at = end;
            }

            return matches;
        }

        for (var at = 0; _literal!.Length > 0 && text[at..].IndexOf(_literal) is var next and >= 0; at += next + _literal.Length)
        {
            matches.Add((at + next, at + next + _literal.Length));
        }

        return matches;
    }
}
