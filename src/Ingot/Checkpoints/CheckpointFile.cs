using System.Text;

namespace Ingot.Checkpoints;

/// <summary>A file that a checkpoint is to hold: its name, its size and how to write it.</summary>
public sealed class CheckpointFile
{
    private readonly Action<Stream> _write;

    /// <summary>A file that a callback writes.</summary>
    /// <param name="name">Name within the checkpoint's folder, without directories.</param>
    /// <param name="length">
    /// Bytes that <paramref name="write"/> will write, known before it does so that a full disk is found in time.
    /// </param>
    /// <param name="write">Writes the content; may be called on another thread.</param>
    /// <exception cref="ArgumentException">The name is not a plain file name, or the store's own.</exception>
    public CheckpointFile(string name, long length, Action<Stream> write)
        : this(write, name, length)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentNullException.ThrowIfNull(write);
        if (name != Path.GetFileName(name) || name is "." or ".." or CheckpointManifest.FileName)
            throw new ArgumentException(
                $"'{name}' cannot be a file of a checkpoint: plain names other than '{CheckpointManifest.FileName}' can.",
                nameof(name));
    }

    private CheckpointFile(Action<Stream> write, string name, long length) => (Name, Length, _write) = (name, length, write);

    /// <summary>Name within the checkpoint's folder.</summary>
    public string Name { get; }

    /// <summary>Size in bytes.</summary>
    public long Length { get; }

    /// <summary>A file of text, UTF-8 without a byte-order mark.</summary>
    /// <param name="name">Name within the checkpoint's folder.</param>
    /// <param name="text">The content.</param>
    /// <returns>The file.</returns>
    public static CheckpointFile Text(string name, string text) => Bytes(name, Encoding.UTF8.GetBytes(text));

    /// <summary>A file of bytes that do not change until the checkpoint is written.</summary>
    /// <param name="name">Name within the checkpoint's folder.</param>
    /// <param name="bytes">The content.</param>
    /// <returns>The file.</returns>
    public static CheckpointFile Bytes(string name, ReadOnlyMemory<byte> bytes) =>
        new(name, bytes.Length, stream => stream.Write(bytes.Span));

    /// <summary>A safetensors file with the metadata that Hugging Face's libraries ask for.</summary>
    /// <param name="name">Name within the checkpoint's folder.</param>
    /// <param name="tensors">The tensors; their memory must not change until the checkpoint is written.</param>
    /// <returns>The file.</returns>
    public static CheckpointFile Safetensors(string name, IReadOnlyList<SafetensorsSource> tensors)
    {
        var layout = new SafetensorsLayout(tensors, SafetensorsWriter.PyTorchMetadata);
        return new(name, layout.FileLength, layout.WriteTo);
    }

    internal static CheckpointFile Manifest(CheckpointManifest manifest)
    {
        var json = manifest.ToJson();
        return new CheckpointFile(stream => stream.Write(json), CheckpointManifest.FileName, json.Length);
    }

    internal void WriteTo(Stream stream) => _write(stream);
}
