using System.Text;
using System.Text.Json;

namespace Ingot.Tokenizers.Files;

/// <summary>
/// A value in a tokenizer's JSON file, with its path, which every error names. Members are asked for by name; at the end
/// <see cref="RejectOthers"/> makes an error of those that nobody asked for: what is read but not understood would give ids that are nearly
/// right.
/// </summary>
internal sealed class JsonPart
{
    private const long LargestFile = 1L << 30;

    private readonly JsonElement _element;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    private JsonPart(JsonElement element, string path) => (_element, Path) = (element, path);

    /// <summary>Where the value stands: $.model.vocab.</summary>
    public string Path { get; }

    public bool IsString => _element.ValueKind == JsonValueKind.String;

    public bool IsObject => _element.ValueKind == JsonValueKind.Object;

    public bool IsArray => _element.ValueKind == JsonValueKind.Array;

    /// <summary>Reads a file and hands over its root; whatever goes wrong then becomes an error that names the file.</summary>
    /// <exception cref="InvalidDataException">The file is no JSON, or <paramref name="read"/> cannot use it.</exception>
    public static T Read<T>(string file, Func<JsonPart, T> read) =>
        Reading(file, () =>
        {
            if (new FileInfo(file).Length is > LargestFile and var length)
            {
                throw new InvalidDataException($"It has {length:N0} bytes; more than 1 GiB is not read.");
            }

            using var document = JsonDocument.Parse(File.ReadAllBytes(file).AsMemory());
            return read(new JsonPart(document.RootElement, "$"));
        });

    /// <summary>Runs something that reads a file; what goes wrong with the content becomes an error that names the file.</summary>
    public static T Reading<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{file}: not a tokenizer that Ingot can read. {e.Message}", e);
        }
    }

    /// <summary>A value that is there only in memory.</summary>
    public static JsonPart Of(JsonElement element) => new(element, "$");

    /// <summary>A member that must be there.</summary>
    public JsonPart Required(string name) => Optional(name) ?? throw Error($"\"{name}\" is missing");

    /// <summary>A member; null if it is absent or null.</summary>
    public JsonPart? Optional(string name)
    {
        RequireKind(JsonValueKind.Object, "an object");
        _asked.Add(name);
        return _element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonPart(value, $"{Path}.{name}")
            : null;
    }

    /// <summary>A member that is true or false.</summary>
    public bool Flag(string name, bool otherwise) => Optional(name)?.AsFlag() ?? otherwise;

    /// <summary>Members that other versions write and that change nothing.</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            _asked.Add(name);
        }
    }

    /// <summary>Makes an error of members that nobody asked for, unless they are null.</summary>
    public void RejectOthers()
    {
        foreach (var member in _element.EnumerateObject())
        {
            if (!_asked.Contains(member.Name) && member.Value.ValueKind != JsonValueKind.Null)
            {
                throw Error($"\"{member.Name}\" is not supported here");
            }
        }
    }

    public bool AsFlag() =>
        _element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Error("must be true or false"),
        };

    public string AsText()
    {
        RequireKind(JsonValueKind.String, "a string");
        try
        {
            return _element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Error("is a string with half a surrogate pair");
        }
    }

    /// <summary>A single character, as a code point.</summary>
    public int AsCharacter()
    {
        var text = AsText();
        return Rune.DecodeFromUtf16(text, out var rune, out var length) == System.Buffers.OperationStatus.Done && length == text.Length
            ? rune.Value
            : throw Error($"is \"{text}\", which is not one character");
    }

    /// <summary>A whole number from 0 up to that of int.</summary>
    public int AsCount() =>
        _element.ValueKind == JsonValueKind.Number && _element.TryGetInt32(out var number) && number >= 0
            ? number
            : throw Error($"is {Short()}, not a whole number from 0 to {int.MaxValue}");

    public double AsNumber() =>
        _element.ValueKind == JsonValueKind.Number && _element.TryGetDouble(out var number) && double.IsFinite(number)
            ? number
            : throw Error($"is {Short()}, not a number");

    public IEnumerable<JsonPart> Items()
    {
        RequireKind(JsonValueKind.Array, "an array");
        return _element.EnumerateArray().Select((item, index) => new JsonPart(item, $"{Path}[{index}]"));
    }

    public IEnumerable<(string Name, JsonPart Value)> Members()
    {
        RequireKind(JsonValueKind.Object, "an object");
        return _element.EnumerateObject().Select(member => (member.Name, new JsonPart(member.Value, $"{Path}[\"{Brief(member.Name)}\"]")));
    }

    /// <summary>The value as JSON text.</summary>
    public string AsJson() => _element.GetRawText();

    /// <summary>An error at this place.</summary>
    public InvalidDataException Error(string what) => new($"{Path}: {what}.");

    private void RequireKind(JsonValueKind kind, string name)
    {
        if (_element.ValueKind != kind)
        {
            throw Error($"is {Short()}, not {name}");
        }
    }

    private string Short() => Brief(_element.GetRawText());

    private static string Brief(string text) => text.Length <= 40 ? text : text[..40] + " …";
}
