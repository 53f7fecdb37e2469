namespace Ingot.Evaluation;

/// <summary>
/// Porter's stemmer (An algorithm for suffix stripping, 1980) with the changes that NLTK makes by default, its NLTK_EXTENSIONS: ROUGE and
/// METEOR are computed with that one.
/// </summary>
internal static class PorterStemmer
{
    private static readonly (string[] Words, string Stem)[] Irregular =
    [
        (["sky", "skies"], "sky"), (["dying"], "die"), (["lying"], "lie"), (["tying"], "tie"), (["news"], "news"),
        (["innings", "inning"], "inning"), (["outings", "outing"], "outing"), (["cannings", "canning"], "canning"), (["howe"], "howe"),
        (["proceed"], "proceed"), (["exceed"], "exceed"), (["succeed"], "succeed"),
    ];

    private static readonly (string Suffix, string Replacement)[] Step2 =
    [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"), ("alli", "al"),
        ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"),
        ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
    ];

    private static readonly (string Suffix, string Replacement)[] Step3 =
    [
        ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
    ];

    private static readonly string[] Step4 =
    [
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive",
        "ize",
    ];

    /// <summary>The stem of a word in lower case.</summary>
    public static string Stem(string word)
    {
        Span<char> letters = word.Length <= 256 ? stackalloc char[word.Length] : new char[word.Length];
        word.CopyTo(letters);
        var length = Stem(letters);
        return word.AsSpan().SequenceEqual(letters[..length]) ? word : new string(letters[..length]);
    }

    /// <summary>Puts the stem of a word in lower case in its place, and returns its length: never more than the word's.</summary>
    public static int Stem(Span<char> letters)
    {
        foreach (var (words, stem) in Irregular)
        {
            foreach (var irregular in words)
            {
                if (letters.SequenceEqual(irregular))
                {
                    stem.CopyTo(letters);
                    return stem.Length;
                }
            }
        }

        if (letters.Length <= 2)
            return letters.Length;
        var word = new Word(letters);
        RemovePlural(ref word);
        RemovePast(ref word);
        if (word.EndsWith("y") && word.Length > 2 && word.IsConsonant(word.Length - 2))
            word.Replace("y", "i");
        ShortenDoubleSuffix(ref word);
        ReplaceFirst(ref word, Step3);
        RemoveSuffix(ref word);
        RemoveE(ref word);
        return word.Length;
    }

    // Step 1a.
    private static void RemovePlural(ref Word word)
    {
        if (word.EndsWith("ies"))
            word.Replace("ies", word.Length == 4 ? "ie" : "i");
        else if (word.EndsWith("sses"))
            word.Replace("sses", "ss");
        else if (word.EndsWith("s") && !word.EndsWith("ss"))
            word.Replace("s", "");
    }

    // Step 1b.
    private static void RemovePast(ref Word word)
    {
        if (word.EndsWith("ied"))
        {
            word.Replace("ied", word.Length == 4 ? "ie" : "i");
            return;
        }

        if (word.EndsWith("eed"))
        {
            if (word.Measure(word.Length - 3) > 0)
                word.Replace("eed", "ee");
            return;
        }

        var suffix = word.EndsWith("ed") ? "ed" : word.EndsWith("ing") ? "ing" : "";
        if (suffix.Length == 0 || !word.ContainsVowel(word.Length - suffix.Length))
            return;
        word.Replace(suffix, "");
        if (word.EndsWith("at") || word.EndsWith("bl") || word.EndsWith("iz"))
            word.Replace("", "e");
        else if (word.EndsInDoubleConsonant)
            word.Length -= word.Last is 'l' or 's' or 'z' ? 0 : 1;
        else if (word.Measure(word.Length) == 1 && word.EndsInShortSyllable(word.Length))
            word.Replace("", "e");
    }

