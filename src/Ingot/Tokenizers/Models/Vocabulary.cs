using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Models;

/// <summary>The tokens of a model and their ids. Ids may have gaps, which added tokens fill. Immutable.</summary>
internal sealed class Vocabulary
{
    private readonly string[] _tokens; // In the order of the ids.
    private readonly int[] _ids;
    private readonly ByteStringMap _numbers = new(); // The place in both arrays, by UTF-8.

    private Vocabulary(string[] tokens, int[] ids)
    {
        (_tokens, _ids) = (tokens, ids);
        foreach (var token in tokens)
        {
            _numbers.FindOrAdd(Encoding.UTF8.GetBytes(token), out _);
        }
    }

    /// <summary>How many tokens there are.</summary>
    public int Count => _tokens.Length;

    /// <summary>The tokens in the order of their ids.</summary>
    public IReadOnlyList<string> Tokens => _tokens;

    /// <summary>The ids in ascending order.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>The token with an id; null if it has none.</summary>
    public string? this[int id] => PlaceOf(id) is >= 0 and var place ? _tokens[place] : null;

    /// <summary>Takes distinct tokens as the ids 0, 1, 2 …</summary>
    public static Vocabulary Of(IReadOnlyList<string> tokens) => new([.. tokens], [.. Enumerable.Range(0, tokens.Count)]);

    /// <summary>Takes distinct tokens with distinct ids, in ascending order of the ids.</summary>
    public static Vocabulary Of(IReadOnlyCollection<(string Token, int Id)> tokens) =>
        new([.. tokens.Select(token => token.Token)], [.. tokens.Select(token => token.Id)]);

    /// <summary>Reads an object of tokens and ids.</summary>
    public static Vocabulary Read(JsonPart json)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var tokens = new Dictionary<int, string>();
        foreach (var (token, value) in json.Members())
        {
            var id = value.AsCount();
            if (!ids.TryAdd(token, id))
            {
                throw value.Error($"the token \"{token}\" stands twice in the vocabulary");
            }

            if (!tokens.TryAdd(id, token))
            {
                throw value.Error($"the id {id} of \"{token}\" is that of \"{tokens[id]}\" too");
            }
        }

        int[] ordered = [.. tokens.Keys.Order()];
        return new Vocabulary([.. ordered.Select(id => tokens[id])], ordered);
    }

    /// <summary>The id of a token in UTF-8, or -1.</summary>
    public int Find(ReadOnlySpan<byte> utf8) => _numbers.Find(utf8) is >= 0 and var number ? _ids[number] : -1;

    /// <summary>The id of a token, or -1.</summary>
    public int Find(string token) => Find(Encoding.UTF8.GetBytes(token));

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("vocab");
        for (var i = 0; i < _tokens.Length; i++)
        {
            json.WriteNumber(_tokens[i], _ids[i]);
        }

        json.WriteEndObject();
    }

    private int PlaceOf(int id) =>
        (uint)id < (uint)_ids.Length && _ids[id] == id ? id : Array.BinarySearch(_ids, id);
}
