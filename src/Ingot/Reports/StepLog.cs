using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Checkpoints;

namespace Ingot.Reports;

/// <summary>
/// A file of JSON lines, each of a step: <c>metrics.jsonl</c>, <c>samples.jsonl</c>. Each line reaches the file in one write, so that
/// another program can follow it. <see cref="Ingot.Training.RunDirectory"/> opens them.
/// </summary>
/// <typeparam name="T">A line's content.</typeparam>
public sealed class StepLog<T> : IDisposable
{
    private readonly JsonTypeInfo<T> _type;
    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _line = new(512);
    private readonly Utf8JsonWriter _json;

    /// <summary>Opens a file to append to it, keeping the lines up to a step; the rest, and a half-written last line, go.</summary>
    internal StepLog(string path, JsonTypeInfo<T> type, Func<T, long> stepOf, long lastStep)
    {
        _type = type;
        if (File.Exists(path))
            KeepUpTo(path, type, stepOf, lastStep);
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        _json = new Utf8JsonWriter(_line, new JsonWriterOptions { Encoder = type.Options.Encoder });
    }

    /// <summary>Appends a line.</summary>
    /// <param name="row">The line's content.</param>
    /// <exception cref="IOException">The disk is full or failed.</exception>
    public void Append(in T row)
    {
        _line.ResetWrittenCount();
        _json.Reset();
        JsonSerializer.Serialize(_json, row, _type);
        _json.Flush();
        _line.GetSpan(1)[0] = (byte)'\n';
        _line.Advance(1);
        _file.Write(_line.WrittenSpan);
    }

    /// <summary>Makes the lines so far survive a power cut; to be called before a checkpoint is written.</summary>
    public void FlushToDisk() => _file.Flush(flushToDisk: true);

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }

    /// <summary>Reads lines lazily; those that are cut off or foreign are passed over, a missing file has none.</summary>
    internal static IEnumerable<T> Read(string path, JsonTypeInfo<T> type)
    {
        if (!File.Exists(path))
            yield break;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        while (reader.ReadLine() is { } line)
        {
            if (TryParse(line, type, out var row))
                yield return row;
        }
    }

    private static bool TryParse(string line, JsonTypeInfo<T> type, out T row)
    {
        try
        {
            row = JsonSerializer.Deserialize(line, type)!;
            return row is not null;
        }
        catch (JsonException)
        {
            row = default!;
            return false;
        }
    }

    private static void KeepUpTo(string path, JsonTypeInfo<T> type, Func<T, long> stepOf, long lastStep) =>
        DurableFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        foreach (var line in File.ReadLines(path))
        {
            if (TryParse(line, type, out var row) && stepOf(row) <= lastStep)
                writer.WriteLine(line);
        }
    });
}
