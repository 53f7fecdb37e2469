using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ingot.Checkpoints;

namespace Ingot.Scoring;

/// <summary>
/// Texts that a model writes for an evaluation. As they come they go to NAME.partial, which begins with a hash of all that decides
/// them: a run that was interrupted goes on there, and one with other settings starts anew. When all are there they are written to the
/// name in the order of their prompts.
/// </summary>
internal sealed class HypothesisFile : IDisposable
{
    private const string KeyName = "evaluation";

    private readonly string _path;
    private readonly SortedDictionary<int, string> _texts = [];
    private readonly FileStream _stream;

    /// <summary>Opens it, and takes over what an interrupted run with the same key has left.</summary>
    /// <param name="path">The name.</param>
    /// <param name="key">All that decides the texts.</param>
    public HypothesisFile(string path, string key)
    {
        _path = path;
        key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        _stream = new FileStream(Partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        _stream.SetLength(TakeOver(key));
        _stream.Seek(0, SeekOrigin.End);
        if (_stream.Position == 0)
            ScoreFiles.WriteLine(_stream, json => json.WriteString(KeyName, key));
    }

    /// <summary>How many texts are there.</summary>
    public int Count => _texts.Count;

    /// <summary>The texts in the order of their prompts.</summary>
    public IReadOnlyList<string> Texts => [.. _texts.Values];

    private string Partial => _path + ".partial";

    /// <summary>Whether the text of a prompt is there.</summary>
    public bool Has(int index) => _texts.ContainsKey(index);

    /// <summary>Adds the text of a prompt.</summary>
    public void Add(int index, string text)
    {
        _texts.Add(index, text);
        ScoreFiles.WriteLine(_stream, json =>
        {
            json.WriteNumber("index", index);
            json.WriteString("text", text);
        });
        _stream.Flush();
    }

    /// <summary>Writes all of them under the name, with their prompts and references.</summary>
    public void Complete(IReadOnlyList<GenerationItem> items)
    {
        DurableFile.Write(_path, stream =>
        {
            foreach (var (index, text) in _texts)
                ScoreFiles.WriteLine(stream, json => Write(json, items[index], text));
        });
        _stream.Dispose();
        File.Delete(Partial);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private static void Write(Utf8JsonWriter json, GenerationItem item, string text)
    {
        if (item.Messages is { } messages)
        {
            json.WriteStartArray("messages");
            foreach (var message in messages)
            {
                json.WriteStartObject();
                json.WriteString("role", message.Role);
                json.WriteString("content", message.Content);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
        else
        {
            json.WriteString("prompt", item.Prompt);
        }

        json.WriteString("text", text);
        if (item.References.Count == 1)
        {
            json.WriteString("reference", item.References[0]);
            return;
        }

        json.WriteStartArray("reference");
        foreach (var reference in item.References)
            json.WriteStringValue(reference);
        json.WriteEndArray();
    }

    // How many bytes hold: none if another evaluation wrote them, and no line that was not finished.
    private long TakeOver(string key)
    {
        var (kept, isFirst) = (0L, true);
        using var reader = new StreamReader(_stream, Encoding.UTF8, leaveOpen: true);
        var lines = reader.ReadToEnd().Split('\n');
        foreach (var line in lines[..^1])
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                if (isFirst && json.RootElement.GetProperty(KeyName).GetString() != key)
                    return 0;
                if (!isFirst)
                    _texts[json.RootElement.GetProperty("index").GetInt32()] = json.RootElement.GetProperty("text").GetString()!;
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                return kept;
            }

            isFirst = false;
            kept += Encoding.UTF8.GetByteCount(line) + 1;
        }

        return kept;
    }
}
