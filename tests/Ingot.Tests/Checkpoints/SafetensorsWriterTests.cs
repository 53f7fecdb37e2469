using System.Runtime.InteropServices;
using System.Text;
using Ingot.Checkpoints;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>The writer against the exact bytes of the format's own tests.</summary>
[TestFixture]
public sealed class SafetensorsWriterTests
{
    [Test]
    public void WritesTheVectorOfATensor()
    {
        byte[] data = [.. MemoryMarshal.AsBytes<float>([0, 1, 2, 3, 4, 5])];
        Assert.That(
            Write([Source("attn.0", SafetensorsDtype.F32, [1, 2, 3], data)]),
            Is.EqualTo(File(64, """{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}""", data)));
    }

    [Test]
    public void PadsTheHeaderToAMultipleOfEight()
    {
        byte[] data = new byte[24];
        Assert.That(
            Write([Source("attn0", SafetensorsDtype.F32, [1, 1, 2, 3], data)]),
            Is.EqualTo(File(72, """{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}""" + new string(' ', 7), data)));
    }

    [Test]
    public void WritesFilesWithoutTensors()
    {
        Assert.That(Write([]), Is.EqualTo(File(8, "{}" + new string(' ', 6), [])));
        Assert.That(
            Write([], new Dictionary<string, string> { ["framework"] = "pt" }),
            Is.EqualTo(File(40, """{"__metadata__":{"framework":"pt"}}""" + new string(' ', 5), [])));
    }

    [Test]
    public void WritesElementsOfHalfAByte() => Assert.That(
        Write([Source("attn.0", SafetensorsDtype.F4, [1, 2], [0x21])]),
        Is.EqualTo(File(64, """{"attn.0":{"dtype":"F4","shape":[1,2],"data_offsets":[0,1]}}""" + new string(' ', 4), [0x21])));

    [Test]
    public void OrdersByDtypeFromTheWidestThenByName()
    {
        var written = Write(
        [
            Source("c", SafetensorsDtype.U8, [1], [1]),
            Source("b", SafetensorsDtype.F32, [1], [2, 2, 2, 2]),
            Source("a", SafetensorsDtype.F32, [1], [3, 3, 3, 3]),
            Source("z", SafetensorsDtype.I64, [1], [4, 4, 4, 4, 4, 4, 4, 4]),
            Source("y", SafetensorsDtype.BF16, [1], [5, 5]),
        ]);
        Assert.That(written[^19..], Is.EqualTo((byte[])[4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 5, 5, 1]));
    }

    [Test]
    public void KeepsNamesAsTheFormatsOwnWriterDoes()
    {
        var written = Encoding.UTF8.GetString(Write([Source("ä+<\"\\\n", SafetensorsDtype.U8, [0], [])]));
        Assert.That(written, Does.Contain("""{"ä+<\"\\\n":{"""));
    }

    [Test]
    public void WhatItWritesTheReaderReads()
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(7);
        var expected = new Dictionary<string, (SafetensorsDtype Dtype, long[] Shape, byte[] Data)>();
        foreach (var dtype in Enum.GetValues<SafetensorsDtype>())
        {
            long[] shape = [random.Next(1, 5), 8, random.Next(0, 4)];
            var data = new byte[shape[0] * shape[1] * shape[2] * dtype.Bits() / 8];
            random.NextBytes(data);
            expected[$"tensor.{dtype}"] = (dtype, shape, data);
        }

        var sources = expected.Select(pair => Source(pair.Key, pair.Value.Dtype, pair.Value.Shape, pair.Value.Data)).ToList();
        using (var stream = System.IO.File.Create(directory["all.safetensors"]))
            SafetensorsWriter.Write(stream, sources, SafetensorsWriter.PyTorchMetadata);

        Assert.That(
            new FileInfo(directory["all.safetensors"]).Length,
            Is.EqualTo(SafetensorsWriter.SizeOf(sources, SafetensorsWriter.PyTorchMetadata)));
        using var file = SafetensorsFile.Open(directory["all.safetensors"]);
        Assert.That(file.Metadata, Is.EqualTo(SafetensorsWriter.PyTorchMetadata));
        Assert.That(file.Tensors, Has.Count.EqualTo(expected.Count));
        foreach (var (name, tensor) in expected)
        {
            Assert.That(file[name].Dtype, Is.EqualTo(tensor.Dtype));
            Assert.That(file[name].Shape, Is.EqualTo(tensor.Shape));
            Assert.That(file[name].Span.ToArray(), Is.EqualTo(tensor.Data));
        }
    }

    [Test]
    public void AsksACallbackForEveryByteOnceAndInOrder()
    {
        const int Length = (5 << 20) + 3;
        long next = 0;
        var source = new SafetensorsSource("t", SafetensorsDtype.U8, [Length], (offset, destination) =>
        {
            Assert.That(offset, Is.EqualTo(next));
            for (var i = 0; i < destination.Length; i++)
                destination[i] = (byte)((offset + i) % 251);
            next = offset + destination.Length;
        });
        var data = Write([source])[^Length..];
        Assert.That(next, Is.EqualTo(Length));
        Assert.That(data.Select((value, i) => value == i % 251).All(same => same), Is.True);
    }

    [Test]
    public void RefusesWhatTheFormatCannotHold()
    {
        Assert.That(
            () => Write([Source("a", SafetensorsDtype.U8, [0], []), Source("a", SafetensorsDtype.U8, [0], [])]),
            Throws.ArgumentException.With.Message.Contains("named 'a'"));
        Assert.That(
            () => Write([Source("__metadata__", SafetensorsDtype.U8, [0], [])]),
            Throws.ArgumentException.With.Message.Contains("reserves"));
        Assert.That(() => Source("a", SafetensorsDtype.U8, [-1], []), Throws.ArgumentException.With.Message.Contains("negative"));
        Assert.That(
            () => Source("a", SafetensorsDtype.F32, [long.MaxValue], []),
            Throws.ArgumentException.With.Message.Contains("overflows"));
        Assert.That(() => Source("a", SafetensorsDtype.F4, [3], []), Throws.ArgumentException.With.Message.Contains("whole bytes"));
        Assert.That(() => new SafetensorsSource("a", SafetensorsDtype.U8, [1], 0), Throws.ArgumentNullException);
    }

    private static SafetensorsSource Source(string name, SafetensorsDtype dtype, long[] shape, byte[] data) =>
        new(name, dtype, shape, (offset, destination) => data.AsSpan((int)offset, destination.Length).CopyTo(destination));

    private static byte[] Write(SafetensorsSource[] tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, metadata);
        return stream.ToArray();
    }

    private static byte[] File(long headerLength, string header, byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        Assert.That(json, Has.Length.EqualTo(headerLength), "the test's own vector");
        return [.. BitConverter.GetBytes(headerLength), .. json, .. data];
    }
}
