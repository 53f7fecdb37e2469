using System.Globalization;
using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// GPT-2's cutting of text into pre-tokens, which no BPE token crosses. It is the regular expression
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>
/// (Radford et al. 2019, as Hugging Face and tiktoken run it, by code point), scanned by hand over UTF-8: one table look-up a character.
/// .NET's own Regex goes by UTF-16 units, for which letters beyond U+FFFF are no letters.
/// </summary>
internal static class Gpt2PreTokenizer
{
    private enum Kind : byte
    {
        Other,
        Letter,
        Number,
        Space,
    }

    // The kind of every code point up to U+FFFF.
    private static readonly Kind[] Kinds = MakeKinds();

    /// <summary>Where the pre-token that begins at <paramref name="start"/> ends.</summary>
    /// <param name="text">UTF-8. Bytes that are not count as punctuation, one by one.</param>
    /// <param name="start">A pre-token's first byte, less than the text's length.</param>
    public static int Next(ReadOnlySpan<byte> text, int start)
    {
        var first = text[start];
        if (first == '\'' && Contraction(text[(start + 1)..]) is var letters and > 0)
        {
            return start + 1 + letters;
        }

        var kind = KindAt(text, start, out var length);
        var end = start + length;
        if (first == ' ' && end < text.Length && KindAt(text, end, out var following) is var next and not Kind.Space)
        {
            kind = next;
            end += following;
        }

        // A run of one kind. Of a run of white space before a word, the last character is left to the word.
        var last = start;
        while (end < text.Length && KindAt(text, end, out length) == kind)
        {
            last = end;
            end += length;
        }

        return kind == Kind.Space && end < text.Length && last > start ? last : end;
    }

    /// <summary>The same over code points: <c>Next</c> of a text that is not UTF-8.</summary>
    public static int Next(ReadOnlySpan<int> text, int start)
    {
        var first = text[start];
        if (first == '\'')
        {
            Span<byte> following = stackalloc byte[2];
            var count = 0;
            while (count < 2 && start + 1 + count < text.Length && text[start + 1 + count] < 0x80)
            {
                following[count] = (byte)text[start + 1 + count];
                count++;
            }

            if (Contraction(following[..count]) is var letters and > 0)
            {
                return start + 1 + letters;
            }
        }

        var kind = KindOf(first);
        var end = start + 1;
        if (first == ' ' && end < text.Length && KindOf(text[end]) is var next and not Kind.Space)
        {
            kind = next;
            end++;
        }

        while (end < text.Length && KindOf(text[end]) == kind)
        {
            end++;
        }

        return kind == Kind.Space && end < text.Length && end - 1 > start ? end - 1 : end;
    }

    /// <summary>
    /// The last place at which the text may be cut into two that give the same pre-tokens as the whole: before white space that follows
    /// something else. 0 if there is none.
    /// </summary>
    public static int LastCut(ReadOnlySpan<byte> text)
    {
        var end = text.Length;
        var spaceFollows = false;
        while (end > 0)
        {
            Rune.DecodeLastFromUtf8(text[..end], out var rune, out var length);
            var isSpace = Rune.IsWhiteSpace(rune);
            if (spaceFollows && !isSpace)
            {
                return end;
            }

            spaceFollows = isSpace;
            end -= length;
        }

        return 0;
    }

    private static int Contraction(ReadOnlySpan<byte> text) =>
        text switch
        {
            [(byte)'s' or (byte)'t' or (byte)'m' or (byte)'d', ..] => 1,
            [(byte)'r' or (byte)'v', (byte)'e', ..] => 2,
            [(byte)'l', (byte)'l', ..] => 2,
            _ => 0,
        };

    private static Kind KindAt(ReadOnlySpan<byte> text, int at, out int length)
    {
        var first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return Kinds[first];
        }

        Rune.DecodeFromUtf8(text[at..], out var rune, out length);
        return rune.IsBmp ? Kinds[rune.Value] : KindOf(rune.Value);
    }

    private static Kind[] MakeKinds()
    {
        var kinds = new Kind[0x10000];
        for (var c = 0; c < kinds.Length; c++)
        {
            kinds[c] = KindOf(c);
        }

        return kinds;
    }

    private static Kind KindOf(int codePoint) =>
        codePoint <= 0xFFFF && char.IsWhiteSpace((char)codePoint)
            ? Kind.Space
            : CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
            {
                UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                    or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
                UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
                _ => Kind.Other,
            };
}
