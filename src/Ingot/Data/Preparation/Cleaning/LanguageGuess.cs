namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// Guesses a text's language: by its script where one language alone has it, else by how many of its words are among the commonest small
/// words of each language. Good from about twenty words on; shorter texts and mixed ones are often "und", undetermined. Codes are ISO
/// 639-1.
/// </summary>
internal static class LanguageGuess
{
    /// <summary>What is said when nothing is known: ISO 639's code for undetermined.</summary>
    public const string Unknown = "und";

    private const int LettersLooked = 4000, WordsLooked = 2000;
    private const int MostLanguages = 32; // As many as bits of a word's entry.
    private const double Smoothing = 0.1; // What a group of letters counts that a language's small words do not have,
    private const int AssumedGroups = 5000; // of so many that there may be;
    private const double ClearMargin = 3; // and by how much more the logarithm of the best language's probability must be.
    private const double LeastShare = 0.1; // Of the words that must be small words of the language,
    private const int LeastHits = 2; // and so many of them.

    private static readonly (string Language, string Words)[] LatinWords =
    [
        ("en",
            "the of and to in is that it was for on are with as be this have from at by not or his they you an were which their "
            + "has but we been can will would there more if who one when all my had her she he a i me your do does did what how him "
            + "them so up out about just get go could let no don't i'm it's that's"),
        ("de",
            "der die und das ist nicht ein eine zu den mit von sich auf für dem im auch es an als ich wie werden aus er hat dass "
            + "sie nach wird bei noch um einen über so war haben nur oder aber vor zur bis mehr durch"),
        ("fr",
            "le la les de des et est un une du en que qui dans pour pas sur au plus par ce il ne se sont avec je son mais elle "
            + "nous vous cette aux être ont été ses leur comme tout fait deux à où a j'ai c'est moi tu me te m'a n'est mon ma très "
            + "bien suis es avez"),
        ("es",
            "el la los las de que y en un una es por con no se para su al lo como más pero sus le ya o este sí porque esta entre "
            + "cuando muy sin sobre también me hasta hay donde quien del ha ser fue era"),
        ("pt",
            "o a os as de que e do da em um uma para com não por mais dos como mas foi ao ele das à seu sua ou quando muito nos "
            + "já eu também só pelo pela até isso ela entre depois sem mesmo aos são está"),
        ("it",
            "il lo la i gli le di che e è un una per in non con del della si da come più dei al anche ma sono nel alla ha ed o se "
            + "ci questo delle dal degli su era loro quando ad nella stato essere"),
        ("nl",
            "de het een en van ik te dat die in is niet op aan met als voor er maar om zijn hij was naar dan ook bij nog door "
            + "heeft uit wel zij worden werd deze tot over ze zo wat"),
        ("sv",
            "och att det i en som är av på för den med inte till har de ett om men var jag från så kan när vi han man eller hon "
            + "nu ska sig också efter där vid över alla mycket"),
        ("da",
            "og at det i en som er af på for den med ikke til har de et om men var jeg fra så kan når vi han man eller hun nu "
            + "skal sig også efter hvor ved over alle meget blev"),
        ("no",
            "og at det i en som er av på for den med ikke til har de et om men var jeg fra så kan når vi han man eller hun nå "
            + "skal seg også etter hvor ved over alle mye ble"),
        ("fi",
            "ja on ei että se oli hän mutta niin kuin myös joka tai ovat kun olla sen mitä nyt jos minä sitten vain hänen mukaan "
            + "voi ole tämä siitä ennen ollut vielä"),
        ("pl",
            "i w nie na się że z do to jest jak za od po co ale o przez dla ma tak czy był już być może który jego tylko jej są "
            + "oraz które tym lub ich także ze przy"),
        ("cs",
            "a se na je že v to s z do o i jako ale by pro tak podle jsem po co jak byl jeho nebo ve za si od které který jsou už "
            + "jen být není až při také"),
        ("sk",
            "a sa na je že v to s z do o aj ako ale by pre tak podľa som po čo byť jeho alebo vo za si od ktoré ktorý sú už len "
            + "nie pri tiež bol"),
        ("hu",
            "a az és hogy nem is egy ez meg de csak már azt ha volt vagy van mint el még ki minden szerint lesz kell lehet ezt "
            + "után között amely voltak"),
        ("ro",
            "și de la în a cu pe nu este că un o care din mai pentru ce au se sunt sau fi prin dar lui după am fost ale al său "
            + "această acest"),
        ("tr",
            "ve bir bu da de için ile çok olarak daha ne gibi en var kadar olan o ama sonra ben mi ki ya her değil olduğu yok şey "
            + "iki"),
        ("id",
            "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada orang mereka bisa sudah atau "
            + "seperti oleh lebih kami telah adalah"),
        ("vi", "và của là có không được cho trong một các người với đã này khi những để ra về như cũng tôi từ đến lại sẽ nhiều hơn"),
        ("ca",
            "el la els les de que i en un una és per amb no es del al com més però són va ser aquest aquesta també ha dels seva "
            + "seu on tot"),
        ("hr", "i je u da se na za su od s kao što ne bi ili to koji ali o iz po sam nije biti kako samo koja koje do prema bio"),
    ];

