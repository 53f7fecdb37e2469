using System.Buffers;
using System.Text;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Unicode's normalisation form NFC (UAX #15): what can be one character is one, and marks stand in their order.</summary>
internal static class UnicodeForm
{
    // Marks, the parts of Korean syllables, and signs that NFC replaces. A text without any of them is in NFC.
    private static readonly SearchValues<char> Touched = SearchValues.Create(string.Concat(
        Enumerable.Range(0x300, 0x10000 - 0x300).Select(value => (char)value).Where(IsTouched)));

    /// <summary>Composes a text; counts 1 if that changed it.</summary>
    public static string Compose(string text, ref long count)
    {
        if (text.AsSpan().IndexOfAny(Touched) < 0)
            return text;
        var composed = UnicodeNormalization.Normalize(text, NormalizationForm.FormC);
        count += composed == text ? 0 : 1;
        return composed;
    }

    private static bool IsTouched(char c) =>
        char.IsSurrogate(c)
        || CodePoints.IsMark(c)
        || c is >= '\u1100' and <= '\u11ff'
        || UnicodeNormalization.Normalize(c.ToString(), NormalizationForm.FormC) != c.ToString();
}
