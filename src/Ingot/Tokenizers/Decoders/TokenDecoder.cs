using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers.Decoders;

/// <summary>Makes text of tokens: "decoder" in tokenizer.json. The text is what it makes of them, joined. Immutable.</summary>
internal abstract class TokenDecoder : IComponent
{
    /// <summary>All there are. A new one is a class and a line here.</summary>
    public static ComponentKinds<TokenDecoder> Kinds { get; } = new("decoder", new()
    {
        ["BPEDecoder"] = BpeDecoder.Read,
        ["ByteFallback"] = _ => new ByteFallback(),
        ["ByteLevel"] = ByteLevelDecoder.Read,
        ["CTC"] = Ctc.Read,
        ["Fuse"] = _ => new Fuse(),
        ["Metaspace"] = MetaspaceDecoder.Read,
        ["Replace"] = ReplaceDecoder.Read,
        ["Sequence"] = json => new DecoderSequence(Kinds!.ReadAll(json, "decoders")),
        ["Strip"] = StripDecoder.Read,
        ["WordPiece"] = WordPieceDecoder.Read,
    });

    public abstract string Type { get; }

    public abstract List<string> Decode(List<string> tokens);

    public virtual void WriteMembers(Utf8JsonWriter json)
    {
    }
}

/// <summary>One after the other.</summary>
internal sealed class DecoderSequence(TokenDecoder[] decoders) : TokenDecoder
{
    public override string Type => "Sequence";

    public override List<string> Decode(List<string> tokens) => decoders.Aggregate(tokens, (current, decoder) => decoder.Decode(current));

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteAll("decoders", decoders);
}

/// <summary>Makes one string of all.</summary>
internal sealed class Fuse : TokenDecoder
{
    public override string Type => "Fuse";

    public override List<string> Decode(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>SentencePiece's marks become spaces; those of the first token go if a mark was put there.</summary>
internal sealed class MetaspaceDecoder(MetaspaceOptions options) : TokenDecoder
{
    public override string Type => "Metaspace";

    public static MetaspaceDecoder Read(JsonPart json) => new(MetaspaceOptions.Read(json));

    public override List<string> Decode(List<string> tokens)
    {
        var mark = new System.Text.Rune(options.Replacement).ToString();
        return [.. tokens.Select((token, i) =>
            token.Replace(mark, i == 0 && options.Prepend != PrependScheme.Never ? "" : " ", StringComparison.Ordinal))];
    }

    public override void WriteMembers(Utf8JsonWriter json) => options.Write(json);
}