    private static readonly (string Language, string Words)[] CyrillicWords =
    [
        ("ru",
            "и в не на что я с он как это по но она к из у за так его то же от бы был для мы вы ты о до только или если когда уже "
            + "их был есть все"),
        ("uk",
            "і в не на що я з він як це та але вона до із у за так його то ж від б був для ми ви ти про або якщо коли вже їх є "
            + "все й"),
        ("bg", "и в не на че аз с той как това по но тя към от за така го са ще се да беше за ние вие или ако когато вече си е има"),
        ("sr", "и је у да се на за су од са као што не би или то који али о из по сам није бити како само која које до према био"),
    ];

    private static readonly string[] Languages = [.. LatinWords.Concat(CyrillicWords).Select(entry => entry.Language)];

    // Bit i: a word of Languages[i].
    private static readonly Dictionary<ulong, uint> WordBits = MakeWordBits();

    // The groups of three letters of each language's small words, with their numbers.
    private static readonly Dictionary<string, int>[] GroupCounts = [.. LatinWords.Concat(CyrillicWords)
        .Select(entry => LetterGroups(entry.Words).CountBy(group => group).ToDictionary())];

    private static readonly int[] GroupTotals = [.. GroupCounts.Select(counts => counts.Values.Sum())];

    /// <summary>All codes that a guess may be.</summary>
    public static IEnumerable<string> All => Languages.Concat(["zh", "ja", "ko", "el", "he", "ar", "fa", "hi", "th", "hy", "ka", Unknown]);

    /// <summary>Guesses.</summary>
    public static string Of(WordList words)
    {
        var script = ScriptOf(words.Text);
        return script is "latin" or "cyrillic" ? BySmallWords(words) : script;
    }

    /// <summary>
    /// Guesses among some languages, also of short texts: if as many words are small words of one as of another, or none is, by the groups
    /// of three letters that the small words of each have, if they speak clearly for one. Otherwise, and in no script of theirs, a text is
    /// undetermined.
    /// </summary>
    public static string Of(WordList words, IReadOnlyCollection<string> among)
    {
        var script = ScriptOf(words.Text);
        if (script is not ("latin" or "cyrillic"))
            return among.Contains(script) ? script : Unknown;
        var hits = new int[MostLanguages];
        CountHits(words, hits);
        var (best, second) = (-1, -1);
        for (var i = 0; i < Languages.Length; i++)
        {
            if (!among.Contains(Languages[i]))
                continue;
            if (best < 0 || hits[i] > hits[best])
                (best, second) = (i, best);
            else if (second < 0 || hits[i] > hits[second])
                second = i;
        }

        if (best < 0)
            return Unknown;
        return hits[best] > (second >= 0 ? hits[second] : 0) ? Languages[best]
            : ByLetters(words.Text, [.. Enumerable.Range(0, Languages.Length)
                .Where(i => among.Contains(Languages[i]) && hits[i] == hits[best])]);
    }

