using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.PostProcessors;

/// <summary>The two special tokens of BERT and RoBERTa.</summary>
internal readonly record struct ClsAndSep((string Token, int Id) Sep, (string Token, int Id) Cls)
{
    public static ClsAndSep Read(JsonPart json)
    {
        return new ClsAndSep(ReadToken("sep"), ReadToken("cls"));

        (string, int) ReadToken(string name) =>
            json.Required(name).Items().ToArray() is [var token, var id]
                ? (token.AsText(), id.AsCount())
                : throw json.Required(name).Error("is not a token and its id");
    }

    public void Write(Utf8JsonWriter json)
    {
        WriteToken("sep", Sep);
        WriteToken("cls", Cls);

        void WriteToken(string name, (string Token, int Id) token)
        {
            json.WriteStartArray(name);
            json.WriteStringValue(token.Token);
            json.WriteNumberValue(token.Id);
            json.WriteEndArray();
        }
    }
}

/// <summary>BERT's: <c>[CLS] A [SEP]</c>, and <c>B [SEP]</c> of type 1.</summary>
internal sealed class BertProcessing(ClsAndSep tokens) : PostProcessor
{
    public override string Type => "BertProcessing";

    public override IEnumerable<(string Token, int Id)> SpecialTokens => [tokens.Sep, tokens.Cls];

    public static BertProcessing Read(JsonPart json) => new(ClsAndSep.Read(json));

    public override int AddedTokens(bool isPair) => isPair ? 3 : 2;

    public override List<EncodedToken[]> Process(List<EncodedToken[]> texts, bool addSpecialTokens) =>
        !addSpecialTokens ? texts
            : [.. texts.Select((text, i) => i == 0 ? Around([tokens.Cls], text, tokens.Sep, 0) : Around([], text, tokens.Sep, 1))];

    public override void WriteMembers(Utf8JsonWriter json) => tokens.Write(json);

    /// <summary>A text with special tokens before and behind it.</summary>
    public static EncodedToken[] Around(
        (string Token, int Id)[] before, IEnumerable<EncodedToken> text, (string Token, int Id) after, int typeId) =>
        [
            .. before.Select(token => EncodedToken.Special(token.Id, token.Token, typeId)),
            .. text.Select(token => token with { TypeId = typeId }),
            EncodedToken.Special(after.Id, after.Token, typeId),
        ];
}

/// <summary>RoBERTa's: <c>&lt;s&gt; A &lt;/s&gt;</c>, and <c>&lt;/s&gt; B &lt;/s&gt;</c>; everything is of type 0.</summary>
internal sealed class RobertaProcessing(ClsAndSep tokens, bool trimOffsets, bool addPrefixSpace) : PostProcessor
{
    public override string Type => "RobertaProcessing";

    public override IEnumerable<(string Token, int Id)> SpecialTokens => [tokens.Sep, tokens.Cls];

    public static RobertaProcessing Read(JsonPart json) =>
        new(ClsAndSep.Read(json), json.Flag("trim_offsets", true), json.Flag("add_prefix_space", true));

    public override int AddedTokens(bool isPair) => isPair ? 4 : 2;

    public override List<EncodedToken[]> Process(List<EncodedToken[]> texts, bool addSpecialTokens)
    {
        var result = new List<EncodedToken[]>(texts.Count);
        foreach (var (i, text) in texts.Index())
        {
            var trimmed = (trimOffsets ? ByteLevelProcessing.Trim(text, addPrefixSpace) : text).Select(token => token with { TypeId = 0 });
            result.Add(addSpecialTokens ? BertProcessing.Around([i == 0 ? tokens.Cls : tokens.Sep], trimmed, tokens.Sep, 0) : [.. trimmed]);
        }

        return result;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        tokens.Write(json);
        json.WriteBoolean("trim_offsets", trimOffsets);
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
    }
}
