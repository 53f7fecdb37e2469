using System.Runtime.InteropServices;
using System.Text;
using Ingot.Checkpoints;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>The reader against the vectors of the format's own tests, and against files that lie.</summary>
[TestFixture]
public sealed class SafetensorsFileTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void ReadsAScalar()
    {
        using var file = Open("""{"test":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}""", [7, 0, 0, 0]);
        var tensor = file["test"];
        Assert.That(tensor.Dtype, Is.EqualTo(SafetensorsDtype.I32));
        Assert.That(tensor.Shape, Is.Empty);
        Assert.That(MemoryMarshal.Read<int>(tensor.Span), Is.EqualTo(7));
    }

    [TestCase("\t\n{}\r ")]
    [TestCase("{}")]
    [TestCase("""{"__metadata__":{}}""")]
    public void ReadsFilesWithoutTensors(string header)
    {
        using var file = Open(header, []);
        Assert.That(file.Tensors, Is.Empty);
        Assert.That(file.Metadata, Is.Empty);
    }

    [Test]
    public void ReadsEmptyTensors()
    {
        using var file = Open("""{"test":{"dtype":"I32","shape":[2,0],"data_offsets":[0, 0]}}""", []);
        Assert.That(file["test"].Shape, Is.EqualTo((long[])[2, 0]));
        Assert.That(file["test"].Length, Is.Zero);
        Assert.That(file["test"].Span.Length, Is.Zero);
    }

    [Test]
    public void ReadsMetadataAndPassesOverWhatLaterVersionsSay()
    {
        using var file = Open(
            """{"__metadata__":{"format":"pt","ü":"\u00e4"},"a":{"later":{"x":[1,{}]},"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""",
            [9]);
        Assert.That(file.Metadata["format"], Is.EqualTo("pt"));
        Assert.That(file.Metadata["ü"], Is.EqualTo("ä"));
        Assert.That(file["a"].Span[0], Is.EqualTo(9));
    }

    [Test]
    public void ListsTensorsByPlaceWhateverTheHeadersOrder()
    {
        using var file = Open(
            """{"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}""", [1, 2, 3]);
        Assert.That(file.Tensors.Select(tensor => tensor.Name), Is.EqualTo((string[])["a", "b"]));
        Assert.That(file["b"].Span[0], Is.EqualTo(3));
    }

    [Test]
    public void CopiesPartsAndWholes()
    {
        using var file = Open(
            """{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}""",
            [1, 2, 3, 4, 5]);
        var part = new byte[2];
        file["a"].CopyTo(1, part);
        Assert.That(part, Is.EqualTo((byte[])[2, 3]));
        var whole = Marshal.AllocHGlobal(2);
        try
        {
            file["b"].CopyTo(whole, 2);
            Assert.That(Marshal.ReadByte(whole, 1), Is.EqualTo(5));
            Assert.That(() => file["b"].CopyTo(whole, 3), Throws.ArgumentException.With.Message.Contains("'b' has 2 bytes"));
        }
        finally
        {
            Marshal.FreeHGlobal(whole);
        }

        Assert.That(() => file["a"].CopyTo(2, part), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => file["a"].CopyTo(-1, part), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void NamesATensorThatIsNotThere()
    {
        using var file = Open("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [0]);
        Assert.That(
            () => file["c"],
            Throws.InstanceOf<KeyNotFoundException>().With.Message.Contains("no tensor 'c'").And.Message.Contains("test.safetensors"));
    }

    [Test]
    public void RefusesUseAfterDispose()
    {
        var file = Open("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [0]);
        var tensor = file["a"];
        file.Dispose();
        Assert.That(() => tensor.Span.Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => tensor.CopyTo(0, new byte[1]), Throws.InstanceOf<ObjectDisposedException>());
    }

    // Raw bytes in Latin-1: everything that a header can be before it is one.
    [TestCase("", "too few for a header")]
    [TestCase("\x3c\0\0\0\0\xff\xff\xff", "the format allows")]
    [TestCase("\x3c\0\0\0\0\0\0\0", "claims 60 bytes, the file has 0")]
    [TestCase("\x01\0\0\0\0\0\0\0\xff", "not valid UTF-8")]
    [TestCase("\x01\0\0\0\0\0\0\0{", "not valid JSON")]
    [TestCase("\0\0\0\0\0\0\0\0", "not valid JSON")]
    [TestCase("\x02\0\0\0\0\0\0\0[]", "not a JSON object")]
    [TestCase("\x04\0\0\0\0\0\0\0{}{}", "not valid JSON")]
    [TestCase("\x02\0\0\0\0\0\0\0{}x", "1 bytes follow the last tensor")]
    public void RejectsBrokenHeads(string bytes, string problem) => Rejects(Encoding.Latin1.GetBytes(bytes), problem);

    [TestCase("""{"t":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}""", 18, "2 bytes follow the last tensor")]
    [TestCase("""{"t":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}""", 14, "cut short")]
    [TestCase("""{"t":{"dtype":"I32","shape":[2,2],"data_offsets":[0,4]}}""", 4, "needs 16 bytes")]
    [TestCase("""{"t":{"dtype":"I32","shape":[2,18446744073709551614],"data_offsets":[0,16]}}""", 16, "overflows")]
    [TestCase("""{"t":{"dtype":"I32","shape":[2,9223372036854775807],"data_offsets":[0,16]}}""", 16, "overflows")]
    [TestCase("""{"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "overflows")]
    [TestCase("""{"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "after a hole")]
    [TestCase("""{"t":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}""", 1, "needs 1 bytes")]
    [TestCase(
        """{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""",
        1,
        "inside the tensor before")]
    [TestCase(
        """{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""",
        2,
        "'t' twice")]
    [TestCase("""{"t":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "'dtype' twice")]
    [TestCase("""{"t":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}""", 1, "does not fill whole bytes")]
    [TestCase("""{"t":{"dtype":"F12","shape":[1],"data_offsets":[0,1]}}""", 1, "unknown dtype 'F12'")]
    [TestCase("""{"t":{"dtype":7,"shape":[1],"data_offsets":[0,1]}}""", 1, "unknown dtype")]
    [TestCase("""{"t":{"shape":[1],"data_offsets":[0,1]}}""", 1, "lacks dtype")]
    [TestCase("""{"t":{"dtype":"U8","data_offsets":[0,1]}}""", 1, "lacks shape")]
    [TestCase("""{"t":{"dtype":"U8","shape":[1]}}""", 1, "lacks data_offsets")]
    [TestCase("""{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}""", 1, "instead of 2")]
    [TestCase("""{"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}""", 1, "whole number")]
    [TestCase("""{"t":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}""", 1, "whole number")]
    [TestCase("""{"t":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}""", 1, "not an array")]
    [TestCase("""{"t":[]}""", 0, "not an object")]
    [TestCase("""{"__metadata__":{"a":1}}""", 0, "'__metadata__.a' is not a string")]
    [TestCase("""{"__metadata__":[]}""", 0, "'__metadata__' is not an object")]
    [TestCase("""{"__metadata__":{},"__metadata__":{}}""", 0, "twice")]
    [TestCase("""{"__metadata__":{"a":"1","a":"2"}}""", 0, "'a' twice")]
    [TestCase("""{"t\uD800":{}}""", 0, "not valid JSON")]
    public void RejectsHeadersThatLie(string header, int dataLength, string problem) =>
        Rejects(Bytes(header, new byte[dataLength]), problem);

    [Test]
    public void RejectsManyTensorsInOnePlace()
    {
        var entries = Enumerable.Range(0, 10).Select(i => $"\"{i}\":" + """{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}""");
        Rejects(Bytes("{" + string.Join(",", entries) + "}", new byte[16]), "inside the tensor before");
    }

    [Test]
    public void RejectsAHeaderNestedWithoutEnd() => Rejects(Bytes("""{"t":{"x":""" + new string('[', 100_000), []), "not valid JSON");

    [Test]
    public void NamesFilesThatCannotBeRead()
    {
        Assert.That(
            () => SafetensorsFile.Open(_directory["none"]),
            Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("none"));
        Assert.That(
            () => SafetensorsFile.Open(_directory.FullPath),
            Throws.InstanceOf<IOException>().With.Message.Contains("is a directory"));
    }

    [Test]
    public void ReachesTensorsBeyondTwoGigabytesWithoutReadingThem()
    {
        // A sparse file of 3 GB: a hole costs no disk, and opening must not look at it.
        const long Bytes = 3L << 30;
        var path = _directory["sparse.safetensors"];
        var header = Encoding.UTF8.GetBytes($$$"""
            {"big":{"dtype":"F32","shape":[{{{Bytes / 4}}}],"data_offsets":[0,{{{Bytes}}}]},
            "end":{"dtype":"U8","shape":[2],"data_offsets":[{{{Bytes}}},{{{Bytes + 2}}}]}}
            """);
        using (var stream = File.Create(path))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length));
            stream.Write(header);
            stream.Position += Bytes - 4;
            stream.Write([1, 2, 3, 4, 5, 6]);
        }

        using var file = SafetensorsFile.Open(path);
        Assert.That(file["big"].Length, Is.EqualTo(Bytes));
        Assert.That(() => file["big"].Span.Length, Throws.InvalidOperationException.With.Message.Contains("use Pointer or CopyTo"));
        var last = new byte[4];
        file["big"].CopyTo(Bytes - 4, last);
        Assert.That(last, Is.EqualTo((byte[])[1, 2, 3, 4]));
        unsafe
        {
            Assert.That(file["big"].Pointer[Bytes - 1], Is.EqualTo(4));
        }

        Assert.That(file["end"].Span.ToArray(), Is.EqualTo((byte[])[5, 6]));
    }

    /// <summary>Ten gigabytes are neither read nor mapped in nor allocated for: opening costs what the header does.</summary>
    [Test]
    public void OpeningTenGigabytesTouchesTheHeaderOnly()
    {
        const long Tensor = 1L << 30, Count = 10;
        var path = _directory["large.safetensors"];
        var header = Encoding.UTF8.GetBytes("{" + string.Join(",", Enumerable.Range(0, (int)Count).Select(i =>
            $$"""
            "t{{i}}":{"dtype":"BF16","shape":[{{Tensor / 2}}],"data_offsets":[{{i * Tensor}},{{(i + 1) * Tensor}}]}
            """)) + "}");
        using (var stream = File.Create(path))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length));
            stream.Write(header);
            stream.SetLength(8 + header.Length + (Count * Tensor));
        }

        SafetensorsFile.Open(path).Dispose(); // What is compiled and set up at first does not count.
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        using var file = SafetensorsFile.Open(path);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - allocated, Is.LessThan(100_000));
        Assert.That(file.Tensors.Sum(t => t.Length), Is.EqualTo(Count * Tensor));
        if (OperatingSystem.IsLinux())
            Assert.That(ResidentKilobytes(path), Is.LessThan(1000));
    }

    /// <summary>How much of a mapped file is in memory.</summary>
    private static long ResidentKilobytes(string path)
    {
        var lines = File.ReadAllLines("/proc/self/smaps");
        var mapping = Array.FindIndex(lines, line => line.EndsWith(path, StringComparison.Ordinal));
        Assert.That(mapping, Is.GreaterThanOrEqualTo(0), "the file is mapped");
        var resident = lines.Skip(mapping).First(line => line.StartsWith("Rss:", StringComparison.Ordinal));
        return long.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Every truncation and every flipped byte of a head is either still a file of the format or an error that says so.</summary>
    [Test]
    public void SurvivesEveryTruncationAndManyCorruptions()
    {
        var good = Bytes("""{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", new byte[8]);
        var random = new Random(1);
        for (var length = 0; length < good.Length; length++)
            Rejects(good[..length], "not a usable safetensors file");
        var accepted = 0;
        for (var i = 0; i < 500; i++)
        {
            var bad = good.ToArray();
            bad[random.Next(bad.Length)] = (byte)random.Next(256);
            try
            {
                using var file = SafetensorsFile.Open(_directory.Write("test.safetensors", bad));
                accepted++;
            }
            catch (InvalidDataException e)
            {
                Assert.That(e.Message, Does.Contain("test.safetensors"));
            }
        }

        Assert.That(accepted, Is.InRange(1, 499));
    }

    private static byte[] Bytes(string header, byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];
    }

    private SafetensorsFile Open(string header, byte[] data) =>
        SafetensorsFile.Open(_directory.Write("test.safetensors", Bytes(header, data)));

    private void Rejects(byte[] bytes, string problem)
    {
        var path = _directory.Write("test.safetensors", bytes);
        Assert.That(
            () => SafetensorsFile.Open(path),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains(path).And.Message.Contains(problem));
    }
}
