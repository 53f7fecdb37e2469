using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.PreTokenizers;

/// <summary>Words at a string or regular expression of the file's own.</summary>
internal sealed class Split(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    public override string Type => "Split";

    public override bool GoesByChunks =>
        pattern.IsRegex && WordPatterns.GoByChunks(pattern.Source)
        && (behavior, invert) is (SplitBehavior.Isolated, false) or (SplitBehavior.Removed, true);

    public TextPattern Pattern => pattern;

    public SplitBehavior Behavior => behavior;

    public bool Invert => invert;

    public static Split Read(JsonPart json) =>
        new(TextPattern.Read(json), SplitBehaviors.Read(json, "behavior"), json.Flag("invert", false));

    public override void Cut(AlignedText text, List<AlignedText> words) =>
        text.CutAt(pattern.Find(text.CodePoints), invert, behavior, words);

    public override void WriteMembers(Utf8JsonWriter json)
    {
        pattern.Write(json);
        json.WriteString("behavior", behavior.ToString());
        json.WriteBoolean("invert", invert);
    }
}

/// <summary>BERT's words: white space cuts and goes, punctuation stands by itself.</summary>
internal sealed class BertPreTokenizer : PreTokenizer
{
    public override string Type => "BertPreTokenizer";

    public override bool GoesByChunks => true;

    public override void Cut(AlignedText text, List<AlignedText> words)
    {
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var isPunctuation = CodePoints.IsPunctuation(text[i]);
            if (!isPunctuation && !CodePoints.IsWhiteSpace(text[i]))
            {
                continue;
            }

            Add(start, i);
            start = i + 1;
            if (isPunctuation)
            {
                Add(i, start);
            }
        }

        Add(start, text.Length);

        void Add(int first, int end)
        {
            if (first < end)
            {
                words.Add(text.Slice(first, end));
            }
        }
    }
}

/// <summary>Runs of word characters and runs of other characters; white space goes: <c>\w+|[^\w\s]+</c>.</summary>
internal sealed class Whitespace : PreTokenizer
{
    public override string Type => "Whitespace";

    public override bool GoesByChunks => true;

    public override void Cut(AlignedText text, List<AlignedText> words)
    {
        for (int start = 0, end; start < text.Length; start = end)
        {
            var kind = KindOf(text[start]);
            for (end = start + 1; end < text.Length && KindOf(text[end]) == kind; end++)
            {
            }

            if (kind != 0)
            {
                words.Add(text.Slice(start, end));
            }
        }

        static int KindOf(int codePoint) => CodePoints.IsWord(codePoint) ? 1 : CodePoints.IsWhiteSpace(codePoint) ? 0 : 2;
    }
}

/// <summary>White space cuts and goes.</summary>
internal sealed class WhitespaceSplit : PreTokenizer
{
    public override string Type => "WhitespaceSplit";

    public override bool GoesByChunks => true;

    public override void Cut(AlignedText text, List<AlignedText> words) =>
        text.CutAt(CodePoints.IsWhiteSpace, SplitBehavior.Removed, words);
}

/// <summary>Words at punctuation.</summary>
internal sealed class Punctuation(SplitBehavior behavior) : PreTokenizer
{
    public override string Type => "Punctuation";

    public static Punctuation Read(JsonPart json) => new(SplitBehaviors.Read(json, "behavior", SplitBehavior.Isolated));

    public override void Cut(AlignedText text, List<AlignedText> words) => text.CutAt(CodePoints.IsPunctuation, behavior, words);

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteString("behavior", behavior.ToString());
}

/// <summary>Numbers are words of their own, or each of their digits is.</summary>
internal sealed class Digits(bool individual) : PreTokenizer
{
    public override string Type => "Digits";

    public static Digits Read(JsonPart json) => new(json.Flag("individual_digits", false));

    public override void Cut(AlignedText text, List<AlignedText> words) =>
        text.CutAt(CodePoints.IsNumber, individual ? SplitBehavior.Isolated : SplitBehavior.Contiguous, words);

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteBoolean("individual_digits", individual);
}

/// <summary>One character cuts and goes.</summary>
internal sealed class CharDelimiterSplit(int delimiter) : PreTokenizer
{
    public override string Type => "CharDelimiterSplit";

    public static CharDelimiterSplit Read(JsonPart json) => new(json.Required("delimiter").AsCharacter());

    public override void Cut(AlignedText text, List<AlignedText> words) =>
        text.CutAt(codePoint => codePoint == delimiter, SplitBehavior.Removed, words);

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteString("delimiter", new Rune(delimiter).ToString());
}

/// <summary>Words of so many characters; the last may be shorter.</summary>
internal sealed class FixedLength(int length) : PreTokenizer
{
    public override string Type => "FixedLength";

    public static FixedLength Read(JsonPart json) =>
        json.Optional("length") is not { } length ? new FixedLength(5)
            : length.AsCount() is > 0 and var count ? new FixedLength(count)
            : throw length.Error("must be 1 or more");

    public override void Cut(AlignedText text, List<AlignedText> words)
    {
        for (var start = 0; start < text.Length; start += Math.Min(length, text.Length - start))
        {
            words.Add(text.Slice(start, start + Math.Min(length, text.Length - start)));
        }
    }

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteNumber("length", length);
}
