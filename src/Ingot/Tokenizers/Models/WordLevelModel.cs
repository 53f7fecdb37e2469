using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Models;

/// <summary>Every word is a token, or else the unknown token.</summary>
/// <param name="vocabulary">Words.</param>
/// <param name="unkToken">Token of words that are not there. If it is not there itself, such words are errors.</param>
internal sealed class WordLevelModel(Vocabulary vocabulary, string unkToken) : TokenModel
{
    private readonly int _unkId = vocabulary.Find(unkToken);

    public override string Type => "WordLevel";

    public override Vocabulary Vocabulary => vocabulary;

    public override string Summary => $"WordLevel, {vocabulary.Count:#,0} words, unknown {unkToken}{(_unkId < 0 ? " (an error)" : "")}";

    public new static WordLevelModel Read(JsonPart json) =>
        new(Vocabulary.Read(json.Required("vocab")), json.Optional("unk_token")?.AsText() ?? "<unk>");

    public override void Tokenize(ReadOnlySpan<byte> word, List<WordToken> tokens)
    {
        var id = vocabulary.Find(word) is >= 0 and var known ? known : _unkId;
        tokens.Add(id >= 0 ? new WordToken(id, 0, word.Length) : throw Unknown(word));
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        vocabulary.Write(json);
        json.WriteString("unk_token", unkToken);
    }
}
