using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

public sealed class LearningRateScheduleTests
{
    // Peak 10, 10 steps: the cases of Transformers' tests/optimization/test_optimization.py, with the exact values of its formulas.
    private static readonly object[] TransformersCases =
    [
        new object[] { LrSchedulerType.Constant, 4, null!, 1.0, 0.0, new[] { 0, 2.5, 5, 7.5, 10, 10, 10, 10, 10, 10 } },
        new object[] { LrSchedulerType.Linear, 2, null!, 1.0, 0.0, new[] { 0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25 } },
        new object[]
        {
            LrSchedulerType.Cosine, 2, null!, 1.0, 0.0, new[] { 0, 5, 10, 9.619398, 8.535534, 6.913417, 5, 3.086583, 1.464466, 0.380602 },
        },
        new object[]
        {
            LrSchedulerType.CosineWithRestarts, 2, 2.0, 1.0, 0.0,
            new[] { 0, 5, 10, 8.535534, 5, 1.464466, 10, 8.535534, 5, 1.464466 },
        },
        new object[]
        {
            LrSchedulerType.Polynomial, 2, null!, 2.0, 1e-7, new[] { 0, 5, 10, 7.65625, 5.625, 3.90625, 2.5, 1.40625, 0.625, 0.15625 },
        },
        new object[]
        {
            LrSchedulerType.InverseSqrt, 2, null!, 1.0, 0.0,
            new[] { 0, 5, 10, 8.164966, 7.071068, 6.324555, 5.773503, 5.345225, 5, 4.714045 },
        },
    ];

    [TestCaseSource(nameof(TransformersCases))]
    public void FollowsTransformers(LrSchedulerType type, int warmup, double? cycles, double power, double end, double[] expected)
    {
        var schedule = new LearningRateSchedule(
            new()
            {
                LearningRate = 10,
                LrSchedulerType = type,
                WarmupSteps = warmup,
                LrSchedulerNumCycles = cycles,
                LrSchedulerPower = power,
                MinLearningRate = end,
            },
            totalSteps: 10);

        double[] actual = [.. Enumerable.Range(0, 10).Select(step => schedule.At(step))];

        Assert.That(actual, Is.EqualTo(expected).Within(1e-6));
    }

    [Test]
    public void StableDecaysAlongACosineAtTheEnd()
    {
        var schedule = Make(new() { LrSchedulerType = LrSchedulerType.WarmupStableDecay, WarmupSteps = 2, DecaySteps = 4 }, 10);

        double[] actual = [.. Enumerable.Range(0, 11).Select(step => schedule.At(step))];

        Assert.That(actual, Is.EqualTo(new[] { 0, 5, 10, 10, 10, 10, 10, 8.535534, 5, 1.464466, 0 }).Within(1e-6));
    }

    [Test]
    public void StableDecaysOverATenthUnlessTold()
    {
        var schedule = Make(new() { LrSchedulerType = LrSchedulerType.WarmupStableDecay, WarmupRatio = 0 }, 100);

        Assert.That(schedule.At(90), Is.EqualTo(10));
        Assert.That(schedule.At(95), Is.EqualTo(5).Within(1e-12));
        Assert.That(schedule.At(100), Is.Zero);
    }

    // nanoGPT's get_lr after warm-up: min_lr + 0.5 (1 + cos(pi (it - warmup) / (lr_decay_iters - warmup))) (learning_rate - min_lr).
    [TestCase(100, 1e-3)]
    [TestCase(575, 0.000868198051534)]
    [TestCase(1050, 5.5e-4)]
    [TestCase(2000, 1e-4)]
    [TestCase(5000, 1e-4)]
    public void CosineToAMinimumIsThatOfNanoGpt(int step, double expected)
    {
        var schedule = new LearningRateSchedule(
            new() { LearningRate = 1e-3, MinLearningRate = 1e-4, LrSchedulerType = LrSchedulerType.Cosine, WarmupSteps = 100 }, 2000);

        Assert.That(schedule.At(step), Is.EqualTo(expected).Within(1e-12));
    }

    [TestCase(LrSchedulerType.Linear)]
    [TestCase(LrSchedulerType.Cosine)]
    [TestCase(LrSchedulerType.CosineWithRestarts)]
    [TestCase(LrSchedulerType.Polynomial)]
    [TestCase(LrSchedulerType.WarmupStableDecay)]
    public void DecayEndsAtTheMinimumAndStaysThere(LrSchedulerType type)
    {
        var schedule = Make(new() { LrSchedulerType = type, MinLearningRate = 0.5, WarmupSteps = 3 }, 20);

        Assert.That(schedule.At(3), Is.EqualTo(10));
        Assert.That(schedule.At(20), Is.EqualTo(0.5).Within(1e-12));
        Assert.That(schedule.At(1_000_000_000_000), Is.EqualTo(0.5).Within(1e-12));
    }

    [Test]
    public void WarmupRatioCountsOnlyWithoutWarmupSteps()
    {
        var byRatio = Make(new() { LrSchedulerType = LrSchedulerType.Constant, WarmupRatio = 0.25 }, 10);
        var bySteps = Make(new() { LrSchedulerType = LrSchedulerType.Constant, WarmupRatio = 0.25, WarmupSteps = 5 }, 10);

        Assert.That(byRatio.At(1), Is.EqualTo(10 / 3.0).Within(1e-12), "a quarter of 10 steps rounds up to 3");
        Assert.That(bySteps.At(1), Is.EqualTo(2));
    }

    [Test]
    public void InverseSqrtWithoutWarmupStartsAtThePeak()
    {
        var schedule = Make(new() { LrSchedulerType = LrSchedulerType.InverseSqrt, WarmupRatio = 0 }, 0);

        Assert.That(schedule.At(0), Is.EqualTo(10));
        Assert.That(schedule.At(30_000), Is.EqualTo(5).Within(1e-12));
    }

    [Test]
    public void AnEstimatedLengthMovesTheDecay()
    {
        var schedule = Make(new() { LrSchedulerType = LrSchedulerType.Linear, WarmupRatio = 0 }, 10);

        Assert.That(schedule.At(10, totalSteps: 40), Is.EqualTo(7.5).Within(1e-12));
    }

    [Test]
    public void ADecayWithoutAnEndIsAnError() =>
        Assert.That(() => Make(new() { LrSchedulerType = LrSchedulerType.Cosine }, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static LearningRateSchedule Make(TrainingOptions options, long totalSteps) =>
        new(options with { LearningRate = 10 }, totalSteps);
}
