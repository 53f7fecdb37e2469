using System.Text;
using System.Text.Json;

namespace Ingot.Chat;

/// <summary>
/// Reads examples to fine-tune on: one file, or all in a folder and its subfolders, in the ordinal order of their paths. By the name's end
/// a file is
/// <list type="bullet">
/// <item><c>.jsonl</c>, <c>.ndjson</c>, <c>.json</c>: JSON, one object a line or a list of objects. The fields of each say what it is:
/// <c>messages</c>; <c>conversations</c> (ShareGPT's <c>from</c> and <c>value</c>); <c>instruction</c>, <c>input</c> and <c>output</c>
/// (Alpaca);
/// <c>prompt</c> and <c>completion</c>; <c>text</c>; <c>chosen</c> and <c>rejected</c>, perhaps with <c>prompt</c>, for preference pairs.
/// A string by itself is a text;</item>
/// <item><c>.yml</c>, <c>.yaml</c>: conversations in ChatterBot's form;</item>
/// <item><c>.txt</c>: texts, one a line; empty lines are passed over.</item>
/// </list>
/// Text is UTF-8; files that gzip packed (<c>.jsonl.gz</c> …) are unpacked on the way. Examples are read one by one, never a file whole.
/// </summary>
public sealed class ExampleFiles
{
    private static readonly string[] Endings = [".jsonl", ".ndjson", ".json", ".yml", ".yaml", ".txt"];

    private ExampleFiles(string path, IReadOnlyList<string> files)
    {
        Path = path;
        Files = files;
    }

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Finds the files.</summary>
    /// <exception cref="FileNotFoundException">There is no such file or folder, or the folder holds none of the kinds.</exception>
    /// <exception cref="InvalidDataException">The file is of another kind.</exception>
    public static ExampleFiles Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string kinds = string.Join(", ", Endings);
        if (File.Exists(path))
        {
            return EndingOf(path) is not null
                ? new ExampleFiles(path, [path])
                : throw new InvalidDataException($"{path}: examples are read from files that end with {kinds}, or these with .gz behind");
        }

        if (!Directory.Exists(path))
        {
            throw new FileNotFoundException($"{path}: there is no such file or folder of examples", path);
        }

        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.ReparsePoint,
        };
        IEnumerable<string> known = Directory.EnumerateFiles(path, "*", options).Where(file => EndingOf(file) is not null);
        string[] files = [.. known.Order(StringComparer.Ordinal)];
        return files.Length > 0
            ? new ExampleFiles(path, files)
            : throw new FileNotFoundException($"{path}: the folder holds no examples: none of its files ends with {kinds}", path);
    }

    /// <summary>Reads the examples. Of a preference pair it is the better answer.</summary>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or an example is not of a known form; the message names file and line.
    /// </exception>
    public IEnumerable<TrainingExample> Read(CancellationToken cancellationToken = default) =>
        ReadAll(cancellationToken).Select(read => read.Pair?.Chosen ?? read.Example!);

    /// <summary>Reads preference pairs.</summary>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, or something in it is no preference pair; the message names file and line.
    /// </exception>
    public IEnumerable<PreferencePair> ReadPairs(CancellationToken cancellationToken = default) =>
        ReadAll(cancellationToken).Select(read => read.Pair ?? throw new InvalidDataException(
            $"{read.Example!.Place}: this is no preference pair: 'chosen' and 'rejected' are missing"));

    private IEnumerable<(TrainingExample? Example, PreferencePair? Pair)> ReadAll(CancellationToken cancellationToken)
    {
        foreach (string file in Files)
        {
            IEnumerable<(TrainingExample?, PreferencePair?)> examples = EndingOf(file) switch
            {
                ".txt" => ReadTexts(file),
                ".yml" or ".yaml" => ChatterBotFile.Read(file).Select(example => ((TrainingExample?)example, (PreferencePair?)null)),
                _ => ReadJson(file),
            };
            foreach ((TrainingExample?, PreferencePair?) example in examples)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return example;
            }
        }
    }

    private static string? EndingOf(string path)
    {
        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        return Array.Find(Endings, ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
    }

    private static IEnumerable<(TrainingExample?, PreferencePair?)> ReadTexts(string file)
    {
        foreach ((ReadOnlyMemory<byte> line, long number) in ExampleText.ReadLines(file))
        {
            yield return (new TextExample($"{file}:{number}", Encoding.UTF8.GetString(line.Span)), null);
        }
    }

    private static IEnumerable<(TrainingExample?, PreferencePair?)> ReadJson(string file)
    {
        foreach ((ReadOnlyMemory<byte> json, long line) in ExampleText.ReadJson(file))
        {
            string place = $"{file}:{line}";
            JsonDocument document;
            try
            {
                document = JsonDocument.Parse(json);
            }
            catch (JsonException e)
            {
                long at = line + (e.LineNumber ?? 0);
                throw new InvalidDataException($"{file}:{at}: not valid JSON: {JsonExample.Explain(e)}", e);
            }

            using (document)
            {
                yield return JsonExample.Read(place, document.RootElement);
            }
        }
    }
}
