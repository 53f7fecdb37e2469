using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Ctrl-C and SIGTERM: the step is finished and saved, and what is resumed goes on exactly.</summary>
public sealed class InterruptionTests : RunTests
{
    [Test]
    public void SignalsSaveAndResumingGoesOnExactly()
    {
        // Without an end, so that no signal comes too late, and with learning rates that do not depend on it.
        var options = Tiny() with
        {
            MaxSteps = 1_000_000_000,
            LrSchedulerType = LrSchedulerType.InverseSqrt,
            WarmupSteps = 5,
            Dropout = 0.1,
            EvalSteps = 7,
            SaveTotalLimit = 1,
        };
        var recipe = WriteRecipe(options);
        var last = 0L;
        foreach (var (signal, exitCode) in new[] { (TrainingProcess.Interrupt, 130), (TrainingProcess.Terminate, 143) })
        {
            using var process = new TrainingProcess(last == 0 ? ["train", recipe] : ["train", "--resume", RunPath]);
            Assert.That(process.WaitForSteps(5), process.ToString());
            process.Signal(signal);
            var ending = process.Wait();

            Assert.That(ending.ExitCode, Is.EqualTo(exitCode), ending.ToString());
            Assert.That(ending.Output, Does.Contain("stopped: interrupted"));
            var rows = Rows(RunPath);
            Assert.That(rows.Select(row => row.Step), Is.EqualTo(Enumerable.Range(1, rows.Count)));
            Assert.That(rows, Has.Count.GreaterThan(last));
            last = rows.Count;
            Assert.That(Path.GetFileName(LatestCheckpoint(RunPath)), Is.EqualTo($"step-{last:00000000}"), "the last step is saved");
            Assert.That(Directory.GetFileSystemEntries(Path.Combine(RunPath, "checkpoints"), ".*"), Is.Empty);
        }

        Resume(RunPath, options: options with { MaxSteps = last + 5 });
        Train(options with { MaxSteps = last + 5, OutputDir = In("unbroken") });
        AssertSameRun(RunPath, In("unbroken"));
    }

    [Test]
    public void BeforeTheFirstStepThereIsNothingToSave()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.That(() => Train(Tiny(), ct: source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(RunPath), Is.False);
        Assert.That(Train(Tiny()).Reason, Is.EqualTo(StopReason.Completed));
    }

    [TestCase(10, StopReason.Interrupted)]
    [TestCase(20, StopReason.Completed)]
    public void ARunThatIsAskedToStopInItsLastStepIsComplete(int step, StopReason expected)
    {
        using var source = new CancellationTokenSource();
        var listener = new Listener
        {
            EachStep = report =>
            {
                if (report.Step == step)
                    source.Cancel();
            },
        };

        var result = Train(Tiny(), listener, source.Token);

        Assert.That(result.Reason, Is.EqualTo(expected));
        // Asked after the report of step 10: one more step is done.
        Assert.That(result.Steps, Is.EqualTo(Math.Min(20, step + 1)));
        Assert.That(listener.End!.Completed, Is.EqualTo(expected == StopReason.Completed));
        Assert.That(result.ModelDirectory, Is.EqualTo(LatestCheckpoint(RunPath)));
    }
}
