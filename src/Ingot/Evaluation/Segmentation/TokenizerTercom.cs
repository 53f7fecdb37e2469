using System.Text.RegularExpressions;

namespace Ingot.Evaluation.Segmentation;

/// <summary>The normalization of Tercom, by which TER is computed, as sacreBLEU has it.</summary>
internal sealed partial class TokenizerTercom(TerOptions options) : SegmentTokenizer
{
    /// <inheritdoc/>
    public override string Name => "tercom";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer)
    {
        if (segment.IsEmpty || !(options.Normalized || options.NoPunct))
            return segment;
        var text = segment.ToString();
        if (options.Normalized)
        {
            text = SetPunctuationApart(text);
            if (options.AsianSupport)
                text = SetCharactersApart(text);
        }

        if (options.NoPunct)
        {
            text = WesternPunctuation().Replace(text, "");
            if (options.AsianSupport)
                text = FullWidthPunctuation().Replace(AsianPunctuation().Replace(text, ""), "");
        }

        return text;
    }

    private static string SetPunctuationApart(string text)
    {
        text = text.Replace("\n-", "", StringComparison.Ordinal).Replace('\n', ' ').Replace("&quot;", "\"", StringComparison.Ordinal)
            .Replace("&amp;", "&", StringComparison.Ordinal).Replace("&lt;", "<", StringComparison.Ordinal)
            .Replace("&gt;", ">", StringComparison.Ordinal);
        text = Symbol().Replace($" {text} ", " $1 ");
        text = text.Replace("'s ", " 's ", StringComparison.Ordinal);
        text = StopAfterOther().Replace(text, "$1 $2 ");
        text = StopBeforeOther().Replace(text, " $1 $2");
        return HyphenAfterDigit().Replace(text, "$1 $2 ");
    }

    private static string SetCharactersApart(string text)
    {
        text = Ideograph().Replace(text, " $1 ");
        text = Radical().Replace(text, " $1 ");
        text = CompatibilityForm().Replace(text, " $1 ");
        text = Enclosed().Replace(text, " $1 ");
        text = Hiragana().Replace(text, "$1 $2 ");
        text = Katakana().Replace(text, "$1 $2 ");
        text = KatakanaExtension().Replace(text, "$1 $2 ");
        text = AsianPunctuation().Replace(text, " $1 ");
        return FullWidthPunctuation().Replace(text, " $1 ");
    }

    [GeneratedRegex("""([{-~[-` -&(-+:-@/])""")]
    private static partial Regex Symbol();

    [GeneratedRegex("""([^0-9])([.,])""")]
    private static partial Regex StopAfterOther();

    [GeneratedRegex("""([.,])([^0-9])""")]
    private static partial Regex StopBeforeOther();

    [GeneratedRegex("""([0-9])(-)""")]
    private static partial Regex HyphenAfterDigit();

    [GeneratedRegex("""[.,?:;!"()]""")]
    private static partial Regex WesternPunctuation();

    [GeneratedRegex("""([\u3001\u3002\u3008-\u3011\u3014-\u301f\uff61-\uff65\u30fb])""")]
    private static partial Regex AsianPunctuation();

    [GeneratedRegex("""([\uff0e\uff0c\uff1f\uff1a\uff1b\uff01\uff02\uff08\uff09])""")]
    private static partial Regex FullWidthPunctuation();

    [GeneratedRegex("""([\u4e00-\u9fff\u3400-\u4dbf])""")]
    private static partial Regex Ideograph();

    [GeneratedRegex("""([\u31c0-\u31ef\u2e80-\u2eff])""")]
    private static partial Regex Radical();

    [GeneratedRegex("""([\u3300-\u33ff\uf900-\ufaff\ufe30-\ufe4f])""")]
    private static partial Regex CompatibilityForm();

    // Up to 3f22 and not 32ff, as sacreBLEU has it.
    [GeneratedRegex("""([\u3200-\u3f22])""")]
    private static partial Regex Enclosed();

    // Kana are set apart where they are all there is, or begin the text and kana follow: what sacreBLEU's expressions come to.
    [GeneratedRegex("""(^|^[\u3040-\u309f])([\u3040-\u309f]+)(?=$|^[\u3040-\u309f])""")]
    private static partial Regex Hiragana();

    [GeneratedRegex("""(^|^[\u30a0-\u30ff])([\u30a0-\u30ff]+)(?=$|^[\u30a0-\u30ff])""")]
    private static partial Regex Katakana();

    [GeneratedRegex("""(^|^[\u31f0-\u31ff])([\u31f0-\u31ff]+)(?=$|^[\u31f0-\u31ff])""")]
    private static partial Regex KatakanaExtension();
}
