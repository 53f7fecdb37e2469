using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models.Gpt2;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>
/// Whole runs on a GPU, real or emulated, beside the same runs on the CPU. Skipped where there is none; INGOT_CUDA_MODULE names the
/// emulated one.
/// </summary>
[Category("Gpu")]
public sealed class GpuRunTests : RunTests
{
    private const string Gpu = "cuda", Cpu = "cpu";

    [OneTimeSetUp]
    public void RequireGpu()
    {
        if (!NativeRuntime.CudaInfo.Available)
            Assert.Ignore(NativeRuntime.CudaInfo.Problem);
    }

    [TestCase(Precision.Fp32, 2e-3)]
    [TestCase(Precision.Bf16, 3e-2)]
    public void AGpt2LearnsAsOnTheCpu(Precision precision, double tolerance) =>
        AssertLearnsAsOnTheCpu(Short() with { Precision = precision }, tolerance);

    [TestCase(Precision.Fp32, 2e-3)]
    [TestCase(Precision.Bf16, 3e-2)]
    public void ALlamaLearnsAsOnTheCpu(Precision precision, double tolerance) =>
        AssertLearnsAsOnTheCpu(Short(TinyLlama()) with { Precision = precision }, tolerance);

    [Test]
    public void AccumulatedBatchesLearnAsOnTheCpu() =>
        AssertLearnsAsOnTheCpu(Short() with { PerDeviceTrainBatchSize = 1, GradientAccumulationSteps = 3 }, 2e-3);

    [Test]
    public void ACheckpointOfTheGpuGoesOnOnTheCpuAndBack()
    {
        var options = Short() with { MaxSteps = 6, SaveSteps = 2 };
        var expected = Losses(Train(options with { Device = Cpu, OutputDir = In("cpu") }));
        Train(options with { Device = Gpu, MaxSteps = 2 });
        Resume(RunPath, options: options with { Device = Cpu, MaxSteps = 4 });
        Resume(RunPath, options: options with { Device = Gpu });

        Assert.That(Rows(RunPath).Select(row => row.Loss), Is.EqualTo(expected).Within(2e-3));
    }

    /// <summary>The next step has begun when a checkpoint is written; it must not show in it.</summary>
    [Test]
    public void WhatIsResumedIsBitForBitWhatWasNeverStopped()
    {
        var options = Short() with
        {
            Device = Gpu,
            MaxSteps = 5,
            SaveSteps = 2,
            EvalSteps = 2,
            Dropout = 0.1,
            SkipZScore = 6,
            SamplePrompts = ["the "],
            SampleSteps = 2,
            SampleMaxNewTokens = 4,
            LrSchedulerType = LrSchedulerType.Constant,
        };
        Train(options with { OutputDir = In("unbroken") });
        using var source = new CancellationTokenSource();
        Train(options, new Listener { EachStep = step => CancelAt(3, step.Step) }, source.Token);
        Resume(RunPath, options: options);

        using (var model = TextGenerator.Load(LatestCheckpoint(RunPath), device: DeviceChoice.Find(Gpu)))
            Assert.That(string.Concat(model.Stream("the ", new GenerationOptions { MaxNewTokens = 3 })), Is.Not.Empty);
        Assert.That(Rows(RunPath), Is.EqualTo(Rows(In("unbroken"))));
        foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            Assert.That(File.ReadAllBytes(Path.Combine(LatestCheckpoint(RunPath), file)),
                Is.EqualTo(File.ReadAllBytes(Path.Combine(LatestCheckpoint(In("unbroken")), file))), file);
        }

        void CancelAt(long wanted, long step)
        {
            if (step == wanted)
                source.Cancel();
        }
    }

    [Test]
    public void AStepAllocatesNothing()
    {
        var model = new Gpt2Config { VocabSize = 11, Positions = 8, Embedding = 32, LayerCount = 1, Heads = 1, Dropout = 0.1 };
        using var parameters = new ParameterStore(DeviceChoice.Find(Gpu), model.DeclareParameters(), DType.F32, training: true);
        parameters.Initialize(1);
        using var step = new TrainingStep(model, parameters, new TrainingStepOptions { Batch = 1, Length = 8 });
        int[] tokens = [.. Enumerable.Range(0, 16).Select(i => i % 11)];
        for (var i = 0; i < 4; i++)
            step.Run(tokens, tokens, i, 1e-4);

        var allocated = parameters.Device.GetMemory().Allocated;
        var before = GC.GetAllocatedBytesForCurrentThread();
        step.Begin(tokens, tokens, 4);
        for (var i = 0; i < 8; i++)
        {
            step.Update(1e-4);
            step.Begin(tokens, tokens, i + 5);
            step.Finish();
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(parameters.Device.GetMemory().Allocated, Is.EqualTo(allocated));
    }

    [Test]
    public void ABatchThatDoesNotFitIsRefusedBeforeTheFirstStep()
    {
        var e = Assert.Throws<InsufficientMemoryException>(() => Train(Short() with { Device = Gpu, PerDeviceTrainBatchSize = 1 << 22 }))!;
        Assert.That(e.Message, Does.Contain("perDeviceTrainBatchSize").And.Contain("gradientCheckpointing").And.Contain("precision")
            .And.Contain("GPU"));
        Assert.That(Directory.Exists(RunPath), Is.False);
    }

    private void AssertLearnsAsOnTheCpu(TrainingOptions options, double tolerance)
    {
        var expected = Losses(Train(options with { Device = Cpu, OutputDir = In("cpu") }));
        var actual = Losses(Train(options with { Device = Gpu }));
        Assert.That(actual, Is.EqualTo(expected).Within(tolerance), string.Join(" ", actual));
        Assert.That(actual[^1], Is.LessThan(actual[0]));
    }

    /// <summary>Small enough for the emulator.</summary>
    private TrainingOptions Short(TrainingOptions? options = null) => (options ?? Tiny()) with
    {
        MaxSteps = 4,
        PerDeviceTrainBatchSize = 2,
        EvalIterations = 1,
        LearningRate = 1e-2,
        WarmupRatio = 0,
        HeadDim = options is null ? null : 32,
        HiddenSize = 64,
        LrSchedulerType = LrSchedulerType.Constant,
    };

    private static double[] Losses(TrainingResult result) => [.. Rows(result.RunDirectory).Select(row => row.Loss)];
}
