using System.Text.Json;
using Ingot.Data.Preparation.Cleaning;
using Ingot.Data.Preparation.Readers;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// The n-grams of words in evaluation files, by which documents are found that hold a piece of them (Brown et al. 2020, GPT-3, appendix C).
/// A text of fewer words counts as a whole, if it has at least eight: shorter ones stand in many documents by chance.
/// </summary>
internal sealed class Contamination
{
    private const int ShortestText = 8;

    private readonly Dictionary<int, HashSet<ulong>> _grams = [];

    private Contamination()
    {
    }

    /// <summary>How many different n-grams there are.</summary>
    public long Count => _grams.Values.Sum(set => (long)set.Count);

    /// <summary>Reads evaluation files: every text of every record, in whatever field.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or holds no text that is long enough.</exception>
    public static Contamination Load(IReadOnlyList<SourceFile> files, int n, CancellationToken ct)
    {
        var contamination = new Contamination();
        var words = new WordList();
        foreach (var file in files)
        {
            foreach (var text in ReadTexts(file, ct))
                contamination.Add(text, words, n);
        }

        return contamination.Count > 0
            ? contamination
            : throw new InvalidDataException($"{string.Join(", ", files.Select(file => file.Path))}: no text of {ShortestText} words to "
                + "decontaminate against.");
    }

    /// <summary>What a text shares with the files; null if it shares nothing.</summary>
    public string? Find(WordList words)
    {
        foreach (var (n, known) in _grams)
        {
            for (var grams = new Ngrams(words.Terms, n); grams.MoveNext();)
            {
                if (known.Contains(grams.Hash))
                    return words.TextOfTerms(grams.Start, n);
            }
        }

        return null;
    }

    private void Add(string text, WordList words, int n)
    {
        words.Read(text);
        var length = Math.Min(n, words.TermCount);
        if (length < Math.Min(n, ShortestText))
            return;
        if (!_grams.TryGetValue(length, out var known))
            _grams[length] = known = [];
        for (var grams = new Ngrams(words.Terms, length); grams.MoveNext();)
            known.Add(grams.Hash);
    }

    private static IEnumerable<string> ReadTexts(SourceFile file, CancellationToken ct)
    {
        var options = new PreparationOptions { TextDocuments = TextUnit.Paragraph };
        if (file.Format is InputFormat.Csv or InputFormat.Tsv or InputFormat.Parquet)
            options.TextFields = file.Format == InputFormat.Parquet ? ParquetFileReader.TextColumns(file) : CsvReader.Columns(file);
        using var reader = RecordReader.Open(file, options);
        var fields = RecordFields.Of(options, repairEncoding: true) with { Missing = MissingText.Empty };
        while (reader.Read(out var record))
        {
            ct.ThrowIfCancellationRequested();
            string[] texts;
            try
            {
                texts = file.Format == InputFormat.Jsonl ? [.. TextsOf(record.Bytes!)]
                    : record is { Values: not null, IsBroken: false } ? [.. record.Values.OfType<string>()]
                    : [reader.Parse(record, fields).Text];
            }
            catch (Exception e) when (e is BadRecordException or JsonException)
            {
                throw new InvalidDataException($"{reader.Describe(record.Place)}: {e.Message}", e);
            }

            foreach (var text in texts)
                yield return text;
        }
    }

    private static List<string> TextsOf(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        var open = new Stack<JsonElement>([document.RootElement]);
        var texts = new List<string>();
        while (open.TryPop(out var value))
        {
            if (value.ValueKind == JsonValueKind.String)
                texts.Add(value.GetString()!);
            else if (value.ValueKind == JsonValueKind.Array)
                value.EnumerateArray().ToList().ForEach(open.Push);
            else if (value.ValueKind == JsonValueKind.Object)
                value.EnumerateObject().ToList().ForEach(field => open.Push(field.Value));
        }

        return texts;
    }
}
