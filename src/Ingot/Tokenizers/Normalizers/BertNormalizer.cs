using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Normalizers;

/// <summary>
/// BERT's (Devlin et al. 2018): no control characters, spaces around ideographs, no accents, lower case; each may be switched off.
/// </summary>
/// <param name="cleanText">Removes control characters, U+0000 and U+FFFD, and makes every white space a space.</param>
/// <param name="handleChineseChars">Puts spaces around ideographs.</param>
/// <param name="stripAccents">Decomposes and removes nonspacing marks; null does so if <paramref name="lowercase"/>.</param>
/// <param name="lowercase">Makes letters small.</param>
internal sealed class BertNormalizer(bool cleanText, bool handleChineseChars, bool? stripAccents, bool lowercase) : Normalizer
{
    public override string Type => "BertNormalizer";

    public override bool GoesByChunks => true;

    public static BertNormalizer Read(JsonPart json) =>
        new(
            json.Flag("clean_text", true),
            json.Flag("handle_chinese_chars", true),
            json.Optional("strip_accents")?.AsFlag(),
            json.Flag("lowercase", true));

    public override AlignedText Apply(AlignedText text)
    {
        if (text.IsPrintableAscii)
        {
            return lowercase ? text.ToLowerAscii() : text;
        }

        if (cleanText)
        {
            text = new Clean().Apply(text);
        }

        if (handleChineseChars)
        {
            text = new SpaceIdeographs().Apply(text);
        }

        if (stripAccents ?? lowercase)
        {
            text = new RemoveNonspacing().Apply(new UnicodeForm(NormalizationForm.FormD).Apply(text));
        }

        return lowercase ? new Lowercase().Apply(text) : text;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteBoolean("clean_text", cleanText);
        json.WriteBoolean("handle_chinese_chars", handleChineseChars);
        if (stripAccents is { } strip)
        {
            json.WriteBoolean("strip_accents", strip);
        }
        else
        {
            json.WriteNull("strip_accents");
        }

        json.WriteBoolean("lowercase", lowercase);
    }

    private sealed class Clean : CharacterNormalizer
    {
        public override string Type => "";

        protected override void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result)
        {
            if (codePoint is '\t' or '\n' or '\r' || CodePoints.IsWhiteSpace(codePoint))
            {
                // White space that is a control character too goes with those.
                if (codePoint is '\t' or '\n' or '\r' || !CodePoints.IsOther(codePoint))
                {
                    result.Add((' ', source));
                }
            }
            else if (codePoint is not (0 or CodePoints.Replacement) && !CodePoints.IsOther(codePoint))
            {
                result.Add((codePoint, source));
            }
        }
    }

    private sealed class SpaceIdeographs : CharacterNormalizer
    {
        public override string Type => "";

        protected override void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result)
        {
            if (IsIdeograph(codePoint))
            {
                result.Add((' ', source));
                result.Add((codePoint, source));
                result.Add((' ', source));
            }
            else
            {
                result.Add((codePoint, source));
            }
        }

        // The blocks of CJK ideographs. Extension E begins at U+2B820; that Hugging Face's libraries begin it at U+2B920 is kept.
        private static bool IsIdeograph(int codePoint) =>
            codePoint is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
                or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
                or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
    }

    private sealed class RemoveNonspacing : CharacterNormalizer
    {
        public override string Type => "";

        protected override void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result)
        {
            if (!CodePoints.IsNonspacingMark(codePoint))
            {
                result.Add((codePoint, source));
            }
        }
    }
}
