using System.Globalization;
using System.Text;

namespace Ingot.Evaluation;

/// <summary>
/// Synonyms by WordNet (Miller 1995; files as wndb(5) has them), looked up as NLTK does: those of all senses of all forms that WordNet's
/// rules of detachment (morphy(7)) find.
/// </summary>
internal sealed class WordNet
{
    /// <summary>Where Debian's wordnet-base puts the files.</summary>
    public const string DefaultFolder = "/usr/share/wordnet";

    private static readonly (string Name, (string Old, string New)[] Detachments)[] Parts =
    [
        ("noun", [
            ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
        ]),
        ("verb", [("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")]),
        ("adj", [("er", ""), ("est", ""), ("er", "e"), ("est", "e")]),
        ("adv", []),
    ];

    private readonly PartOfSpeech[] _parts;

    private WordNet(PartOfSpeech[] parts) => _parts = parts;

    /// <summary>Whether a folder has WordNet's files.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, "index.noun"));

    /// <summary>Reads the files: some 20 MB.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is not WordNet's; the message names it and the line.</exception>
    public static WordNet Load(string folder) => new([.. Parts.Select(part => new PartOfSpeech(
        ReadIndex(Path.Combine(folder, $"index.{part.Name}")),
        ReadExceptions(Path.Combine(folder, $"{part.Name}.exc")),
        Path.Combine(folder, $"data.{part.Name}"),
        File.ReadAllBytes(Path.Combine(folder, $"data.{part.Name}")),
        part.Detachments))]);

    /// <summary>The words that share a sense with a word in lower case, and the word itself. Those of several words are left out.</summary>
    public HashSet<string> Synonyms(string word)
    {
        var synonyms = new HashSet<string>(StringComparer.Ordinal) { word };
        foreach (var part in _parts)
        {
            foreach (var form in part.BaseForms(word))
            {
                foreach (var sense in part.Index[form])
                    part.AddWords(sense, synonyms);
            }
        }

        return synonyms;
    }

    // lemma pos synset_cnt p_cnt [ptr_symbol…] sense_cnt tagsense_cnt synset_offset…; lines of the licence begin with a space.
    private static Dictionary<string, int[]> ReadIndex(string path)
    {
        var index = new Dictionary<string, int[]>(StringComparer.Ordinal);
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            if (line.Length == 0 || line[0] == ' ')
                continue;
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 6 || !int.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var senses)
                || senses < 1 || senses > fields.Length - 6)
            {
                throw new InvalidDataException($"{path}, line {number + 1}: not an entry of a WordNet index");
            }

            var offsets = new int[senses];
            for (var i = 0; i < senses; i++)
            {
                if (!int.TryParse(fields[fields.Length - senses + i], NumberStyles.None, CultureInfo.InvariantCulture, out offsets[i]))
                    throw new InvalidDataException($"{path}, line {number + 1}: \"{fields[fields.Length - senses + i]}\" is no offset");
            }

            index[fields[0]] = offsets;
        }

        return index;
    }

    private static Dictionary<string, string[]> ReadExceptions(string path)
    {
        var exceptions = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines(path))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var form, .. var bases])
                exceptions[form] = bases;
        }

        return exceptions;
    }

    private sealed record PartOfSpeech(
        Dictionary<string, int[]> Index, Dictionary<string, string[]> Exceptions, string DataPath, byte[] Data,
        (string Old, string New)[] Detachments)
    {
        // Irregular forms have their entries; others lose endings until something is in the index.
        public string[] BaseForms(string word)
        {
            if (Exceptions.TryGetValue(word, out var bases))
                return Known([word, .. bases]);
            string[] forms = [.. Detach([word])];
            var known = Known([word, .. forms]);
            while (known.Length == 0 && forms.Length > 0)
            {
                forms = [.. Detach(forms)];
                known = Known(forms);
            }

            return known;
        }

        // synset_offset lex_filenum ss_type w_cnt word lex_id [word lex_id…] …; w_cnt is hexadecimal.
        public void AddWords(int offset, HashSet<string> words)
        {
            var line = offset < Data.Length ? Data.AsSpan(offset) : [];
            var end = line.IndexOf((byte)'\n');
            var fields = Encoding.UTF8.GetString(end < 0 ? line : line[..end]).Split(' ');
            if (fields.Length < 6 || !int.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out var own) || own != offset
                || !int.TryParse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var count)
                || fields.Length < 4 + (2 * count))
            {
                throw new InvalidDataException($"{DataPath}, byte {offset}: not a synset");
            }

            for (var i = 0; i < count; i++)
            {
                var word = fields[4 + (2 * i)];
                var marker = word.IndexOf('(', StringComparison.Ordinal); // Of adjectives: "(p)".
                if (!word.Contains('_', StringComparison.Ordinal))
                    words.Add(marker > 0 ? word[..marker] : word);
            }
        }

        private string[] Known(IEnumerable<string> forms) => [.. forms.Where(Index.ContainsKey).Distinct()];

        private IEnumerable<string> Detach(IEnumerable<string> forms) => forms.SelectMany(form => Detachments
            .Where(ending => form.EndsWith(ending.Old, StringComparison.Ordinal))
            .Select(ending => form[..^ending.Old.Length] + ending.New));
    }
}
