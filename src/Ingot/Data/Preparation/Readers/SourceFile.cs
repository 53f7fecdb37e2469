using System.Text;

namespace Ingot.Data.Preparation.Readers;

/// <summary>A file to read.</summary>
/// <param name="Path">As the user named it, or found below what the user named.</param>
/// <param name="Length">Its size on the disk in bytes.</param>
/// <param name="LastWriteTimeUtc">When it was last written.</param>
/// <param name="Format">What it is; never <see cref="InputFormat.Auto"/>.</param>
internal sealed record SourceFile(string Path, long Length, DateTime LastWriteTimeUtc, InputFormat Format)
{
    private const int BinaryCheck = 8192; // A zero byte this early makes a file binary.

    /// <summary>What the ending of a name says; one that is not known means text.</summary>
    public static InputFormat FormatOf(string path)
    {
        if (path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            path = path[..^3];
        return System.IO.Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".jsonl" or ".ndjson" or ".json" => InputFormat.Jsonl,
            ".csv" => InputFormat.Csv,
            ".tsv" or ".tab" => InputFormat.Tsv,
            ".parquet" => InputFormat.Parquet,
            _ => InputFormat.Text,
        };
    }

    /// <summary>Opens the file: unpacked if it is gzip, whatever its name, and as UTF-8 if it is UTF-16.</summary>
    /// <exception cref="InvalidDataException">It is binary, or damaged.</exception>
    public InputStream Open()
    {
        var utf16 = EncodingRepair.FindUtf16(ReadStart());
        var (file, content) = GzipInput.OpenFile(Path);
        return new InputStream(file, utf16 is null ? content : Encoding.CreateTranscodingStream(content, utf16, Encoding.UTF8))
        {
            IsRecoded = utf16 is not null,
        };
    }

    // The first bytes, which tell text from other things.
    private byte[] ReadStart()
    {
        var (file, content) = GzipInput.OpenFile(Path);
        using (file)
        using (content)
        {
            var start = new byte[BinaryCheck];
            var count = content.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            start = start[..count];
            var zero = Array.IndexOf(start, (byte)0);
            return zero < 0 || EncodingRepair.FindUtf16(start) is not null
                ? start
                : throw new InvalidDataException($"{Path}: binary, not text: byte {zero} is zero. Leave it out, or set format if it is a "
                    + "table.");
        }
    }
}

/// <summary>A file's content, and how much of the file has been read for it.</summary>
internal sealed class InputStream(FileStream file, Stream content) : IDisposable
{
    /// <summary>The content.</summary>
    public Stream Content => content;

    /// <summary>Whether the file is in another encoding than its content.</summary>
    public bool IsRecoded { get; init; }

    /// <summary>Bytes of the file read so far.</summary>
    public long Position => file.Position;

    /// <inheritdoc/>
    public void Dispose()
    {
        content.Dispose();
        file.Dispose();
    }
}
