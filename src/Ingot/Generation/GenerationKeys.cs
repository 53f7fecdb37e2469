using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ingot.Generation;

/// <summary>Values of generation_config.json by key; those that are null are as good as not there.</summary>
internal sealed class GenerationKeys(JsonObject json)
{
    private readonly HashSet<string> _known = [];

    /// <summary>Whether a value of that key was asked for.</summary>
    public bool IsKnown(string key) => _known.Contains(key);

    public int? Integer(string key) => Find(key) is { } value ? Id(key, value) : null;

    public double? Number(string key) =>
        Find(key) is not { } value ? null : value is JsonValue v && v.TryGetValue(out double number) ? number
        : throw Wrong(key, value, "a number");

    public bool? Flag(string key) =>
        Find(key) is not { } value ? null : value is JsonValue v && v.TryGetValue(out bool flag) ? flag
        : throw Wrong(key, value, "true or false");

    /// <summary>One token id, or a list.</summary>
    public IReadOnlyList<int>? Ids(string key) => Find(key) switch
    {
        null => null,
        JsonArray list => [.. list.Select(id => Id(key, id))],
        var id => [Id(key, id)],
    };

    /// <summary>Lists of token ids.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Sequences(string key) =>
        [.. List(key, "a list of lists of token ids").Select(ids => Sequence(key, ids))];

    /// <summary>Pairs of token ids and bias.</summary>
    public IReadOnlyList<SequenceBias> Biases(string key) => [.. List(key, "a list of [[ids], bias]").Select(pair =>
        pair is JsonArray { Count: 2 } both && both[1] is JsonValue bias && bias.TryGetValue(out double number)
            ? new SequenceBias(Sequence(key, both[0]), number)
            : throw Wrong(key, pair, "[[ids], bias]"))];

    /// <summary>One text, or a list.</summary>
    public IReadOnlyList<string> Texts(string key) => Find(key) switch
    {
        null => [],
        JsonArray list => [.. list.Select(text => Text(key, text))],
        var text => [Text(key, text)],
    };

    public EarlyStopping EarlyStopping(string key) => Find(key) switch
    {
        null => Generation.EarlyStopping.False,
        JsonValue value when value.TryGetValue(out bool flag) => flag ? Generation.EarlyStopping.True : Generation.EarlyStopping.False,
        JsonValue value when value.TryGetValue(out string? text) && text == "never" => Generation.EarlyStopping.Never,
        var other => throw Wrong(key, other, "true, false or \"never\""),
    };

    private JsonNode? Find(string key)
    {
        _known.Add(key);
        return json[key];
    }

    private JsonArray List(string key, string kind) => Find(key) switch
    {
        null => [],
        JsonArray list => list,
        var other => throw Wrong(key, other, kind),
    };

    private static int[] Sequence(string key, JsonNode? ids) =>
        ids is JsonArray list ? [.. list.Select(id => Id(key, id))] : throw Wrong(key, ids, "lists of token ids");

    private static int Id(string key, JsonNode? value) =>
        value is JsonValue v && v.TryGetValue(out int id) ? id : throw Wrong(key, value, "a whole number");

    private static string Text(string key, JsonNode? value) =>
        value is JsonValue v && v.GetValueKind() == JsonValueKind.String ? v.GetValue<string>() : throw Wrong(key, value, "a text");

    private static FormatException Wrong(string key, JsonNode? value, string kind) =>
        new($"{key} is {value?.ToJsonString() ?? "null"}, but must be {kind}");
}
