using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.PreTokenizers;

/// <summary>GPT-2's: its pre-tokens, and every byte of them written as a character (<see cref="ByteSymbols"/>).</summary>
/// <param name="addPrefixSpace">Puts a space before a text that has none.</param>
/// <param name="trimOffsets">Kept for the file; offsets are the post-processor's business.</param>
/// <param name="useRegex">Cuts into GPT-2's pre-tokens; otherwise the bytes only are written.</param>
internal sealed class ByteLevel(bool addPrefixSpace, bool trimOffsets, bool useRegex) : PreTokenizer
{
    public override string Type => "ByteLevel";

    public override bool GoesByChunks => useRegex;

    public bool AddPrefixSpace => addPrefixSpace;

    public bool UseRegex => useRegex;

    public static ByteLevel Read(JsonPart json) =>
        new(json.Flag("add_prefix_space", true), json.Flag("trim_offsets", true), json.Flag("use_regex", true));

    public override void Cut(AlignedText text, List<AlignedText> words)
    {
        if (addPrefixSpace && text[0] != ' ')
        {
            text = text.WithBefore([' ']);
        }

        for (int start = 0, end; start < text.Length; start = end)
        {
            end = useRegex ? Gpt2PreTokenizer.Next(text.CodePoints, start) : text.Length;
            words.Add(ToSymbols(text.Slice(start, end)));
        }
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", trimOffsets);
        json.WriteBoolean("use_regex", useRegex);
    }

    private static AlignedText ToSymbols(AlignedText text)
    {
        var result = new List<(int, int)>(text.Length);
        Span<byte> utf8 = stackalloc byte[4];
        for (var i = 0; i < text.Length; i++)
        {
            foreach (var b in utf8[..new Rune(text[i]).EncodeToUtf8(utf8)])
            {
                result.Add((ByteSymbols.ToSymbol(b), i));
            }
        }

        return text.With(result);
    }
}
