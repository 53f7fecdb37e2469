using System.Diagnostics;
using System.Runtime.InteropServices;
using Ingot.Checkpoints;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>Saving beside training: what is saved is the state at the snapshot, errors surface, memory stays flat.</summary>
[TestFixture]
public sealed unsafe class CheckpointWriterTests
{
    private TemporaryDirectory _directory = null!;
    private CheckpointStore _store = null!;

    [SetUp]
    public void MakeDirectory()
    {
        _directory = new TemporaryDirectory();
        _store = CheckpointStore.Open(_directory.FullPath, keepLast: 1);
    }

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void TheStateOfTheSnapshotIsSavedWhileTrainingGoesOn()
    {
        using var writer = new CheckpointWriter(_store);
        using var gate = new ManualResetEventSlim();
        var weights = new float[1000];
        fixed (float* address = weights)
        {
            weights.AsSpan().Fill(1);
            var snapshot = writer.BeginSnapshot(10);
            snapshot.Add(new CheckpointFile("slow", 1, stream =>
            {
                gate.Wait();
                stream.WriteByte(1);
            }));
            snapshot.AddSafetensors("model.safetensors", [new("w", SafetensorsDtype.F32, [1000], (nint)address)]);
            writer.BeginSave(snapshot, evalLoss: 1.5);
            weights.AsSpan().Fill(2);
        }

        Assert.That(writer.IsSaving, Is.True);
        Assert.That(writer.TryTakeCompleted(out _), Is.False);
        Assert.That(() => writer.BeginSnapshot(11), Throws.InvalidOperationException);
        gate.Set();
        var saved = writer.Wait()!;
        Assert.That(saved.Step, Is.EqualTo(10));
        Assert.That(saved.EvalLoss, Is.EqualTo(1.5));
        using var file = SafetensorsFile.Open(Path.Combine(saved.Path, "model.safetensors"));
        Assert.That(MemoryMarshal.Cast<byte, float>(file["w"].Span).ToArray(), Is.All.EqualTo(1f));
        Assert.That(writer.Wait(), Is.Null);
    }

    [Test]
    public void AnErrorSurfacesWhenTheResultIsTakenAndTheNextSaveWorks()
    {
        using var writer = new CheckpointWriter(_store);
        Save(writer, 1);
        var snapshot = writer.BeginSnapshot(2);
        snapshot.Add(new CheckpointFile("a", 1, _ => throw new IOException("No space left on device")));
        writer.BeginSave(snapshot);
        while (writer.IsSaving)
            Thread.Yield();
        Assert.That(
            () => writer.TryTakeCompleted(out _),
            Throws.InstanceOf<CheckpointException>().With.Message.Contains("No space left on device"));
        Assert.That(_store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(1));
        Save(writer, 3);
        Assert.That(_store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(3));
    }

    [Test]
    public void DisposeWaitsAndForgetsErrors()
    {
        var writer = new CheckpointWriter(_store);
        var snapshot = writer.BeginSnapshot(2);
        snapshot.Add(new CheckpointFile("a", 1, _ => throw new IOException("No space left on device")));
        writer.BeginSave(snapshot);
        Assert.That(writer.Dispose, Throws.Nothing);
    }

    [Test]
    public void TheCopysMemoryIsUsedAgain()
    {
        // 32 MB a save: were it allocated anew each time, 20 saves would show.
        const int Elements = 4 << 20;
        using var writer = new CheckpointWriter(_store);
        var weights = new float[Elements];
        fixed (float* address = weights)
        {
            var process = Process.GetCurrentProcess();
            long after3 = 0;
            for (var step = 1; step <= 20; step++)
            {
                var snapshot = writer.BeginSnapshot(step);
                snapshot.AddSafetensors("model.safetensors", [new("w", SafetensorsDtype.F32, [Elements], (nint)address)]);
                snapshot.AddSafetensors("optimizer.safetensors", [new("m", SafetensorsDtype.F32, [Elements], (nint)address)]);
                writer.BeginSave(snapshot);
                writer.Wait();
                process.Refresh();
                if (step == 3)
                    after3 = process.PrivateMemorySize64;
            }

            Assert.That(process.PrivateMemorySize64 - after3, Is.LessThan(48L << 20));
        }
    }

    [Test]
    public void ASaveLeavesLittleForTheCollector()
    {
        const int Saves = 20;
        using var writer = new CheckpointWriter(_store);
        var weights = new float[16];
        fixed (float* address = weights)
        {
            SaveAsTrainingDoes(1, (nint)address);
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var step = 2; step < 2 + Saves; step++)
                SaveAsTrainingDoes(step, (nint)address);
            var each = (GC.GetTotalAllocatedBytes(precise: true) - before) / Saves;
            Assert.That(each, Is.LessThan(160_000), "bytes a save");
        }

        // Files and tensors as many as a small model has.
        void SaveAsTrainingDoes(long step, nint address)
        {
            var snapshot = writer.BeginSnapshot(step);
            foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
                snapshot.AddSafetensors(file, [.. Enumerable.Range(0, 28).Select(i => new SafetensorsSource($"{file}.{i}", SafetensorsDtype.F32, [4, 4], address))]);
            for (var i = 0; i < 5; i++)
                snapshot.AddText($"{i}.json", "{}");
            writer.BeginSave(snapshot);
            writer.Wait();
        }
    }

    private static void Save(CheckpointWriter writer, long step)
    {
        var snapshot = writer.BeginSnapshot(step);
        snapshot.AddText("config.json", "{}");
        writer.BeginSave(snapshot);
        writer.Wait();
    }
}
