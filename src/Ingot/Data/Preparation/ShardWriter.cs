using System.IO.Compression;
using Ingot.Checkpoints;

namespace Ingot.Data.Preparation;

/// <summary>
/// Writes shards: train-00000.jsonl, validation-00000.jsonl and so on, each beside its name until <see cref="Complete"/> renames all that
/// are
/// open. What was not completed goes.
/// </summary>
internal sealed class ShardWriter(string folder, string ending, PreparationReport report) : IDisposable
{
    private const string Unfinished = ".partial";

    private readonly SortedDictionary<string, (FileStream File, Stream Stream, string Name)> _open = new(StringComparer.Ordinal);

    /// <summary>Whether a file's name is that of a shard, complete or not.</summary>
    public static bool IsShard(string name)
    {
        if (name.EndsWith(Unfinished, StringComparison.Ordinal))
            name = name[..^Unfinished.Length];
        return Split.Names.Any(split => name.StartsWith(split + "-", StringComparison.Ordinal))
            && (name.EndsWith(".jsonl", StringComparison.Ordinal) || name.EndsWith(".jsonl.gz", StringComparison.Ordinal)
                || name.EndsWith(".txt", StringComparison.Ordinal) || name.EndsWith(".txt.gz", StringComparison.Ordinal));
    }

    /// <summary>Deletes shards that the report does not name.</summary>
    public void RemoveOthers()
    {
        var known = report.Splits.Values.SelectMany(split => split.Shards).ToHashSet(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(folder)
            .Where(path => IsShard(Path.GetFileName(path)) && !known.Contains(Path.GetFileName(path))))
            File.Delete(path);
    }

    /// <summary>Appends a document to the shard of its part.</summary>
    public void Write(string split, ReadOnlySpan<byte> document)
    {
        if (!_open.TryGetValue(split, out var shard))
        {
            var name = $"{split}-{report.Splits[split].Shards.Count:00000}{ending}";
            var file = new FileStream(Path.Combine(folder, name + Unfinished), FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16);
            shard = (file, ending.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Fastest) : file, name);
            _open.Add(split, shard);
        }

        Guard(shard.Name, () => { }, shard.Stream, document);
    }

    /// <summary>Completes the open shards and gives them their names.</summary>
    public void Complete()
    {
        foreach (var (split, (file, stream, name)) in _open)
        {
            Guard(name, () =>
            {
                stream.Flush();
                if (stream != file)
                {
                    // Its end is written when it is closed, which closes the file, too.
                    stream.Dispose();
                    using var packed = new FileStream(Path.Combine(folder, name + Unfinished), FileMode.Open, FileAccess.ReadWrite);
                    packed.Flush(flushToDisk: true);
                }
                else
                {
                    file.Flush(flushToDisk: true);
                    file.Dispose();
                }

                File.Move(Path.Combine(folder, name + Unfinished), Path.Combine(folder, name), overwrite: true);
            }, null, default);
            report.Splits[split].Shards.Add(name);
        }

        _open.Clear();
        DurableFile.FlushDirectory(folder);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, (file, _, name)) in _open)
        {
            file.Dispose();
            File.Delete(Path.Combine(folder, name + Unfinished));
        }

        _open.Clear();
    }

    private void Guard(string name, Action work, Stream? stream, ReadOnlySpan<byte> bytes)
    {
        try
        {
            stream?.Write(bytes);
            work();
        }
        catch (IOException e)
        {
            throw new IOException(
                $"{Path.Combine(folder, name)}: writing failed: {e.Message} Finished shards are kept; the same command goes on from there.",
                e);
        }
    }
}
