using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Models;

/// <summary>A token of a word.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">Where it begins in the word, in bytes of UTF-8.</param>
/// <param name="End">Where it ends.</param>
internal readonly record struct WordToken(int Id, int Start, int End);

/// <summary>Makes tokens of words: "model" in tokenizer.json. Immutable, and used by several threads at once.</summary>
internal abstract class TokenModel : IComponent
{
    /// <summary>All there are. A new one is a class and a line here.</summary>
    public static ComponentKinds<TokenModel> Kinds { get; } = new("model", new()
    {
        ["BPE"] = BpeModel.Read,
        ["Unigram"] = UnigramModel.Read,
        ["WordLevel"] = WordLevelModel.Read,
        ["WordPiece"] = WordPieceModel.Read,
    });

    public abstract string Type { get; }

    /// <summary>The model's own tokens; added tokens may come on top.</summary>
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>What it is, in words for people.</summary>
    public abstract string Summary { get; }

    /// <summary>Appends the tokens of a word.</summary>
    /// <param name="word">UTF-8, not empty.</param>
    /// <param name="tokens">Where they go.</param>
    /// <exception cref="InvalidDataException">The vocabulary cannot write the word and has no token for the unknown.</exception>
    public abstract void Tokenize(ReadOnlySpan<byte> word, List<WordToken> tokens);

    public abstract void WriteMembers(Utf8JsonWriter json);

    /// <summary>Reads a model. Early files of GPT-2 and BERT give it no type; its members tell.</summary>
    public static TokenModel Read(JsonPart json) =>
        Kinds.Read(json, json.Optional("type") is not null ? null
            : json.Optional("merges") is not null ? "BPE"
            : json.Optional("vocab") is { IsArray: true } ? "Unigram"
            : json.Optional("max_input_chars_per_word") is not null ? "WordPiece"
            : throw json.Error("\"type\" is missing"));

    /// <summary>The error for text that cannot be written.</summary>
    protected static InvalidDataException Unknown(ReadOnlySpan<byte> utf8) =>
        new($"\"{Encoding.UTF8.GetString(utf8)}\" cannot be written with this vocabulary, which has no token for the unknown. " +
            "Leave it out, or take a vocabulary that has one or that goes by bytes.");
}
