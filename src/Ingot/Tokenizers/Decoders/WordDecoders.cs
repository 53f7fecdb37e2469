using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Decoders;

/// <summary>WordPiece's: a token with the prefix continues the word before it, any other begins a word after a space.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    private static readonly (string From, string To)[] Contractions =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    public override string Type => "WordPiece";

    public static WordPieceDecoder Read(JsonPart json) => new(json.Optional("prefix")?.AsText() ?? "##", json.Flag("cleanup", true));

    public override List<string> Decode(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        foreach (var (i, token) in tokens.Index())
        {
            var text = i == 0 ? token
                : token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..]
                : " " + token;
            result.Add(cleanup ? CleanUp(text) : text);
        }

        return result;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteString("prefix", prefix);
        json.WriteBoolean("cleanup", cleanup);
    }

    /// <summary>Takes out the spaces that English has not before punctuation and in contractions.</summary>
    public static string CleanUp(string text) =>
        Contractions.Aggregate(text, (current, change) => current.Replace(change.From, change.To, StringComparison.Ordinal));
}

/// <summary>The mark behind a word's last token becomes a space, but for the last word's.</summary>
internal sealed class BpeDecoder(string suffix) : TokenDecoder
{
    public override string Type => "BPEDecoder";

    public static BpeDecoder Read(JsonPart json) =>
        json.Optional("suffix") is not { } suffix ? new BpeDecoder("</w>")
            : suffix.AsText().Length > 0 ? new BpeDecoder(suffix.AsText())
            : throw suffix.Error("is empty");

    public override List<string> Decode(List<string> tokens) =>
        [.. tokens.Select((token, i) => token.Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))];

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteString("suffix", suffix);
}

/// <summary>Connectionist temporal classification: repeated tokens are one, the pad token is nothing.</summary>
internal sealed class Ctc(string padToken, string wordDelimiter, bool cleanup) : TokenDecoder
{
    public override string Type => "CTC";

    public static Ctc Read(JsonPart json)
    {
        return new Ctc(Text("pad_token", "<pad>"), Text("word_delimiter_token", "|"), json.Flag("cleanup", true));

        string Text(string name, string otherwise) =>
            json.Optional(name) is not { } part ? otherwise : part.AsText() is { Length: > 0 } text ? text : throw part.Error("is empty");
    }

    public override List<string> Decode(List<string> tokens)
    {
        var result = new List<string>();
        foreach (var (i, token) in tokens.Index())
        {
            if (i > 0 && tokens[i - 1] == token)
            {
                continue;
            }

            var text = token.Replace(padToken, "", StringComparison.Ordinal);
            if (cleanup)
            {
                text = WordPieceDecoder.CleanUp(text).Replace(wordDelimiter, " ", StringComparison.Ordinal);
            }

            if (text.Length > 0)
            {
                result.Add(text);
            }
        }

        return result;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteString("pad_token", padToken);
        json.WriteString("word_delimiter_token", wordDelimiter);
        json.WriteBoolean("cleanup", cleanup);
    }
}
