using System.Runtime.InteropServices;
using System.Text;

namespace Ingot.Checkpoints;

/// <summary>
/// Files that survive a power cut: written beside their name, flushed to the disk, renamed, and the rename flushed too. .NET flushes files
/// but not directories, so that part calls libc.
/// </summary>
internal static partial class DurableFile
{
    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000;

    /// <summary>Writes a file so that its name holds either what it held before or the whole new content, whatever happens.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        var temporary = path + ".tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.Read))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        FlushDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Makes the names in a directory durable: files created, renamed or deleted there.</summary>
    public static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return; // NTFS journals names itself, and Windows has no call for it.
        var descriptor = Open(path, ReadOnly | CloseOnExec);
        if (descriptor < 0)
            throw LastError("open", path);
        try
        {
            if (FSync(descriptor) != 0)
                throw LastError("flush", path);
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>First bytes of a small text file, also of one that another process has locked; null when it cannot be read.</summary>
    public static string? ReadLocked(string path)
    {
        if (OperatingSystem.IsWindows())
            return null; // A lock there forbids reading too.
        var descriptor = Open(path, ReadOnly | CloseOnExec);
        if (descriptor < 0)
            return null;
        var buffer = new byte[256];
        var count = Read(descriptor, buffer, buffer.Length);
        _ = Close(descriptor);
        return count < 0 ? null : Encoding.UTF8.GetString(buffer, 0, (int)count);
    }

    private static IOException LastError(string verb, string path) =>
        new($"Could not {verb} '{path}': {Marshal.GetLastPInvokeErrorMessage()}.", Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, byte[] buffer, nint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
