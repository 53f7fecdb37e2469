using System.Buffers;
using System.Globalization;
using System.Text;

namespace Ingot.Evaluation;

/// <summary>
/// White space, lower case and decimals as Python has them: the metrics that papers report were computed there, and .NET differs in
/// corners that show in scores.
/// </summary>
internal static class PythonText
{
    /// <summary>Whether <c>str.split()</c> and <c>str.rstrip()</c> take the character for white space.</summary>
    public static bool IsSpace(char c) =>
        c <= ' ' ? c is ' ' or (>= '\t' and <= '\r') or (>= '\x1C' and <= '\x1F') : c >= '\x80' && char.IsWhiteSpace(c);

    /// <summary>The text without white space at its end: <c>str.rstrip()</c>.</summary>
    public static ReadOnlySpan<char> TrimEnd(ReadOnlySpan<char> text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>The text without white space at both ends: <c>str.strip()</c>.</summary>
    public static ReadOnlySpan<char> Trim(ReadOnlySpan<char> text)
    {
        text = TrimEnd(text);
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        return text[start..];
    }

    /// <summary>Takes the next word of <c>str.split()</c> off the text; false at its end.</summary>
    public static bool NextWord(ref ReadOnlySpan<char> text, out ReadOnlySpan<char> word)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        var end = start;
        while (end < text.Length && !IsSpace(text[end]))
            end++;
        word = text[start..end];
        text = text[end..];
        return end > start;
    }

    /// <summary>Appends the text in lower case: <c>str.lower()</c>, with its dotted capital I and its final sigma.</summary>
    public static void AppendLower(CharBuffer output, ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length;)
        {
            var c = text[i];
            if (c < '\x80')
            {
                output.Add(char.ToLowerInvariant(c));
                i++;
            }
            else if (c == 'İ')
            {
                output.Add("i\u0307");
                i++;
            }
            else if (c == 'Σ')
            {
                output.Add(IsFinalSigma(text, i) ? 'ς' : 'σ');
                i++;
            }
            else
            {
                Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
                output.Add(Rune.ToLowerInvariant(rune));
                i += length;
            }
        }
    }

    /// <summary>The text in lower case.</summary>
    public static string Lower(string text)
    {
        var buffer = new CharBuffer();
        AppendLower(buffer, text);
        return buffer.Span.ToString();
    }

    /// <summary>A number with so many decimals: like <c>f"{value:.2f}"</c>, where exact halves go to the even digit.</summary>
    public static string Fixed(double value, int decimals)
    {
        // Only a number of few binary digits can lie exactly between two decimals, and then its multiple of ten is exact.
        if (Math.Abs(value) < 1e9 && double.IsInteger(Math.ScaleB(value, decimals + 1)))
            value = Math.Round(value * Math.Pow(10, decimals), MidpointRounding.ToEven) / Math.Pow(10, decimals);
        return value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    // Unicode's Final_Sigma: a cased letter before it and none after it, where characters that case ignores do not count.
    private static bool IsFinalSigma(ReadOnlySpan<char> text, int at)
    {
        bool before = false, after = false;
        var left = text[..at];
        while (Rune.DecodeLastFromUtf16(left, out var rune, out var length) == OperationStatus.Done && !(before = IsCased(rune)))
        {
            if (!IsCaseIgnorable(rune))
                break;
            left = left[..^length];
        }

        var right = text[(at + 1)..];
        while (Rune.DecodeFromUtf16(right, out var rune, out var length) == OperationStatus.Done && !(after = IsCased(rune)))
        {
            if (!IsCaseIgnorable(rune))
                break;
            right = right[length..];
        }

        return before && !after;
    }

    private static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    private static bool IsCaseIgnorable(Rune rune) => rune.Value is '\'' or '.' or ':' or '·' or '’' or '‘' or '․'
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
