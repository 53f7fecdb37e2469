using System.Text;
using NUnit.Framework;

namespace Ingot.Tests;

/// <summary>Tests that each have a folder of their own, removed after the test with all that is in it.</summary>
public abstract class FolderTests
{
    /// <summary>The test's folder.</summary>
    protected string Folder { get; private set; } = "";

    [SetUp]
    public void MakeFolder() => Folder = Directory.CreateTempSubdirectory("ingot-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(Folder, recursive: true);

    /// <summary>A path inside the folder.</summary>
    protected string In(string name) => Path.Combine(Folder, name);

    /// <summary>Writes a file inside the folder and returns its path.</summary>
    protected string Write(string name, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(name))!);
        File.WriteAllBytes(In(name), content);
        return In(name);
    }

    /// <inheritdoc cref="Write(string, byte[])"/>
    protected string Write(string name, string content) => Write(name, Encoding.UTF8.GetBytes(content));
}
