using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>When a run ends: steps, epochs, time, target loss.</summary>
public sealed class StopRuleTests : RunTests
{
    // 640 characters after the first are 40 windows of 16, or 10 steps of 4 windows.
    [TestCase(641, 1.0, null, 10)]
    [TestCase(641, 0.5, null, 5)]
    [TestCase(641, 0.51, null, 6)]
    [TestCase(641, 0.001, null, 1)]
    [TestCase(641, 0.1, null, 1)]
    [TestCase(641, 0.3, null, 3)]
    [TestCase(641, 2.5, null, 25)]
    [TestCase(656, 1.0, null, 10)] // The rest is no window.
    [TestCase(657, 1.0, null, 11)] // One window more is one step more.
    [TestCase(641, null, null, 10)] // Without any limit, one epoch.
    [TestCase(641, null, 7L, 7)]
    [TestCase(641, 1.0, 7L, 7)]
    [TestCase(641, 1.0, 70L, 10)]
    public void EpochsAreWholePassesOverTheWindows(int characters, double? epochs, long? steps, int expected)
    {
        Write("text.txt", Text(characters));
        var listener = new Listener();

        var result = Train(Tiny() with { ValidationFraction = 0, NumTrainEpochs = epochs, MaxSteps = steps }, listener);

        Assert.That(result.Reason, Is.EqualTo(StopReason.Completed));
        Assert.That(result.Steps, Is.EqualTo(expected));
        var rows = Rows(RunPath);
        Assert.That(rows, Has.Count.EqualTo(expected));
        Assert.That(rows[^1].Tokens, Is.EqualTo(expected * 64));
        Assert.That(rows[^1].Epoch, Is.EqualTo(expected * 64 / (16.0 * ((characters - 1) / 16))).Within(1e-12));
        Assert.That(listener.End!.Completed);
        Assert.That(listener.End.Reason, Does.Contain("steps done"));
        Assert.That(listener.Evaluations, Is.Empty, "there is no text to validate on");
    }

    [Test]
    public void ALimitOfTimeEndsTheRunForGood()
    {
        var result = Train(Tiny() with { MaxSteps = null, MaxTime = 0.5 });
        Assert.That(result.Reason, Is.EqualTo(StopReason.TimeLimit));
        Assert.That(result.Steps, Is.GreaterThan(1));
        var rows = Rows(RunPath);
        Assert.That(rows[^1].EvalLoss, Is.Not.Null, "the end is evaluated");
        var state = TrainerState.Read(Path.Combine(LatestCheckpoint(RunPath), TrainerState.FileName));
        Assert.That(state.ElapsedSeconds, Is.GreaterThanOrEqualTo(0.5));

        Assert.That(Resume(RunPath).Steps, Is.EqualTo(result.Steps), "the time of all resumes counts");

        var more = Resume(RunPath, options: Tiny() with { MaxSteps = null, MaxTime = state.ElapsedSeconds + 0.3 });
        Assert.That(more.Steps, Is.GreaterThan(result.Steps));
        Assert.That(Rows(RunPath).Select(row => row.Step), Is.EqualTo(Enumerable.Range(1, (int)more.Steps)));
    }

    [Test]
    public void ATargetLossEndsTheRunForGood()
    {
        var options = Tiny() with { MaxSteps = 400, TargetLoss = 2.5, EvalSteps = 10 };
        var result = Train(options);
        Assert.That(result.Reason, Is.EqualTo(StopReason.TargetLoss));
        Assert.That(result.EvalLoss, Is.LessThanOrEqualTo(2.5));
        Assert.That(result.Steps, Is.LessThan(400).And.EqualTo(result.Steps / 10 * 10));
        var losses = Rows(RunPath).Where(row => row.EvalLoss is not null).Select(row => row.EvalLoss).ToList();
        Assert.That(losses.SkipLast(1), Is.All.GreaterThan(2.5));
        Assert.That(result.ModelDirectory, Does.EndWith($"step-{result.Steps:00000000}"));

        Assert.That(Resume(RunPath).Steps, Is.EqualTo(result.Steps));
    }

    [Test]
    public void ATargetThatIsNeverLookedAtIsAnError() => Assert.That(
        () => Train(Tiny() with { TargetLoss = 2.5, EvalSteps = 0 }),
        Throws.InstanceOf<TrainingOptionsException>().With.Message.Contains("evalSteps"));
}
