using Ingot.Data;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>kill -9 at any moment, then --resume: in the end every bit is that of a run that was never killed.</summary>
public sealed class KillTests : RunTests
{
    [Test]
    public void TwentyKillsChangeNoBit() => KillAndResume(kills: 20, Tiny() with
    {
        Dropout = 0.1,
        GradientAccumulationSteps = 2,
        EvalSteps = 40,
        SaveSteps = 4,
        SkipZScore = 2,
        MaxSkippedSteps = 50,
        SamplePrompts = ["the "],
        SampleSteps = 50,
        SampleMaxNewTokens = 20,
    });

    [Test]
    public void NorDoKillsOfALlamaInBf16AtRandomOffsets() => KillAndResume(kills: 5, TinyLlama() with
    {
        Dropout = 0.1,
        Sampling = DataSampling.Random,
        Precision = Precision.Bf16,
        GradientCheckpointing = GradientCheckpointing.Block,
        Threads = 2,
        EvalSteps = 25,
        SaveSteps = 5,
    });

    private void KillAndResume(int kills, TrainingOptions options)
    {
        // Without an end, so that no kill comes too late, and with learning rates that do not depend on it.
        options = options with { LrSchedulerType = LrSchedulerType.InverseSqrt, WarmupSteps = 20, MaxSteps = 1_000_000_000 };
        var recipe = WriteRecipe(options);
        var checkpoints = Path.Combine(RunPath, "checkpoints");
        var random = new Random(7);
        var duringSaves = 0;
        for (var kill = 0; kill < kills; kill++)
        {
            using var process = Start();
            if (kill % 5 == 4)
            {
                // Anywhere in the beginning: before anything, or in the middle of reading a checkpoint.
                Thread.Sleep(random.Next(1500));
            }
            else
            {
                Assert.That(process.WaitForSteps(random.Next(1, 12)), process.ToString());
                if (kill % 2 == 1)
                    SpinWait.SpinUntil(IsSaving, TimeSpan.FromSeconds(20));
                else
                    Thread.Sleep(random.Next(10));
            }

            Assert.That(process.Kill(), process.ToString());
            duringSaves += IsSaving() ? 1 : 0;
        }

        Assert.That(duringSaves, Is.GreaterThan(0), "saves were cut off, too");
        var end = Math.Max(150, Rows(RunPath)[^1].Step + 5);
        var ending = TrainingProcess.Run(["train", "--resume", RunPath, "--maxSteps", $"{end}"]);
        Assert.That(ending.ExitCode, Is.Zero, ending.ToString());

        var expected = In("unbroken");
        ending = TrainingProcess.Run(["train", recipe, "--maxSteps", $"{end}", "--outputDir", expected]);
        Assert.That(ending.ExitCode, Is.Zero, ending.ToString());
        AssertSameRun(RunPath, expected);
        if (options.SkipZScore > 0)
            Assert.That(Rows(expected).Any(row => row.Skipped == true), "steps are skipped, so that the memory of usual losses matters");

        // A run that was killed before it began is begun, every other is resumed.
        TrainingProcess Start() =>
            new(File.Exists(Path.Combine(RunPath, "config.json")) ? ["train", "--resume", RunPath] : ["train", recipe]);

        bool IsSaving() => Directory.Exists(checkpoints) && Directory.EnumerateDirectories(checkpoints, ".tmp-*").Any();
    }

    [Test]
    public void ACorruptCheckpointIsNamedAndTheOneBeforeIsUsed()
    {
        var options = Tiny() with { MaxSteps = 20, SaveSteps = 5, SaveTotalLimit = 0 };
        Train(options with { OutputDir = In("unbroken") });
        Train(options);
        var newest = LatestCheckpoint(RunPath);
        using (var weights = File.OpenWrite(Path.Combine(newest, "model.safetensors")))
            weights.SetLength(weights.Length / 2);
        var second = Path.Combine(RunPath, "checkpoints", "step-00000015", "optimizer.safetensors");
        var bytes = File.ReadAllBytes(second);
        bytes[^100] ^= 1;
        File.WriteAllBytes(second, bytes);

        var listener = new Listener();
        Resume(RunPath, listener);

        Assert.That(listener.Warnings, Has.Count.EqualTo(2));
        Assert.That(listener.Warnings[0], Does.Contain(newest).And.Contains("model.safetensors"));
        Assert.That(listener.Warnings[1], Does.Contain("step-00000015").And.Contains("optimizer.safetensors"));
        Assert.That(listener.Steps[0].Step, Is.EqualTo(11));
        AssertSameRun(RunPath, In("unbroken"));
    }

    [Test]
    public void WithoutAnyCheckpointTheRunStartsAgain()
    {
        var options = Tiny() with { SaveSteps = 5 };
        Train(options with { OutputDir = In("unbroken") });
        Train(options);
        Directory.Delete(Path.Combine(RunPath, "checkpoints"), recursive: true);

        var listener = new Listener();
        Resume(RunPath, listener);

        Assert.That(listener.Warnings, Has.Count.EqualTo(1));
        Assert.That(listener.Warnings[0], Does.Contain("no complete checkpoint").And.Contains("beginning"));
        Assert.That(Directory.GetFiles(RunPath, "events.*"), Has.Length.EqualTo(1), "the curves start again, too");
        AssertSameRun(RunPath, In("unbroken"));
    }

    [Test]
    public void ResumingARunThatIsDoneChangesNothing()
    {
        Train(Tiny() with { OutputDir = In("once") });
        Train(Tiny());

        var result = Resume(RunPath);

        Assert.That(result.Reason, Is.EqualTo(StopReason.Completed));
        Assert.That(result.ModelDirectory, Is.EqualTo(LatestCheckpoint(RunPath)));
        AssertSameRun(RunPath, In("once"));
    }

    [Test]
    public void NewOptionsOfAResumedRunStay()
    {
        var options = Tiny() with { LrSchedulerType = LrSchedulerType.Constant };
        Train(options with { MaxSteps = 30, OutputDir = In("long") });
        Train(options with { MaxSteps = 10 });

        Resume(RunPath, options: Recipe.Load(Path.Combine(RunPath, "config.json"), [new("maxSteps", "30")]));

        Assert.That(Recipe.Load(Path.Combine(RunPath, "config.json")).MaxSteps, Is.EqualTo(30));
        Assert.That(Rows(RunPath).Select(row => row.Step), Is.EqualTo(Enumerable.Range(1, 30)));
        Assert.That(File.ReadAllBytes(Path.Combine(LatestCheckpoint(RunPath), "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(LatestCheckpoint(In("long")), "model.safetensors"))));
    }
}