    // Step 2.
    private static void ShortenDoubleSuffix(ref Word word)
    {
        while (word.EndsWith("alli") && word.Measure(word.Length - 4) > 0)
            word.Replace("alli", "al");
        if (word.EndsWith("logi"))
        {
            // The l is taken for a part of the stem, so that "geology" is shortened as "archaeology" is.
            if (word.Measure(word.Length - 3) > 0)
                word.Replace("logi", "log");
        }
        else
        {
            ReplaceFirst(ref word, Step2);
        }
    }

    // Step 4.
    private static void RemoveSuffix(ref Word word)
    {
        foreach (var suffix in Step4)
        {
            if (!word.EndsWith(suffix))
                continue;
            var stem = word.Length - suffix.Length;
            if (word.Measure(stem) > 1 && (suffix != "ion" || word[stem - 1] is 's' or 't'))
                word.Replace(suffix, "");
            return;
        }
    }

    // Step 5.
    private static void RemoveE(ref Word word)
    {
        if (word.EndsWith("e"))
        {
            var measure = word.Measure(word.Length - 1);
            if (measure > 1 || (measure == 1 && !word.EndsInShortSyllable(word.Length - 1)))
                word.Replace("e", "");
        }

        if (word.EndsWith("ll") && word.Measure(word.Length - 1) > 1)
            word.Length--;
    }

    // Only the first suffix that fits is tried.
    private static void ReplaceFirst(ref Word word, (string Suffix, string Replacement)[] rules)
    {
        foreach (var (suffix, replacement) in rules)
        {
            if (!word.EndsWith(suffix))
                continue;
            if (word.Measure(word.Length - suffix.Length) > 0)
                word.Replace(suffix, replacement);
            return;
        }
    }

    // The letters of a word that becomes its stem, and Porter's questions about them. Prefixes are given by their length.
    private ref struct Word(Span<char> letters)
    {
        private readonly Span<char> _letters = letters;

        public int Length { get; set; } = letters.Length;

        public readonly char Last => _letters[Length - 1];

        public readonly bool EndsInDoubleConsonant => Length >= 2 && Last == _letters[Length - 2] && IsConsonant(Length - 1);

        public readonly char this[int index] => _letters[index];

        public readonly bool EndsWith(string suffix) => _letters[..Length].EndsWith(suffix);

        public void Replace(string suffix, string replacement)
        {
            replacement.CopyTo(_letters[(Length - suffix.Length)..]);
            Length += replacement.Length - suffix.Length;
        }

        // y is a consonant at the beginning and after a vowel.
        public readonly bool IsConsonant(int index)
        {
            var first = index;
            while (first > 0 && _letters[first] == 'y')
                first--;
            var isConsonant = _letters[first] is not ('a' or 'e' or 'i' or 'o' or 'u');
            return (index - first) % 2 == 0 ? isConsonant : !isConsonant;
        }

        // Porter's m: how often a vowel is followed by a consonant.
        public readonly int Measure(int length)
        {
            var measure = 0;
            bool before = true;
            for (var i = 0; i < length; i++)
            {
                var isConsonant = IsConsonantAfter(before, i);
                if (isConsonant && !before)
                    measure++;
                before = isConsonant;
            }

            return measure;
        }

        public readonly bool ContainsVowel(int length)
        {
            var before = true;
            for (var i = 0; i < length; i++)
            {
                if (!(before = IsConsonantAfter(before, i)))
                    return true;
            }

            return false;
        }

        // Porter's *o: consonant, vowel, consonant other than w, x and y; or, as NLTK adds, vowel and consonant alone.
        public readonly bool EndsInShortSyllable(int length) => length switch
        {
            < 2 => false,
            2 => !IsConsonant(0) && IsConsonant(1),
            _ => IsConsonant(length - 3) && !IsConsonant(length - 2) && IsConsonant(length - 1)
                && _letters[length - 1] is not ('w' or 'x' or 'y'),
        };

        private readonly bool IsConsonantAfter(bool before, int index) => _letters[index] switch
        {
            'a' or 'e' or 'i' or 'o' or 'u' => false,
            'y' => index == 0 || !before,
            _ => true,
        };
    }
}
