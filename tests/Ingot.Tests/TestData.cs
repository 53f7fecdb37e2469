using System.IO.Compression;
using NUnit.Framework;

namespace Ingot.Tests;

/// <summary>
/// Real text and vocabularies that lie beside the repository (../shared/data) or where INGOT_TEST_DATA says. Tests that want a file
/// which is not there are skipped with a message.
/// </summary>
internal static class TestData
{
    private static readonly string Folder = Environment.GetEnvironmentVariable("INGOT_TEST_DATA") is { Length: > 0 } folder
        ? folder
        : Path.GetFullPath(Path.Combine(RepositoryRoot(), "..", "shared", "data"));

    /// <summary>The full path of a file or folder, or the test is skipped.</summary>
    public static string PathOf(string name)
    {
        var path = Path.Combine(Folder, name);
        if (!Path.Exists(path))
        {
            Assert.Ignore($"{path} is absent; INGOT_TEST_DATA may name another folder.");
        }

        return path;
    }

    /// <summary>The Jargon File, 1.7 MB of English, from the Debian package jargon-text; or the test is skipped.</summary>
    public static byte[] JargonFile()
    {
        const string path = "/usr/share/doc/jargon-text/jargon.txt.gz";
        if (!File.Exists(path))
        {
            Assert.Ignore($"{path} is absent; the Debian package jargon-text has it.");
        }

        using var stream = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        var text = new MemoryStream();
        stream.CopyTo(text);
        return text.ToArray();
    }

    /// <summary>The full path of something in the repository.</summary>
    public static string InRepository(params string[] path) => Path.Combine([RepositoryRoot(), .. path]);

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Interop.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? AppContext.BaseDirectory;
    }
}
