using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Training;

namespace Ingot.Data.Preparation.Readers;

/// <summary>Which fields of a record are wanted, and how texts are put together.</summary>
/// <param name="Text">Fields that make up the text.</param>
/// <param name="Keep">Fields that are kept beside it.</param>
/// <param name="FieldSeparator">Between texts of several fields.</param>
/// <param name="ListSeparator">Between the texts of a list.</param>
/// <param name="Missing">What a record without a text field is.</param>
/// <param name="RepairEncoding">Whether bytes that are not UTF-8 are repaired; otherwise they are an error.</param>
internal sealed record RecordFields(
    IReadOnlyList<string> Text,
    IReadOnlyList<string> Keep,
    string FieldSeparator,
    string ListSeparator,
    MissingText Missing,
    bool RepairEncoding)
{
    private static readonly JavaScriptEncoder Relaxed = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>The wanted fields, first those of the text.</summary>
    public IReadOnlyList<string> All { get; } = [.. Text, .. Keep];

    /// <summary>Those of the options.</summary>
    public static RecordFields Of(PreparationOptions options, bool repairEncoding) => new(
        options.TextFields, options.KeepFields, options.FieldSeparator, options.ListSeparator, options.Missing, repairEncoding);

    /// <summary>Makes a document of the values of <see cref="All"/>; null values are absent.</summary>
    public Document FromValues(ReadOnlySpan<string?> values)
    {
        var texts = new List<string>(Text.Count);
        for (var i = 0; i < Text.Count; i++)
        {
            if (values[i] is { } text)
                texts.Add(text);
            else if (Missing == MissingText.Error)
                throw new BadRecordException($"the field \"{Text[i]}\" has no text; set missing to skip or empty if that is right");
            else if (Missing == MissingText.Skip)
                return new Document("") { IsMissing = true };
        }

        var document = new Document(string.Join(FieldSeparator, texts));
        for (var i = Text.Count; i < values.Length; i++)
        {
            if (values[i] is { } value)
                document.Kept.Add((All[i], Encoding.UTF8.GetBytes($"\"{Relaxed.Encode(value)}\"")));
        }

        return document;
    }

    /// <summary>What to say of a field that a file does not have: the nearest name that it has.</summary>
    public static string Unknown(string field, IReadOnlyCollection<string> known)
    {
        var near = NearestName.Find(field, known);
        var all = string.Join(", ", known.Take(20)) + (known.Count > 20 ? ", …" : "");
        return $"there is no field \"{field}\"{(near is null ? "" : $": did you mean \"{near}\"?")}; it has {all}. "
            + "Set textFields or keepFields";
    }

    /// <summary>The text of a JSON value: a string, a number, or a list of them; null if it is null or absent.</summary>
    /// <exception cref="BadRecordException">It is an object.</exception>
    public string? TextOf(JsonElement value, string field)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Undefined or JsonValueKind.Null:
                return null;
            case JsonValueKind.String:
                return value.GetString();
            case JsonValueKind.Array:
                return string.Join(ListSeparator, value.EnumerateArray().Select(item => TextOf(item, field))
                    .Where(text => text is not null));
            case JsonValueKind.Object:
                throw new BadRecordException(
                    $"the field \"{field}\" is an object, not a text; its fields are named {field}.NAME");
            default:
                return value.GetRawText();
        }
    }
}
