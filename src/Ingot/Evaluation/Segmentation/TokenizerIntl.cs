using System.Globalization;
using System.Text;

namespace Ingot.Evaluation.Segmentation;

/// <summary>
/// sacreBLEU's "intl": the tokens of mteval-v14 with --international-tokenization. Punctuation of all scripts stands alone unless
/// numbers are on both sides, and so do symbols.
/// </summary>
internal sealed class TokenizerIntl : SegmentTokenizer
{
    private enum Kind
    {
        Other,
        Number,
        Punctuation,
        Symbol,
    }

    /// <inheritdoc/>
    public override string Name => "intl";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer)
    {
        buffer.Clear();
        var before = Kind.Number; // As if: the rule for what follows a non-number does not apply at the start.
        var partedByWhatIsBefore = false;
        for (int i = 0, length; i < segment.Length; i += length)
        {
            var kind = KindOf(segment[i..], out var rune, out length);
            // The substitutions' own order: see the remarks on Mteval.
            partedByWhatIsBefore = kind == Kind.Punctuation && before != Kind.Number && !partedByWhatIsBefore;
            var next = segment[(i + length)..];
            var part = kind == Kind.Symbol || partedByWhatIsBefore
                || (kind == Kind.Punctuation && !next.IsEmpty && KindOf(next, out _, out _) != Kind.Number);
            before = kind;
            if (part)
                buffer.Add(' ');
            buffer.Add(rune);
            if (part)
                buffer.Add(' ');
        }

        return buffer.Span;
    }

    private static Kind KindOf(ReadOnlySpan<char> text, out Rune rune, out int length)
    {
        Rune.DecodeFromUtf16(text, out rune, out length);
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
                or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation
                or UnicodeCategory.OtherPunctuation => Kind.Punctuation,
            UnicodeCategory.MathSymbol or UnicodeCategory.CurrencySymbol or UnicodeCategory.ModifierSymbol or UnicodeCategory.OtherSymbol
                => Kind.Symbol,
            _ => Kind.Other,
        };
    }
}
