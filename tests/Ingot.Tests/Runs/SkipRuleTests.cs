using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models.Gpt2;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Steps whose loss or gradient is not finite, or is an outlier, are left out; too many of them end the run.</summary>
public sealed class SkipRuleTests : RunTests
{
    private static readonly Gpt2Config Model = new() { VocabSize = 11, Positions = 8, Embedding = 16, LayerCount = 2, Heads = 2 };

    [TestCase(1.0, double.PositiveInfinity)]
    [TestCase(double.PositiveInfinity, 1e-3)]
    [TestCase(double.PositiveInfinity, double.PositiveInfinity)]
    public void ASkippedStepChangesNothing(double lossLimit, double normLimit)
    {
        using var parameters = new ParameterStore(Device.Cpu, Model.DeclareParameters(), DType.Bf16, training: true);
        parameters.Initialize(1);
        using var step = new TrainingStep(Model, parameters, new TrainingStepOptions { Batch = 2, Length = 8, ComputeType = DType.Bf16 });
        int[] tokens = [.. Enumerable.Range(0, 16).Select(i => i % 11)];
        int[] targets = [.. Enumerable.Range(0, 16).Select(i => (i + 1) % 11)];
        Assert.That(step.Run(tokens, targets, 0, 1e-3).Applied);
        if (double.IsInfinity(lossLimit) && double.IsInfinity(normLimit))
        {
            parameters.View(parameters.Master, "transformer.h.1.ln_1.weight")[3] = float.NaN;
            parameters.RefreshCompute();
        }

        var before = State();
        var result = step.Run(tokens, targets, 1, 1e-3, lossLimit, normLimit);

        Assert.That(result.Applied, Is.False);
        Assert.That(step.Updates, Is.EqualTo(1));
        Assert.That(State(), Is.EqualTo(before));

        byte[][] State()
        {
            DeviceBuffer[] buffers = [parameters.Master, parameters.Compute!, parameters.FirstMoments!, parameters.SecondMoments!];
            return [.. buffers.Select(buffer => buffer.Map<byte>(0, (int)buffer.Bytes).ToArray())];
        }
    }

    [Test]
    public void OutliersAreReportedAndTheLearningRateWaits()
    {
        var listener = new Listener();
        var result = Train(Tiny() with { MaxSteps = 300, SkipZScore = 2, MaxSkippedSteps = 100, LoggingSteps = 1 }, listener);

        var rows = Rows(RunPath);
        var skipped = rows.Where(row => row.Skipped == true).ToList();
        Assert.That(skipped, Has.Count.InRange(1, 100));
        Assert.That(rows.Take(128).Any(row => row.Skipped == true), Is.False, "first the usual has to be known");
        Assert.That(listener.Warnings, Has.Count.EqualTo(skipped.Count));
        foreach (var (row, warning) in skipped.Zip(listener.Warnings))
        {
            Assert.That(warning, Does.StartWith($"step {row.Step} was skipped: ").And.Contains(" is above ").And.Contains("skipZScore"));
            if (row.Step < rows.Count)
                Assert.That(rows[(int)row.Step].LearningRate, Is.EqualTo(row.LearningRate), "the step after it takes its place");
        }

        var state = TrainerState.Read(Path.Combine(result.ModelDirectory, TrainerState.FileName));
        Assert.That(state.Step, Is.EqualTo(300));
        Assert.That(state.Updates, Is.EqualTo(300 - skipped.Count));
    }

    [Test]
    public void ARunThatDivergesEndsWithTheWayOut()
    {
        var options = Tiny() with { MaxSteps = 200, LearningRate = 1e6, WarmupRatio = 0, SaveSteps = 1 };

        var ending = TrainingProcess.Run(["train", WriteRecipe(options)]);

        Assert.That(ending.ExitCode, Is.EqualTo(1), ending.ToString());
        ending.AssertError(
            1, "10 steps in a row were skipped", "Lower the learning rate", "1000000", "the latest checkpoint is " + RunPath);
        Assert.That(ending.Output, Does.Contain("stopped: "));
        var rows = Rows(RunPath);
        Assert.That(rows.TakeLast(10).Select(row => row.Skipped), Is.All.EqualTo(true));
        Assert.That(rows.SkipLast(10).Last().Skipped, Is.Null);
        Assert.That(ending.Output.Split('\n').Count(line => line.StartsWith("warning: step", StringComparison.Ordinal)),
            Is.GreaterThanOrEqualTo(10));
        Assert.That(File.ReadAllText(Path.Combine(RunPath, "report.html")), Does.Contain("diverged"));
    }

    [Test]
    public void FewerSkipsMayBeAllowed()
    {
        var options = Tiny() with { MaxSteps = 200, LearningRate = 1e6, WarmupRatio = 0, MaxSkippedSteps = 3 };
        var listener = new Listener();
        Assert.That(() => Train(options, listener), Throws.InstanceOf<TrainingException>().With.Message.Contains("3 steps in a row")
            .And.Message.Contains("there is no checkpoint yet"));
        Assert.That(listener.End!.Completed, Is.False);
        Assert.That(listener.End.Reason, Does.Contain("diverged"));
    }
}
