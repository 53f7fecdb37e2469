using System.Globalization;
using System.Text;

namespace Ingot.Tokenizers.Unicode;

/// <summary>
/// The four normalization forms (Unicode Standard Annex 15) over code points. .NET's own <c>string.Normalize</c> takes them from ICU and,
/// without ICU (invariant globalization, as here), hands text back unchanged; so the tables are in <c>Normalization.txt</c>.
/// </summary>
internal static class UnicodeNormalization
{
    private const int HangulFirst = 0xAC00;
    private const int HangulCount = 11172;
    private const int LeadFirst = 0x1100;
    private const int VowelFirst = 0x1161;
    private const int TrailFirst = 0x11A7;
    private const int LeadCount = 19;
    private const int VowelCount = 21;
    private const int TrailCount = 28;

    private static readonly Tables Data = Tables.Read();

    /// <summary>A text in a normalization form. Lone surrogates become U+FFFD.</summary>
    public static string Normalize(string text, NormalizationForm form)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (Ascii.IsValid(text))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        foreach (var (codePoint, _) in Normalize([.. text.EnumerateRunes().Select(rune => rune.Value)], form))
        {
            result.Append(new Rune(codePoint).ToString());
        }

        return result.ToString();
    }

    /// <summary>Code points in a normalization form, each with the place of the one that it comes from (of several: the first).</summary>
    public static List<(int CodePoint, int Source)> Normalize(ReadOnlySpan<int> codePoints, NormalizationForm form)
    {
        var compatibility = form is NormalizationForm.FormKC or NormalizationForm.FormKD;
        var result = new List<(int CodePoint, int Source)>(codePoints.Length);
        for (var i = 0; i < codePoints.Length; i++)
        {
            Decompose(codePoints[i], i, compatibility, result);
        }

        Order(result);
        if (form is NormalizationForm.FormC or NormalizationForm.FormKC)
        {
            Compose(result);
        }

        return result;
    }

    private static void Decompose(int codePoint, int source, bool compatibility, List<(int, int)> result)
    {
        if (codePoint < 0x80)
        {
            result.Add((codePoint, source));
        }
        else if (codePoint - HangulFirst is >= 0 and < HangulCount and var syllable)
        {
            result.Add((LeadFirst + (syllable / (VowelCount * TrailCount)), source));
            result.Add((VowelFirst + (syllable / TrailCount % VowelCount), source));
            if (syllable % TrailCount is > 0 and var trail)
            {
                result.Add((TrailFirst + trail, source));
            }
        }
        else if (Data.Canonical.TryGetValue(codePoint, out var parts)
            || (compatibility && Data.Compatible.TryGetValue(codePoint, out parts)))
        {
            foreach (var part in parts)
            {
                Decompose(part, source, compatibility, result);
            }
        }
        else
        {
            result.Add((codePoint, source));
        }
    }

    // Marks that follow each other stand in the order of their classes.
    private static void Order(List<(int CodePoint, int Source)> text)
    {
        for (var start = 0; start < text.Count; start++)
        {
            if (Data.ClassOf(text[start].CodePoint) == 0)
            {
                continue;
            }

            var end = start + 1;
            var ordered = true;
            for (; end < text.Count && Data.ClassOf(text[end].CodePoint) is > 0 and var next; end++)
            {
                ordered &= Data.ClassOf(text[end - 1].CodePoint) <= next;
            }

            if (!ordered)
            {
                // The places stay in ascending order.
                var run = text[start..end].Select(mark => mark.CodePoint).OrderBy(Data.ClassOf).ToArray();
                for (var i = 0; i < run.Length; i++)
                {
                    text[start + i] = (run[i], text[start + i].Source);
                }
            }

            start = end - 1;
        }
    }

    private static void Compose(List<(int CodePoint, int Source)> text)
    {
        var starter = -1;
        var lastClass = -1; // Of what stands between the starter and here; -1 for nothing.
        var count = 0;
        foreach (var (codePoint, source) in text.ToArray())
        {
            var combining = Data.ClassOf(codePoint);
            if (starter >= 0 && lastClass < combining && Pair(text[starter].CodePoint, codePoint) is { } composed)
            {
                // What stands between them moves up, so that the last comes from the last.
                text[starter] = (composed, text[starter].Source);
                for (var i = starter + 1; i < count; i++)
                {
                    text[i] = (text[i].CodePoint, i + 1 < count ? text[i + 1].Source : source);
                }

                continue;
            }

            if (combining == 0)
            {
                starter = count;
                lastClass = -1;
            }
            else
            {
                lastClass = combining;
            }

            text[count++] = (codePoint, source);
        }

        text.RemoveRange(count, text.Count - count);
    }

    private static int? Pair(int first, int second)
    {
        if (first - LeadFirst is >= 0 and < LeadCount and var lead && second - VowelFirst is >= 0 and < VowelCount and var vowel)
        {
            return HangulFirst + (((lead * VowelCount) + vowel) * TrailCount);
        }

        if (first - HangulFirst is >= 0 and < HangulCount and var syllable && syllable % TrailCount == 0
            && second - TrailFirst is > 0 and < TrailCount and var trail)
        {
            return first + trail;
        }

        return Data.Composed.TryGetValue((first, second), out var composed) ? composed : null;
    }

    private sealed class Tables
    {
        private readonly Dictionary<int, byte> _classes = [];

        public Dictionary<int, int[]> Canonical { get; } = [];

        public Dictionary<int, int[]> Compatible { get; } = [];

        public Dictionary<(int First, int Second), int> Composed { get; } = [];

        public int ClassOf(int codePoint) => codePoint < 0x300 ? 0 : _classes.GetValueOrDefault(codePoint);

        public static Tables Read()
        {
            var tables = new Tables();
            using var stream = typeof(UnicodeNormalization).Assembly.GetManifestResourceStream("Normalization.txt")!;
            using var reader = new StreamReader(stream, Encoding.UTF8);
            while (reader.ReadLine() is { } line)
            {
                if (!line.StartsWith('#'))
                {
                    tables.Add(line.Split(' '));
                }
            }

            return tables;
        }

        private void Add(string[] words)
        {
            var codePoint = Hexadecimal(words[0]);
            var kind = Array.FindIndex(words, word => word is "=" or "!" or "~");
            if (kind != 1)
            {
                _classes.Add(codePoint, byte.Parse(words[1], CultureInfo.InvariantCulture));
            }

            if (kind < 0)
            {
                return;
            }

            int[] parts = [.. words[(kind + 1)..].Select(Hexadecimal)];
            (words[kind] == "~" ? Compatible : Canonical).Add(codePoint, parts);
            if (words[kind] == "=")
            {
                Composed.Add((parts[0], parts[1]), codePoint);
            }
        }

        private static int Hexadecimal(string word) => int.Parse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }
}
