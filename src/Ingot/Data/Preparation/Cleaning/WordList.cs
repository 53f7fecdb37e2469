using System.Numerics;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// The words of a text: what stands between white space, and each character of the scripts that write without spaces (Chinese characters,
/// Japanese kana). One pass finds them all with two hashes each; one object serves text after text.
/// </summary>
internal sealed class WordList
{
    private const ulong Factor = 0x9E3779B97F4A7C15;

    private (int Start, int Length, bool HasLetter)[] _words = new (int, int, bool)[1024];
    private ulong[] _hashes = new ulong[1024];
    private ulong[] _terms = new ulong[1024];
    private int[] _termWords = new int[1024];

    /// <summary>The text.</summary>
    public string Text { get; private set; } = "";

    /// <summary>How many words there are.</summary>
    public int Count { get; private set; }

    /// <summary>How many of <see cref="Terms"/> there are.</summary>
    public int TermCount { get; private set; }

    /// <summary>Characters of all words.</summary>
    public long Characters { get; private set; }

    /// <summary>How many words have a letter.</summary>
    public int WithLetter { get; private set; }

    /// <summary>Where the words stand.</summary>
    public ReadOnlySpan<(int Start, int Length, bool HasLetter)> Words => _words.AsSpan(0, Count);

    /// <summary>Hashes of the words as they are.</summary>
    public ReadOnlySpan<ulong> Hashes => _hashes.AsSpan(0, Count);

    /// <summary>
    /// Hashes of the words in small letters, without anything but letters, marks and digits; what has none of these is left out. Texts
    /// that differ in punctuation and case alone have the same.
    /// </summary>
    public ReadOnlySpan<ulong> Terms => _terms.AsSpan(0, TermCount);

    /// <summary>The text of some terms that follow one another, with what stands between them.</summary>
    public string TextOfTerms(int first, int count)
    {
        var (start, _, _) = _words[_termWords[first]];
        var (last, length, _) = _words[_termWords[first + count - 1]];
        return Text[start..(last + length)];
    }

    /// <summary>The hash that a word in small letters has among <see cref="Terms"/>.</summary>
    public static ulong TermHash(ReadOnlySpan<char> word)
    {
        var hash = 0UL;
        foreach (var c in word)
            hash = Add(hash, c);
        return hash;
    }

    /// <summary>Finds the words of another text.</summary>
    public void Read(string text)
    {
        Text = text;
        Count = TermCount = WithLetter = 0;
        Characters = 0;
        for (var i = 0; i < text.Length;)
        {
            var c = text[i];
            if (char.IsWhiteSpace(c))
            {
                i++;
                continue;
            }

            var start = i;
            ulong hash = 0, term = 0;
            var hasLetter = false;
            if (IsUnspaced(c))
            {
                i += char.IsHighSurrogate(c) && i + 1 < text.Length ? 2 : 1;
                for (var k = start; k < i; k++)
                    hash = Add(hash, text[k]);
                term = hash;
                hasLetter = true;
            }
            else
            {
                do
                {
                    hash = Add(hash, c);
                    if (char.IsAscii(c))
                    {
                        var small = c | 0x20;
                        if (small is >= 'a' and <= 'z')
                        {
                            term = Add(term, (char)small);
                            hasLetter = true;
                        }
                        else if (char.IsAsciiDigit(c))
                        {
                            term = Add(term, c);
                        }
                    }
                    else if (IsWordCharacter(c))
                    {
                        term = Add(term, char.ToLowerInvariant(c));
                        hasLetter |= char.IsLetter(c) || char.IsSurrogate(c);
                    }

                    i++;
                }
                while (i < text.Length && !char.IsWhiteSpace(c = text[i]) && !IsUnspaced(c));
            }

            Append(start, i - start, hash, term, hasLetter);
        }
    }

    private void Append(int start, int length, ulong hash, ulong term, bool hasLetter)
    {
        if (Count == _words.Length)
        {
            Array.Resize(ref _words, 2 * Count);
            Array.Resize(ref _hashes, 2 * Count);
            Array.Resize(ref _terms, 2 * Count);
            Array.Resize(ref _termWords, 2 * Count);
        }

        if (term != 0)
        {
            _termWords[TermCount] = Count;
            _terms[TermCount++] = term;
        }

        _words[Count] = (start, length, hasLetter);
        _hashes[Count++] = hash;
        Characters += length;
        WithLetter += hasLetter ? 1 : 0;
    }

    // Marks are part of words in many scripts; surrogates are taken for letters.
    private static bool IsWordCharacter(char c) =>
        char.IsLetterOrDigit(c) || char.IsSurrogate(c)
        || char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.NonSpacingMark
            or System.Globalization.UnicodeCategory.SpacingCombiningMark;

    private static bool IsUnspaced(char c) =>
        c >= '\u3040'
        && (c <= '\u30ff' || c is (>= '\u3400' and <= '\u4dbf') or (>= '\u4e00' and <= '\u9fff') or (>= '\uf900' and <= '\ufaff')
            or (>= '\ud840' and <= '\ud888'));

    private static ulong Add(ulong hash, char c) => (BitOperations.RotateLeft(hash, 5) ^ c) * Factor;
}
