namespace Ingot.Checkpoints;

/// <summary>
/// Makes a folder that is either there as a whole or not at all: files are written to a hidden folder beside the name and flushed, and
/// the hidden folder is renamed when the last one is done.
/// </summary>
internal sealed class NewFolder : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private bool _finished;

    /// <summary>Begins the folder <paramref name="path"/>, which must not be there, or be empty.</summary>
    /// <exception cref="IOException">There is something of that name already.</exception>
    public NewFolder(string path)
    {
        _path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(_path) || (Directory.Exists(_path) && Directory.EnumerateFileSystemEntries(_path).Any()))
            throw new IOException($"'{path}' is there already: give another name, or remove it first.");
        var parent = Path.GetDirectoryName(_path) ?? throw new IOException($"'{path}' is no place for a new folder.");
        Directory.CreateDirectory(parent);
        _temporary = Path.Combine(parent, $".tmp-{Path.GetFileName(_path)}-{Environment.ProcessId}");
        Directory.CreateDirectory(_temporary);
    }

    /// <summary>Writes a file of the folder and flushes it to the disk.</summary>
    public void Write(string name, Action<Stream> write)
    {
        using var stream = new FileStream(Path.Combine(_temporary, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Writes a file of the folder.</summary>
    public void Write(string name, ReadOnlyMemory<byte> content) => Write(name, stream => stream.Write(content.Span));

    /// <summary>Refuses to begin what the disk has no room for.</summary>
    /// <exception cref="IOException">Less than <paramref name="bytes"/> are free.</exception>
    public void RequireSpace(long bytes)
    {
        long free;
        try
        {
            free = new DriveInfo(_temporary).AvailableFreeSpace;
        }
        catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException)
        {
            return; // Not every file system says. If it is full, writing does.
        }

        if (free < bytes)
            throw new IOException($"'{_path}' needs {bytes / 1e6:N0} MB, and {free / 1e6:N0} MB are free there.");
    }

    /// <summary>Gives the folder its name.</summary>
    public void Finish()
    {
        DurableFile.FlushDirectory(_temporary);
        if (Directory.Exists(_path))
            Directory.Delete(_path); // Empty; if it is not any more, this fails and nothing is lost.
        Directory.Move(_temporary, _path);
        _finished = true;
        DurableFile.FlushDirectory(Path.GetDirectoryName(_path)!);
    }

    /// <summary>Removes everything unless <see cref="Finish"/> was reached.</summary>
    public void Dispose()
    {
        if (!_finished && Directory.Exists(_temporary))
            Directory.Delete(_temporary, recursive: true);
    }
}