    // The script of most letters: a language's code, or latin or cyrillic.
    private static string ScriptOf(string text)
    {
        int latin = 0, cyrillic = 0, han = 0, kana = 0, hangul = 0, greek = 0, hebrew = 0, arabic = 0, persian = 0, devanagari = 0,
            thai = 0;
        int armenian = 0, georgian = 0, letters = 0;
        foreach (var c in text)
        {
            if (char.IsAscii(c) ? !char.IsAsciiLetter(c) : !char.IsLetter(c))
                continue;
            if (++letters > LettersLooked)
                break;
            switch (c)
            {
                case < '\u0250': latin++; break;
                case >= '\u1e00' and <= '\u1eff': latin++; break;
                case >= '\u0370' and <= '\u03ff': greek++; break;
                case >= '\u0400' and <= '\u052f': cyrillic++; break;
                case >= '\u0530' and <= '\u058f': armenian++; break;
                case >= '\u0590' and <= '\u05ff': hebrew++; break;
                case 'پ' or 'چ' or 'ژ' or 'گ' or 'ی' or 'ک': persian++; break;
                case >= '\u0600' and <= '\u06ff': arabic++; break;
                case >= '\u0900' and <= '\u097f': devanagari++; break;
                case >= '\u0e00' and <= '\u0e7f': thai++; break;
                case >= '\u10a0' and <= '\u10ff': georgian++; break;
                case >= '\u3040' and <= '\u30ff': kana++; break;
                case >= '\u3400' and <= '\u9fff': han++; break;
                case >= '\uac00' and <= '\ud7af': hangul++; break;
            }
        }

        // A Chinese character says about as much as two letters of an alphabet.
        (string Name, int Weight)[] scripts =
        [
            ("latin", latin), ("cyrillic", cyrillic), (kana * 8 > han ? "ja" : "zh", 2 * (han + kana)), ("ko", 2 * hangul), ("el", greek),
            ("he", hebrew), (persian * 15 > arabic + persian ? "fa" : "ar", arabic + persian), ("hi", devanagari), ("th", thai),
            ("hy", armenian), ("ka", georgian),
        ];
        var best = scripts.MaxBy(entry => entry.Weight);
        return best.Weight == 0 ? Unknown : best.Name;
    }

    private static string BySmallWords(WordList words)
    {
        Span<int> hits = stackalloc int[MostLanguages];
        var looked = CountHits(words, hits);
        var best = 0;
        for (var i = 1; i < Languages.Length; i++)
            best = hits[i] > hits[best] ? i : best;
        return hits[best] >= Math.Max(LeastHits, LeastShare * looked) ? Languages[best] : Unknown;
    }

    // How many words are small words of each language; of how many words.
    private static int CountHits(WordList words, Span<int> hits)
    {
        hits.Clear();
        var looked = words.Terms[..Math.Min(WordsLooked, words.TermCount)];
        foreach (var term in looked)
        {
            for (var bits = WordBits.GetValueOrDefault(term); bits != 0; bits &= bits - 1)
                hits[System.Numerics.BitOperations.TrailingZeroCount(bits)]++;
        }

        return looked.Length;
    }

    // Naive Bayes over groups of three letters, a word's beginning and end counted as letters (Cavnar and Trenkle 1994 have such profiles).
    private static string ByLetters(string text, int[] among)
    {
        if (among.Length == 1)
            return Unknown; // Nothing that could speak against it.
        var scores = new double[among.Length];
        foreach (var group in LetterGroups(text).Take(LettersLooked))
        {
            for (var i = 0; i < among.Length; i++)
            {
                var (counts, total) = (GroupCounts[among[i]], GroupTotals[among[i]]);
                scores[i] += Math.Log((counts.GetValueOrDefault(group) + Smoothing) / (total + (Smoothing * AssumedGroups)));
            }
        }

        var best = Array.IndexOf(scores, scores.Max());
        var clear = scores.Where((_, i) => i != best).All(score => scores[best] - score > ClearMargin);
        return clear ? Languages[among[best]] : Unknown;
    }

    private static IEnumerable<string> LetterGroups(string text)
    {
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && char.IsLetter(text[i]))
                continue;
            if (i > start)
            {
                var word = $" {text[start..i].ToLowerInvariant()} ";
                for (var k = 0; k + 3 <= word.Length; k++)
                    yield return word.Substring(k, 3);
            }

            start = i + 1;
        }
    }

    private static Dictionary<ulong, uint> MakeWordBits()
    {
        var bits = new Dictionary<ulong, uint>();
        var language = 0;
        foreach (var (_, words) in LatinWords.Concat(CyrillicWords))
        {
            foreach (var word in words.Split(' '))
            {
                var term = WordList.TermHash(word.Replace("'", "", StringComparison.Ordinal));
                bits[term] = bits.GetValueOrDefault(term) | (1u << language);
            }

            language++;
        }

        return bits;
    }
}
