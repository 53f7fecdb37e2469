using System.Diagnostics;
using NUnit.Framework;

namespace Ingot.Bindings.Tests;

/// <summary>Loading the native library: what is wrong is said, and nothing else is loaded in its place.</summary>
public class NativeLibraryResolverTests
{
    private string _folder = "";

    private string Library => Path.Combine(_folder, NativeLibraryResolver.FileName);

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("ingot-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void ANamedFileThatIsNotThereIsAnErrorThoughTheLibraryIsElsewhere()
    {
        string missing = Path.Combine(_folder, "missing.so");
        IngotException e = Fails(missing, AppContext.BaseDirectory);
        Assert.That(e.Status, Is.EqualTo(Status.ErrorNotFound));
        Assert.That(e.Message, Does.Contain($"{missing}: no such file").And.Contain(NativeLibraryResolver.EnvironmentVariable));
        Assert.That(e.Message, Does.Not.Contain(AppContext.BaseDirectory));
    }

    [Test]
    public void ANamedFolderIsSearchedForTheLibrary() => Assert.That(Fails(_folder).Message, Does.Contain($"{Library}: no such file"));

    [Test]
    public void WhatTheLoaderSaysIsPassedOn()
    {
        File.WriteAllText(Library, "not a library");
        Assert.That(Fails(_folder).Message, Does.Contain(Library).And.Match("(invalid ELF header|file too short)"));
    }

    [Test]
    public void EveryFolderThatWasTriedIsListed()
    {
        string other = Path.Combine(_folder, "other");
        IngotException e = Fails(null, _folder, other);
        Assert.That(e.Message, Does.Contain($"{Library}: no such file"));
        Assert.That(e.Message, Does.Contain($"{Path.Combine(other, NativeLibraryResolver.FileName)}: no such file"));
    }

    [Test]
    public void ALibraryOfAnotherHeaderIsRefused()
    {
        Compile(VersionFunctions(NativeConstants.AbiVersion, 0xabcdef));
        IngotException e = Fails(_folder);
        Assert.That(e.Status, Is.EqualTo(Status.ErrorUnsupported));
        Assert.That(e.Message, Does.Contain("0000000000abcdef").And.Contain($"{NativeConstants.HeaderHash:x16}"));
    }

    [Test]
    public void AnotherAbiVersionIsRefused()
    {
        Compile(VersionFunctions(999, NativeConstants.HeaderHash));
        Assert.That(Fails(_folder).Message, Does.Contain("ABI 999"));
    }

    [Test]
    public void ALibraryThatIsNotIngotsIsRefused()
    {
        Compile("int answer(void) { return 42; }");
        Assert.That(Fails(_folder).Message, Does.Contain("is not Ingot's native library"));
    }

    [Test]
    public void ALibraryThatFitsIsLoaded()
    {
        Compile(VersionFunctions(NativeConstants.AbiVersion, NativeConstants.HeaderHash));
        string other = Path.Combine(_folder, "other");
        Assert.That(NativeLibraryResolver.Load(null, [other, _folder]), Is.Not.Zero);
        Assert.That(NativeLibraryResolver.Load(Library, []), Is.Not.Zero);
    }

    private static string VersionFunctions(int version, ulong hash) =>
        $"unsigned ingot_abi_version(void) {{ return {version}; }} unsigned long long ingot_header_hash(void) {{ return {hash}ull; }}";

    private static IngotException Fails(string? named, params string[] folders) =>
        Assert.Throws<IngotException>(() => NativeLibraryResolver.Load(named, folders))!;

    private void Compile(string source)
    {
        string file = Path.Combine(_folder, "library.c");
        File.WriteAllText(file, source);
        using Process compiler = Process.Start("cc", ["-shared", "-fPIC", "-o", Library, file]);
        compiler.WaitForExit();
        Assert.That(compiler.ExitCode, Is.Zero, "the C compiler failed");
    }
}
