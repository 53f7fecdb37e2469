using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.PostProcessors;

/// <summary>Writes a text, and a pair of texts, as a template has it: texts and special tokens, each with its token type.</summary>
internal sealed class TemplateProcessing : PostProcessor
{
    private readonly Piece[] _single;
    private readonly Piece[] _pair;
    private readonly SortedDictionary<string, (int[] Ids, string[] Tokens)> _specialTokens;

    private TemplateProcessing(Piece[] single, Piece[] pair, SortedDictionary<string, (int[] Ids, string[] Tokens)> specialTokens) =>
        (_single, _pair, _specialTokens) = (single, pair, specialTokens);

    // Sequence 0 is A and 1 is B; for a special token it is -1.
    private readonly record struct Piece(int Sequence, string Token, int TypeId);

    public override string Type => "TemplateProcessing";

    public override IEnumerable<(string Token, int Id)> SpecialTokens =>
        _specialTokens.Values.SelectMany(special => special.Tokens.Zip(special.Ids));

    /// <summary>Puts the same special tokens around every text; the second of a pair has a token type of its own.</summary>
    public static TemplateProcessing Of(
        IReadOnlyList<(string Token, int Id)> before, IReadOnlyList<(string Token, int Id)> after, int secondTypeId = 0)
    {
        var specialTokens = new SortedDictionary<string, (int[], string[])>(StringComparer.Ordinal);
        foreach (var (token, id) in before.Concat(after))
        {
            specialTokens[token] = ([id], [token]);
        }

        var single = Around(0, 0);
        return new TemplateProcessing(single, [.. single, .. Around(1, secondTypeId)], specialTokens);

        Piece[] Around(int sequence, int typeId) =>
            [
                .. before.Select(special => new Piece(-1, special.Token, typeId)), new Piece(sequence, "", typeId),
                .. after.Select(special => new Piece(-1, special.Token, typeId)),
            ];
    }

    public static TemplateProcessing Read(JsonPart json)
    {
        var specialTokens = new SortedDictionary<string, (int[], string[])>(StringComparer.Ordinal);
        foreach (var (name, part) in json.Optional("special_tokens")?.Members() ?? [])
        {
            part.Ignore("id");
            int[] ids = [.. part.Required("ids").Items().Select(id => id.AsCount())];
            string[] tokens = [.. part.Required("tokens").Items().Select(token => token.AsText())];
            part.RejectOthers();
            if (ids.Length != tokens.Length || !specialTokens.TryAdd(name, (ids, tokens)))
            {
                throw part.Error($"has {ids.Length} ids for {tokens.Length} tokens, or stands twice");
            }
        }

        var single = ReadTemplate("single");
        var pair = ReadTemplate("pair");
        if (!single.Any(piece => piece.Sequence == 0) || single.Any(piece => piece.Sequence == 1))
        {
            throw json.Required("single").Error("must hold the sequence A, and not B");
        }

        return pair.Any(piece => piece.Sequence == 0) && pair.Any(piece => piece.Sequence == 1)
            ? new TemplateProcessing(single, pair, specialTokens)
            : throw json.Required("pair").Error("must hold the sequences A and B");

        Piece[] ReadTemplate(string name) => [.. json.Required(name).Items().Select(item =>
        {
            var sequence = item.Optional("Sequence");
            var special = item.Optional("SpecialToken");
            item.RejectOthers();
            var part = sequence ?? special ?? throw item.Error("has neither \"Sequence\" nor \"SpecialToken\"");
            var id = part.Required("id").AsText();
            var typeId = part.Optional("type_id")?.AsCount() ?? 0;
            part.RejectOthers();
            if (special is not null)
            {
                return specialTokens.ContainsKey(id)
                    ? new Piece(-1, id, typeId)
                    : throw part.Error($"the special token \"{id}\" is not among special_tokens");
            }

            return id is "A" or "B"
                ? new Piece(id == "A" ? 0 : 1, "", typeId)
                : throw part.Error($"the sequence \"{id}\" is neither A nor B");
        })];
    }

    public override int AddedTokens(bool isPair) =>
        (isPair ? _pair : _single).Where(piece => piece.Sequence < 0).Sum(piece => _specialTokens[piece.Token].Ids.Length);

    public override List<EncodedToken[]> Process(List<EncodedToken[]> texts, bool addSpecialTokens)
    {
        var template = texts.Count switch
        {
            1 => _single,
            2 => _pair,
            _ => throw new InvalidDataException(
                $"A template takes a text or a pair, not {texts.Count} parts: it has to be the first that adds tokens."),
        };
        var result = new List<EncodedToken[]>(template.Length);
        foreach (var piece in template)
        {
            if (piece.Sequence >= 0)
            {
                result.Add([.. texts[piece.Sequence].Select(token => token with { TypeId = piece.TypeId })]);
            }
            else if (addSpecialTokens)
            {
                var (ids, tokens) = _specialTokens[piece.Token];
                result.Add([.. ids.Select((id, i) => EncodedToken.Special(id, tokens[i], piece.TypeId))]);
            }
        }

        return result;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        WriteTemplate("single", _single);
        WriteTemplate("pair", _pair);
        json.WriteStartObject("special_tokens");
        foreach (var (name, (ids, tokens)) in _specialTokens)
        {
            json.WriteStartObject(name);
            json.WriteString("id", name);
            json.WriteStartArray("ids");
            foreach (var id in ids)
            {
                json.WriteNumberValue(id);
            }

            json.WriteEndArray();
            json.WriteStartArray("tokens");
            foreach (var token in tokens)
            {
                json.WriteStringValue(token);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();

        void WriteTemplate(string name, Piece[] template)
        {
            json.WriteStartArray(name);
            foreach (var piece in template)
            {
                json.WriteStartObject();
                json.WriteStartObject(piece.Sequence < 0 ? "SpecialToken" : "Sequence");
                json.WriteString("id", piece.Sequence switch { 0 => "A", 1 => "B", _ => piece.Token });
                json.WriteNumber("type_id", piece.TypeId);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }
}
