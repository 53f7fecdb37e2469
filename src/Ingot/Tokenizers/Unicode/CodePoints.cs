using System.Globalization;
using System.Text;

namespace Ingot.Tokenizers.Unicode;

/// <summary>What tokenizers ask about a code point, by the Unicode properties that Rust's standard library and regexes go by.</summary>
internal static class CodePoints
{
    public const int Replacement = 0xFFFD;

    /// <summary>White_Space.</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint <= 0xFFFF && char.IsWhiteSpace((char)codePoint);

    /// <summary>Categories N.</summary>
    public static bool IsNumber(int codePoint) =>
        CategoryOf(codePoint) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Categories P, and the symbols of ASCII, as BERT and most others count them.</summary>
    public static bool IsPunctuation(int codePoint) =>
        codePoint < 0x80
            ? char.IsPunctuation((char)codePoint) || char.IsSymbol((char)codePoint)
            : CategoryOf(codePoint) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation
                or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation
                or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;

    /// <summary>Category Mn.</summary>
    public static bool IsNonspacingMark(int codePoint) => CategoryOf(codePoint) == UnicodeCategory.NonSpacingMark;

    /// <summary>Categories M.</summary>
    public static bool IsMark(int codePoint) =>
        CategoryOf(codePoint) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>Categories C.</summary>
    public static bool IsOther(int codePoint) =>
        CategoryOf(codePoint) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse
            or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned;

    /// <summary>What <c>\w</c> means: Alphabetic, marks, decimal digits, connectors and the two joiners.</summary>
    public static bool IsWord(int codePoint) =>
        CategoryOf(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber
                or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
                or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation => true,
            UnicodeCategory.OtherSymbol => codePoint
                is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
            _ => codePoint is 0x200C or 0x200D,
        };

    /// <summary>The general category; of a lone surrogate too.</summary>
    public static UnicodeCategory CategoryOf(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint);

    /// <summary>The code points of a text. A lone surrogate counts as U+FFFD.</summary>
    public static int[] Of(ReadOnlySpan<char> text)
    {
        var codePoints = new int[text.Length];
        var count = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            codePoints[count++] = rune.Value;
        }

        return codePoints[..count];
    }

    /// <summary>The code points of valid UTF-8.</summary>
    public static int[] OfUtf8(ReadOnlySpan<byte> utf8)
    {
        var codePoints = new int[utf8.Length];
        var count = 0;
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            Rune.DecodeFromUtf8(utf8[at..], out var rune, out length);
            codePoints[count++] = rune.Value;
        }

        return codePoints[..count];
    }

    /// <summary>How many code points valid UTF-8 has.</summary>
    public static int CountUtf8(ReadOnlySpan<byte> utf8)
    {
        var count = 0;
        foreach (var b in utf8)
        {
            count += (b & 0xC0) != 0x80 ? 1 : 0;
        }

        return count;
    }

    /// <summary>Where each code point of a text begins, in chars, and where the last one ends; null if each is one char.</summary>
    public static int[]? PlacesInChars(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyInRange('\ud800', '\udfff'))
        {
            return null;
        }

        var places = new List<int>(text.Length + 1) { 0 };
        foreach (var rune in text.EnumerateRunes())
        {
            places.Add(places[^1] + rune.Utf16SequenceLength);
        }

        return [.. places];
    }

    /// <summary>The text of code points.</summary>
    public static string ToText(ReadOnlySpan<int> codePoints)
    {
        var text = new StringBuilder(codePoints.Length);
        foreach (var codePoint in codePoints)
        {
            text.Append(new Rune(codePoint).ToString());
        }

        return text.ToString();
    }
}
