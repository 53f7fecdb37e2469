using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models.Gpt2;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

internal sealed class ModelWeightsTests
{
    private static readonly Gpt2Config Model = new() { VocabSize = 11, Positions = 8, Embedding = 4, LayerCount = 1, Heads = 2 };

    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TemporaryDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [TestCase(1, SafetensorsDtype.F32)]
    [TestCase(1, SafetensorsDtype.F16)]
    [TestCase(3, SafetensorsDtype.BF16)]
    [TestCase(3, SafetensorsDtype.F16)]
    public void EveryTensorOfEveryFileIsLoaded(int files, SafetensorsDtype dtype)
    {
        Write(files, dtype);
        var (_, store) = ModelFiles.LoadModel(_directory.FullPath, Device.Cpu, DType.F32, training: false);
        using (store)
        {
            foreach (var p in store.Parameters)
            {
                var values = new float[p.Shape.Aggregate(1L, (a, b) => a * b)];
                store.Master.Read(MemoryMarshal.AsBytes(values.AsSpan()), store.OffsetOf(p.Name) * 4);
                for (var i = 0; i < values.Length; i++)
                    Assert.That(values[i], Is.EqualTo(Value(p.Name, i)), p.Name);
            }
        }
    }

    [Test]
    public void AFolderWithoutWeightsSaysWhichAreExpected() => Assert.That(
        () => ModelWeights.Open(_directory.FullPath),
        Throws.TypeOf<FileNotFoundException>().With.Message.Contains("model.safetensors.index.json"));

    [Test]
    public void AMissingShardIsNamed()
    {
        Write(3, SafetensorsDtype.F32);
        File.Delete(_directory[Shard(1, 3)]);
        Assert.That(() => ModelWeights.Open(_directory.FullPath), Throws.TypeOf<FileNotFoundException>().With.Message.Contains(Shard(1, 3)));
    }

    [TestCase("../model.safetensors")]
    [TestCase("/etc/passwd")]
    [TestCase("..")]
    [TestCase("a\\b")]
    [TestCase("")]
    public void AShardOutsideOfTheFolderIsRefused(string name)
    {
        File.WriteAllText(_directory[ModelWeights.IndexName], new JsonObject { ["weight_map"] = new JsonObject { ["w"] = name } }.ToJsonString());
        Expect("not the name of a file");
    }

    [TestCase("{\"weight_map\":{\"w\":\"a\",\"w\":\"b\"}}", "twice")]
    [TestCase("{\"weight_map\":{\"w\":3}}", "no file name")]
    [TestCase("{\"weight_map\":[]}", "weight_map")]
    [TestCase("{}", "weight_map")]
    [TestCase("[]", "weight_map")]
    [TestCase("{\"weight_map\":", "index.json")]
    public void ABadIndexIsRefused(string index, string message)
    {
        File.WriteAllText(_directory[ModelWeights.IndexName], index);
        Expect(message);
    }

    [Test]
    public void AnIndexThatDoesNotFitItsShardsIsRefused()
    {
        Write(2, SafetensorsDtype.F32);
        var path = _directory[ModelWeights.IndexName];
        var index = JsonNode.Parse(File.ReadAllText(path))!;
        index["weight_map"]!["extra"] = Shard(0, 2);
        File.WriteAllText(path, index.ToJsonString());
        Expect("'extra'");
    }

    [Test]
    public void ATensorThatTheIndexPlacesElsewhereIsRefused()
    {
        Write(2, SafetensorsDtype.F32);
        var path = _directory[ModelWeights.IndexName];
        var index = JsonNode.Parse(File.ReadAllText(path))!;
        var first = index["weight_map"]!.AsObject().First(entry => entry.Value!.GetValue<string>() == Shard(0, 2)).Key;
        index["weight_map"]![first] = Shard(1, 2);
        File.WriteAllText(path, index.ToJsonString());
        Expect($"'{first}'");
    }

    private static string Shard(int i, int files) => $"model-{i + 1:00000}-of-{files:00000}.safetensors";

    // Few bits, so that every dtype holds it exactly; different in every tensor.
    private static float Value(string name, long i) => ((name.Length + (i * 7)) % 64) - 32;

    private void Expect(string message) => Assert.That(
        () => ModelWeights.Open(_directory.FullPath),
        Throws.TypeOf<InvalidDataException>().With.Message.Contains(message).And.Message.Contains(ModelWeights.IndexName));

    private void Write(int files, SafetensorsDtype dtype)
    {
        File.WriteAllText(_directory[ModelFiles.ConfigName], ModelFiles.ConfigText(Model));
        using var store = new ParameterStore(Device.Cpu, Model.DeclareParameters(), DType.F32, training: false);
        var map = new JsonObject();
        for (var f = 0; f < files; f++)
        {
            var name = files == 1 ? ModelFiles.WeightsName : Shard(f, files);
            var part = store.Parameters.Where((_, i) => i % files == f).ToList();
            foreach (var p in part)
                map[p.Name] = name;
            using var stream = File.Create(_directory[name]);
            SafetensorsWriter.Write(stream, [.. part.Select(p => Source(p.Name, p.Shape, dtype))], SafetensorsWriter.PyTorchMetadata);
        }

        if (files > 1)
            File.WriteAllText(_directory[ModelWeights.IndexName], new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    private static SafetensorsSource Source(string name, IReadOnlyList<long> shape, SafetensorsDtype dtype) =>
        new(name, dtype, shape, (offset, destination) =>
        {
            var size = dtype.Bits() / 8;
            for (var i = 0; i < destination.Length; i += size)
            {
                var value = Value(name, (offset + i) / size);
                if (dtype == SafetensorsDtype.F32)
                    BitConverter.TryWriteBytes(destination[i..], value);
                else if (dtype == SafetensorsDtype.F16)
                    BitConverter.TryWriteBytes(destination[i..], (Half)value);
                else
                    BitConverter.TryWriteBytes(destination[i..], (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
            }
        });
}
