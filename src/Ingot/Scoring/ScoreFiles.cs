using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Checkpoints;
using Ingot.Evaluation;

namespace Ingot.Scoring;

/// <summary>
/// The files of an evaluation: figures of each item as JSON Lines under the name that was asked for, and the scores beside them, in
/// NAME.scores.json. Each is there as a whole or not at all.
/// </summary>
internal static class ScoreFiles
{
    /// <summary>For text that people read: letters of all scripts stand as they are.</summary>
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>The name of the scores' file.</summary>
    public static string ScoresPath(string output) => Path.ChangeExtension(output, ".scores.json");

    /// <summary>Checks before any work that the files can be written where they belong.</summary>
    /// <param name="output">The name; null for none.</param>
    /// <param name="inputs">Files that are read, and not to be written over.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="ArgumentException">One of them is an input.</exception>
    public static void Check(string? output, IEnumerable<string> inputs)
    {
        if (output is null)
            return;
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{output}: the folder {folder} is not there: make it, or name another file");
        if (inputs.FirstOrDefault(input => Path.GetFullPath(input) == Path.GetFullPath(output)) is { } same)
            throw new ArgumentException($"output is {same}, which is read: name another file");
    }

    /// <summary>Writes both files.</summary>
    /// <param name="output">The name.</param>
    /// <param name="items">The items.</param>
    /// <param name="write">Writes the properties of an item.</param>
    /// <param name="results">The scores.</param>
    public static void Write<T>(string output, IEnumerable<T> items, Action<Utf8JsonWriter, T> write, IEnumerable<EvaluationResult> results)
    {
        DurableFile.Write(output, stream =>
        {
            foreach (var item in items)
                WriteLine(stream, json => write(json, item));
        });
        WriteScores(output, results);
    }

    /// <summary>Writes the scores.</summary>
    public static void WriteScores(string output, IEnumerable<EvaluationResult> results) => DurableFile.Write(ScoresPath(output), stream =>
    {
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = Encoder }))
            ScoreJson.Write(json, results);
        stream.WriteByte((byte)'\n');
    });

    /// <summary>Writes an object of JSON as a line.</summary>
    public static void WriteLine(Stream stream, Action<Utf8JsonWriter> write)
    {
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = Encoder }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
