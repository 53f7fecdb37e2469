using System.Globalization;
using System.Text;

namespace Ingot.Tests.Tokenizers;

/// <summary>Text that a scanner or tokenizer must survive.</summary>
internal static class RandomText
{
    private static readonly string[] Awkward =
    [
        " ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u0085", "\u001c", "\u180e", "\u200b", "\0",
        "'", "'", "'s", "'re", "'ll", "'LL", "'S", "don't", "!", "--", "<|endoftext|>", "<|endof", "\ufffd", "\ufeff",
        "a", "é", "e\u0301", "漢字", "ಕನ್ನಡ", "שלום", "1", "½", "Ⅷ", "٣", "𝒜𝓑", "𝟘", "👩\u200d👩\u200d👧", "🇩🇪",
    ];

    /// <summary>A mixture of awkward strings and random code points, with no lone surrogates.</summary>
    public static string Next(Random random, int pieces)
    {
        var text = new StringBuilder();
        for (var i = 0; i < pieces; i++)
        {
            text.Append(random.Next(4) switch
            {
                0 => char.ConvertFromUtf32(random.Next(0x80)),
                1 => CodePoint(random),
                _ => Awkward[random.Next(Awkward.Length)],
            });
        }

        return text.ToString();
    }

    /// <summary>
    /// The same text with a character of the same kind in the place of every code point beyond U+FFFF, so that .NET's Regex, which goes
    /// by UTF-16 units, cuts it as one that goes by code points would.
    /// </summary>
    public static string ToBasicPlane(string text)
    {
        var result = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            result.Append(rune.IsBmp ? rune.ToString() : (Rune.IsLetter(rune), IsNumber(rune)) switch
            {
                (true, _) => "漢",
                (_, true) => "½",
                _ => "☃",
            });
        }

        return result.ToString();
    }

    private static bool IsNumber(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static string CodePoint(Random random)
    {
        int codePoint;
        do
        {
            codePoint = random.Next(random.Next(2) == 0 ? 0x3100 : 0x110000);
        }
        while (codePoint is >= 0xD800 and <= 0xDFFF);

        return char.ConvertFromUtf32(codePoint);
    }
}
