using System.Globalization;
using System.Runtime.InteropServices;
using Ingot.Checkpoints;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>Saving, finding, keeping and losing checkpoints.</summary>
[TestFixture]
public sealed class CheckpointStoreTests
{
    private static readonly string[] FileNames = ["config.json", "model.safetensors", "tokenizer.json", "manifest.json"];

    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void WhatIsSavedIsFound()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Assert.That(store.FindLatestValid(Assert.Fail), Is.Null);
        Save(store, 5);
        var saved = Save(store, 1000, evalLoss: 2.5);
        Assert.That(Path.GetFileName(saved.Path), Is.EqualTo("step-00001000"));
        Assert.That(Directory.GetFiles(saved.Path).Select(Path.GetFileName), Is.EquivalentTo(FileNames));

        var found = CheckpointStore.OpenReadOnly(_directory.FullPath).FindLatestValid(Assert.Fail)!;
        Assert.That(found with { Duration = saved.Duration }, Is.EqualTo(saved));
        Assert.That(File.ReadAllText(Path.Combine(found.Path, "config.json")), Is.EqualTo("{\"step\":1000}"));
        using var model = SafetensorsFile.Open(Path.Combine(found.Path, "model.safetensors"));
        Assert.That(MemoryMarshal.Cast<byte, float>(model["w"].Span).ToArray(), Is.All.EqualTo(1000f));
        Assert.That(model.Metadata["format"], Is.EqualTo("pt"));
    }

    /// <summary>The hash is the one that the command xxhsum -H2 prints.</summary>
    [Test]
    public void TheManifestCanBeCheckedWithoutIngot()
    {
        var saved = CheckpointStore.Open(_directory.FullPath).Save(1, [CheckpointFile.Text("a", "hello")]);
        Assert.That(File.ReadAllText(Path.Combine(saved.Path, "manifest.json")), Does.Contain("b5e9c1ad071b3e7fc779cfaa5e523818"));
    }

    [Test]
    public void ACorruptOrTruncatedFileIsNamedAndTheCheckpointBeforeIsUsed(
        [ValueSource(nameof(FileNames))] string file,
        [Values] Damage damage)
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Save(store, 1);
        var newest = Save(store, 2);
        damage.Apply(Path.Combine(newest.Path, file));

        var warnings = new List<string>();
        Assert.That(store.FindLatestValid(warnings.Add)?.Step, Is.EqualTo(1));
        Assert.That(warnings, Has.Count.EqualTo(1));
        Assert.That(warnings[0], Does.Contain("step-00000002").And.Contain(file));
        Assert.That(Directory.Exists(newest.Path), Is.True, "the damaged one is left for the user to see");
    }

    [Test]
    public void ACorruptCheckpointIsReplacedWhenItsStepIsDoneAgain()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Damage.Truncated.Apply(Path.Combine(Save(store, 1).Path, "model.safetensors"));
        Save(store, 1);
        Assert.That(store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(1));
        Assert.That(Directory.GetDirectories(_directory.FullPath), Has.Length.EqualTo(1));
    }

    [Test]
    public void KeepsTheNewestAndTheBest()
    {
        var store = CheckpointStore.Open(_directory.FullPath, keepLast: 2);
        double[] losses = [4, 3, 1, 2, 2.5, double.NaN];
        for (var i = 0; i < losses.Length; i++)
            Save(store, i + 1, losses[i]);
        Assert.That(store.Steps(), Is.EqualTo((long[])[3, 5, 6]));
        Assert.That(store.BestStep(), Is.EqualTo(3));
        Assert.That(File.ReadAllText(Path.Combine(_directory[CheckpointStore.BestLink], "config.json")), Is.EqualTo("{\"step\":3}"));

        Save(store, 7, evalLoss: 0.5);
        Assert.That(store.Steps(), Is.EqualTo((long[])[6, 7]));
        Assert.That(File.ReadAllText(Path.Combine(_directory[CheckpointStore.BestLink], "config.json")), Is.EqualTo("{\"step\":7}"));
    }

    [Test]
    public void KeepsAllWithoutALimit()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        for (var step = 1; step <= 4; step++)
            Save(store, step);
        Assert.That(store.Steps(), Is.EqualTo((long[])[1, 2, 3, 4]));
        Assert.That(store.BestStep(), Is.Null);
        Assert.That(Path.Exists(_directory[CheckpointStore.BestLink]), Is.False);
    }

    [Test]
    public void LaterStepsOfAHistoryThatTheRunHasLeftAreDeleted()
    {
        var store = CheckpointStore.Open(_directory.FullPath, keepLast: 2);
        for (var step = 10; step <= 40; step += 10)
            Save(store, step, evalLoss: 100 - step);
        Save(store, 35);
        Assert.That(store.Steps(), Is.EqualTo((long[])[30, 35]));
        Assert.That(store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(35));
    }

    [Test]
    public void WhatKilledProcessesLeftIsClearedUp()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Directory.Move(Save(store, 3).Path, _directory[".old-step-00000003"]);
        Directory.CreateDirectory(_directory[".tmp-step-00000003"]);
        File.WriteAllText(Path.Combine(_directory[".tmp-step-00000003"], "model.safetensors"), "half");
        Directory.CreateDirectory(_directory[".del-step-00000001"]);
        Directory.CreateDirectory(_directory[".mine"]);

        var reader = CheckpointStore.OpenReadOnly(_directory.FullPath);
        Assert.That(reader.FindLatestValid(Assert.Fail), Is.Null, "a reader changes nothing");

        store = CheckpointStore.Open(_directory.FullPath);
        Assert.That(
            Directory.GetDirectories(_directory.FullPath).Select(Path.GetFileName),
            Is.EquivalentTo((string[])["step-00000003", ".mine"]));
        Assert.That(store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(3));
    }

    [Test]
    public void AFailureOfAWriterLeavesNothingBehind()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Save(store, 1);
        var error = Assert.Throws<CheckpointException>(() => store.Save(
            2,
            [new CheckpointFile("a", 1, _ => throw new IOException("The disk is on fire"))]))!;
        Assert.That(
            error.Message,
            Does.Contain("step-00000002").And.Contain("The disk is on fire").And.Contain("newest is 'step-00000001'"));
        Assert.That(
            () => store.Save(2, [new CheckpointFile("a", 2, stream => stream.WriteByte(1))]),
            Throws.InvalidOperationException.With.Message.Contains("announced 2 bytes and wrote 1"));
        Assert.That(Directory.GetDirectories(_directory.FullPath), Has.Length.EqualTo(1));
        Assert.That(store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(1));
    }

    [Test]
    public void AFullDiskIsFoundBeforeAnythingIsWritten()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Save(store, 1);
        var huge = new CheckpointFile("model.safetensors", 1L << 60, _ => Assert.Fail("nothing may be written"));
        var error = Assert.Throws<CheckpointException>(() => store.Save(2, [huge]))!;
        Assert.That(error.Message, Does.Match("1,152,921,504,60[0-9] MB are needed, [0-9.,]+ MB are free").And.Contain("Free some space"));
        Assert.That(store.FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(1));
    }

    [Test]
    public void RefusesFilesThatLieOutsideOrClash()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        foreach (var name in (string[])["a/b", "..", "manifest.json", "/etc/passwd"])
            Assert.That(() => CheckpointFile.Text(name, ""), Throws.ArgumentException.With.Message.Contains(name));
        Assert.That(
            () => store.Save(1, [CheckpointFile.Text("a", ""), CheckpointFile.Text("a", "")]),
            Throws.ArgumentException.With.Message.Contains("'a'"));
        Assert.That(() => CheckpointStore.OpenReadOnly(_directory.FullPath).Save(1, []), Throws.InvalidOperationException);
    }

    /// <summary>The file size limit of a process fails a write as a full disk does: in the middle of a file.</summary>
    [Test]
    public void ADiskThatFillsUpWhileSavingLeavesOlderCheckpointsIntact()
    {
        using (var small = new SaverProcess("", "save", _directory.FullPath, "2", "1000"))
            Assert.That(small.WaitForExit(), Is.Zero);
        using (var large = new SaverProcess("trap '' XFSZ; ulimit -f 2000", "save", _directory.FullPath, "1", "1000000"))
        {
            Assert.That(large.WaitForExit(), Is.EqualTo(1), string.Join("\n", large.Lines));
            Assert.That(
                large.Lines[^1],
                Does.Match("^CheckpointException: .*step-00000003.* MB are needed, .* MB are free.*newest is 'step-00000002'"));
        }

        Assert.That(Directory.GetDirectories(_directory.FullPath, ".tmp*"), Is.Empty);
        Assert.That(CheckpointStore.OpenReadOnly(_directory.FullPath).FindLatestValid(Assert.Fail)?.Step, Is.EqualTo(2));
    }

    [Test]
    public void TwentyKillsWhileSavingNeverLoseACheckpoint()
    {
        const int Elements = 500_000;
        var random = new Random(20);
        var interrupted = 0;
        for (var kill = 0; kill < 20; kill++)
        {
            using var saver = new SaverProcess("", "save", _directory.FullPath, "1000000", Elements.ToString(CultureInfo.InvariantCulture));
            Assert.That(saver.ReadLine(), Is.EqualTo("ready"));
            for (var saved = random.Next(3); saved > 0; saved--)
                saver.ReadLine();
            Thread.Sleep(random.Next(100));
            saver.Kill();

            interrupted += Directory.GetDirectories(_directory.FullPath, ".*").Length > 0 ? 1 : 0;
            var found = CheckpointStore.OpenReadOnly(_directory.FullPath).FindLatestValid(Assert.Fail);
            Assert.That(found?.Step ?? 0, Is.GreaterThanOrEqualTo(saver.LastSaved), "a checkpoint that was reported safe is there");
            if (found is not null)
                CheckContent(found, Elements);
        }

        Assert.That(interrupted, Is.GreaterThan(0), "kills have hit saves");
        var store = CheckpointStore.Open(_directory.FullPath, keepLast: 2);
        Assert.That(Directory.GetDirectories(_directory.FullPath, ".*"), Is.Empty);
        Assert.That(store.FindLatestValid(Assert.Fail), Is.Not.Null);
    }

    private static void CheckContent(Checkpoint checkpoint, int elements)
    {
        foreach (var (file, tensor) in (ReadOnlySpan<(string, string)>)[("model.safetensors", "w"), ("optimizer.safetensors", "m")])
        {
            using var opened = SafetensorsFile.Open(Path.Combine(checkpoint.Path, file));
            var values = MemoryMarshal.Cast<byte, float>(opened[tensor].Span);
            Assert.That(values.Length, Is.EqualTo(elements));
            Assert.That(
                values.ContainsAnyExcept((float)checkpoint.Step),
                Is.False,
                $"{file} of step {checkpoint.Step} is all of that step");
        }

        Assert.That(
            File.ReadAllText(Path.Combine(checkpoint.Path, "trainer_state.json")),
            Is.EqualTo($$"""{"step":{{checkpoint.Step}}}"""));
    }

    [Test]
    public void TheBestIsThatOfTheNewestMetric()
    {
        var store = CheckpointStore.Open(_directory.FullPath);
        Save(store, 1, evalLoss: 0.5);
        Save(store, 2, evalLoss: 1, new CheckpointScore("bleu", 10, GreaterIsBetter: true));
        Save(store, 3, evalLoss: 3, new CheckpointScore("bleu", 20, GreaterIsBetter: true));
        Save(store, 4, evalLoss: 2, new CheckpointScore("bleu", 20, GreaterIsBetter: true));
        Save(store, 5);
        Assert.That(store.BestStep(), Is.EqualTo(3), "more is better, the first of equals");
        Assert.That(CheckpointStore.OpenReadOnly(_directory.FullPath).BestStep(), Is.EqualTo(3));

        Save(store, 6, evalLoss: 4, new CheckpointScore("ter", 90, GreaterIsBetter: false));
        Save(store, 7, evalLoss: 4, new CheckpointScore("ter", 80, GreaterIsBetter: false));
        Save(store, 8, evalLoss: 4, new CheckpointScore("ter", 85, GreaterIsBetter: false));
        Assert.That(store.BestStep(), Is.EqualTo(7));
        Save(store, 9, evalLoss: 5);
        Assert.That(store.BestStep(), Is.EqualTo(9), "by the loss from here on");
    }

    private static Checkpoint Save(CheckpointStore store, long step, double? evalLoss = null, CheckpointScore? score = null) => store.Save(
        step,
        [
            CheckpointFile.Text("config.json", $$"""{"step":{{step}}}"""),
            CheckpointFile.Safetensors(
                "model.safetensors",
                [new("w", SafetensorsDtype.F32, [100], (_, to) => MemoryMarshal.Cast<byte, float>(to).Fill(step))]),
            CheckpointFile.Text("tokenizer.json", "{}"),
        ],
        evalLoss,
        score);
}

/// <summary>What can happen to a file on a disk.</summary>
public enum Damage
{
    /// <summary>The file is gone.</summary>
    Missing,

    /// <summary>Its last byte is gone.</summary>
    Truncated,

    /// <summary>It is there, but empty: metadata reached the disk, data did not.</summary>
    Empty,

    /// <summary>One bit is wrong.</summary>
    Flipped,

    /// <summary>A byte too many.</summary>
    Longer,
}

internal static class Damages
{
    public static void Apply(this Damage damage, string path)
    {
        var bytes = File.ReadAllBytes(path);
        switch (damage)
        {
            case Damage.Missing:
                File.Delete(path);
                break;
            case Damage.Truncated:
                File.WriteAllBytes(path, bytes[..^1]);
                break;
            case Damage.Empty:
                File.WriteAllBytes(path, []);
                break;
            case Damage.Flipped:
                bytes[bytes.Length / 2] ^= 4;
                File.WriteAllBytes(path, bytes);
                break;
            default:
                File.WriteAllBytes(path, [.. bytes, 0]);
                break;
        }
    }
}
