using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.PostProcessors;

/// <summary>Takes the spaces, which byte-level tokens begin with, out of their offsets. Adds nothing.</summary>
internal sealed class ByteLevelProcessing(bool addPrefixSpace, bool trimOffsets, bool useRegex) : PostProcessor
{
    public override string Type => "ByteLevel";

    public static ByteLevelProcessing Read(JsonPart json) =>
        new(json.Flag("add_prefix_space", true), json.Flag("trim_offsets", true), json.Flag("use_regex", true));

    public override int AddedTokens(bool isPair) => 0;

    public override List<EncodedToken[]> Process(List<EncodedToken[]> texts, bool addSpecialTokens) =>
        trimOffsets ? [.. texts.Select(text => Trim(text, addPrefixSpace))] : texts;

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", trimOffsets);
        json.WriteBoolean("use_regex", useRegex);
    }

    /// <summary>Tokens whose offsets have no white space at the ends. A space that was put before the text is not in the text.</summary>
    public static EncodedToken[] Trim(EncodedToken[] tokens, bool addPrefixSpace)
    {
        var result = new EncodedToken[tokens.Length];
        for (var i = 0; i < tokens.Length; i++)
        {
            var token = tokens[i];
            var leading = token.Text.TakeWhile(IsSpace).Count();
            var trailing = token.Text.Reverse().TakeWhile(IsSpace).Count();
            var (start, end) = (token.Start, token.End);
            if (leading > 0 && !(addPrefixSpace && (i == 0 || start == 0)))
            {
                start = Math.Min(start + leading, end);
            }

            if (trailing > 0 && end >= trailing)
            {
                end = Math.Max(end - trailing, start);
            }

            result[i] = token with { Start = start, End = end };
        }

        return result;

        static bool IsSpace(char c) => c == ByteSymbols.ToSymbol((byte)' ') || char.IsWhiteSpace(c);
    }
}
