using System.Globalization;
using System.Text.Json;
using Ingot.Chat;
using Ingot.Data.Preparation;
using Ingot.Data.Preparation.Readers;

namespace Ingot.Pairs;

/// <summary>
/// Reads pairs of texts: one file, or all in a folder and its subfolders, in the ordinal order of their paths. By the name's end a file is
/// <list type="bullet">
/// <item><c>.jsonl</c>, <c>.ndjson</c>, <c>.json</c>: JSON, one object a line or a list of objects, with a field for each text. A source
/// may be a list of its sentences, which are joined by spaces; a target may be a list of several good ones, of which the first is taken;
/// </item>
/// <item><c>.tsv</c>, <c>.csv</c>: a table. Its first line gives the columns names if a field goes by name, and is a pair otherwise.</item>
/// </list>
/// Files that gzip packed are unpacked on the way. Pairs are read one by one, never a file whole; white space around a text is dropped.
/// </summary>
public sealed class PairFiles
{
    private static readonly string[] Endings = [".jsonl", ".ndjson", ".json", ".tsv", ".csv"];

    private readonly PairFields _fields;

    private PairFiles(string path, IReadOnlyList<string> files, PairFields fields) => (Path, Files, _fields) = (path, files, fields);

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Records whose source or target was empty, and which were passed over, in what was read last.</summary>
    public long Empty { get; private set; }

    /// <summary>Finds the files.</summary>
    /// <exception cref="FileNotFoundException">There is no such file or folder, or the folder holds none of the kinds.</exception>
    /// <exception cref="InvalidDataException">The file is of another kind.</exception>
    public static PairFiles Open(string path, PairFields fields)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(fields);
        var kinds = string.Join(", ", Endings);
        if (File.Exists(path))
        {
            return IsKnown(path)
                ? new PairFiles(path, [path], fields)
                : throw new InvalidDataException($"{path}: pairs of texts are read from files that end with {kinds}, perhaps with .gz "
                    + "behind");
        }

        if (!Directory.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file or folder of pairs of texts", path);
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.ReparsePoint,
        };
        string[] files = [.. Directory.EnumerateFiles(path, "*", options).Where(IsKnown).Order(StringComparer.Ordinal)];
        return files.Length > 0
            ? new PairFiles(path, files, fields)
            : throw new FileNotFoundException($"{path}: the folder holds no pairs of texts: none of its files ends with {kinds}", path);
    }

    /// <summary>Reads the pairs; those without a source or a target are passed over (<see cref="Empty"/>).</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or a record lacks a field; the message names file and line.</exception>
    public IEnumerable<TextPair> Read(CancellationToken cancellationToken = default)
    {
        Empty = 0;
        foreach (var file in Files)
        {
            var isTable = SourceFile.FormatOf(file) is InputFormat.Tsv or InputFormat.Csv;
            foreach (var pair in isTable ? ReadTable(file) : ReadJson(file))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (pair.Source.Length > 0 && pair.Target.Length > 0)
                    yield return pair;
                else
                    Empty++;
            }
        }
    }

    private static bool IsKnown(string path)
    {
        var name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        return Array.Exists(Endings, ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
    }

    private IEnumerable<TextPair> ReadTable(string file)
    {
        var info = new FileInfo(file);
        var source = new SourceFile(file, info.Length, info.LastWriteTimeUtc, SourceFile.FormatOf(file));
        string[] columns =
        [
            _fields.Source ?? "1", _fields.Target ?? "2",
            .. new[] { _fields.SourceLanguageField, _fields.TargetLanguageField }.OfType<string>(),
        ];
        var hasNames = columns.Any(column => NumberOf(column) is null);
        string[] names = hasNames ? Named(columns, source) : [.. columns.Select(column => $"column{NumberOf(column)}")];
        using var rows = CsvReader.Open(source, new PreparationOptions { TextFields = names, Header = hasNames });
        while (rows.Read(out var row))
        {
            var place = rows.Describe(row.Place);
            if (row.IsBroken)
            {
                throw new InvalidDataException($"{place}: the line has {row.Values![0]} columns, but the first one has another number, or "
                    + $"column {string.Join(" or ", columns)} is beyond them");
            }

            string ValueOf(int column) => row.Values![column]?.Trim() ?? "";
            yield return new TextPair(place, ValueOf(0), ValueOf(1))
            {
                SourceLanguage = _fields.SourceLanguageField is null ? _fields.SourceLanguage : ValueOf(2),
                TargetLanguage = _fields.TargetLanguageField is null ? _fields.TargetLanguage : ValueOf(columns.Length - 1),
            };
        }
    }

    /// <summary>The columns by name, of which the first line has all.</summary>
    private static string[] Named(string[] columns, SourceFile file)
    {
        var known = CsvReader.Columns(file);
        foreach (var column in columns.Where(column => !known.Contains(column)))
        {
            throw new InvalidDataException($"{file.Path}:1: there is no column '{column}' in the first line, which has "
                + $"{string.Join(", ", known.Select(name => $"'{name}'").Take(8))}: name others as sourceField and targetField (or all by "
                + "number, from 1, if the first line is no names)");
        }

        return columns;
    }

    private static int? NumberOf(string column) =>
        int.TryParse(column, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : null;

    private IEnumerable<TextPair> ReadJson(string file)
    {
        foreach (var (json, line) in ExampleText.ReadJson(file))
        {
            JsonDocument document;
            try
            {
                document = JsonDocument.Parse(json);
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{file}:{line + (e.LineNumber ?? 0)}: not valid JSON: {JsonExample.Explain(e)}", e);
            }

            using (document)
                yield return PairOf(document.RootElement, $"{file}:{line}");
        }
    }

    private TextPair PairOf(JsonElement record, string place) =>
        new(place, FieldOf(record, _fields.Source ?? "source", place), FieldOf(record, _fields.Target ?? "target", place, onlyFirst: true))
        {
            SourceLanguage = _fields.SourceLanguageField is { } from ? FieldOf(record, from, place) : _fields.SourceLanguage,
            TargetLanguage = _fields.TargetLanguageField is { } to ? FieldOf(record, to, place) : _fields.TargetLanguage,
        };

    /// <summary>A text, or the sentences of a list, or the first of a list.</summary>
    private static string FieldOf(JsonElement record, string name, string place, bool onlyFirst = false)
    {
        var value = Find(record, name, place);
        if (value.ValueKind != JsonValueKind.Array)
            return TextOf(value, name, place);
        var texts = value.EnumerateArray().Select(text => TextOf(text, name, place));
        return onlyFirst ? texts.FirstOrDefault("") : string.Join(' ', texts.Where(text => text.Length > 0));
    }

    private static JsonElement Find(JsonElement record, string name, string place)
    {
        if (record.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{place}: this is no object with a field '{name}'");
        if (record.TryGetProperty(name, out var value))
            return value;
        if (name.Split('.', 2) is [var outer, var inner] && record.TryGetProperty(outer, out var nested))
            return Find(nested, inner, place);
        var known = string.Join(", ", record.EnumerateObject().Select(p => $"'{p.Name}'").Take(8));
        throw new InvalidDataException($"{place}: the record has no field '{name}'; it has {known}: name others as sourceField and "
            + "targetField");
    }

    private static string TextOf(JsonElement text, string name, string place)
    {
        try
        {
            return text.ValueKind switch
            {
                JsonValueKind.String => text.GetString()!.Trim(),
                JsonValueKind.Null => "",
                _ => throw new InvalidDataException($"{place}: '{name}' is no text"),
            };
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{place}: '{name}' holds half of a character (a lone surrogate)", e);
        }
    }
}
