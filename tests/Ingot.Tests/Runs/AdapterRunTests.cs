using Ingot.Adapters;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Runs that train an adapter on a model's folder, or a part of a model.</summary>
public sealed class AdapterRunTests : RunTests
{
    private string BasePath => In("base");

    [Test]
    public void CheckpointsHoldTheAdapterAndResumeBitForBit([Values] bool dora)
    {
        PrepareBase();
        var options = Adapt() with
        {
            UseDora = dora,
            ModulesToSave = ["ln_f"],
            LoraDropout = 0.1,
            MaxSteps = 6,
            SaveSteps = 2,
            GradientAccumulationSteps = 2,
        };
        Train(options with { OutputDir = In("whole") });
        TrainInTwoParts(options, interruptAt: 2);

        AssertSameRun(RunPath, In("whole"));
        var folder = LatestCheckpoint(RunPath);
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName),
            Does.Contain("adapter_config.json").And.Contain("adapter_model.safetensors")
            .And.Not.Contain("model.safetensors").And.Not.Contain("config.json"));
        // 2 layers · 2 targets, rank 4: a few thousand numbers, not the model's tens of thousands.
        Assert.That(new FileInfo(Path.Combine(folder, "optimizer.safetensors")).Length, Is.LessThan(40_000));
        Assert.That(AdapterFiles.FindBase(folder), Is.EqualTo(LatestCheckpoint(BasePath)));
    }

    [Test]
    public void TheAdapterLearnsAndGeneratesWithItsBase()
    {
        PrepareBase();
        var listener = new Listener();
        var result = Train(Adapt() with
        {
            Texts = ["nobody paints th"],
            Data = null,
            ValidationFraction = 0,
            MaxSteps = 200,
            LearningRate = 3e-3,
            LoraTargets = ["all-linear"],
            LoraRank = 8,
        }, listener);
        // The frozen head of a base that has learnt for 30 steps is small, and so are logits.
        Assert.That(result.Loss, Is.LessThan(listener.Steps[0].Loss - 0.3));

        // The run itself, the adapter on its base, and merged: the same text.
        var greedy = new GenerationOptions { Temperature = 0, MaxNewTokens = 8 };
        string Write(string folder, string? adapter = null)
        {
            using var generator = TextGenerator.Load(folder, adapter: adapter);
            return string.Concat(generator.Stream("nobody paints", greedy));
        }

        AdapterMerge.Merge(LatestCheckpoint(BasePath), result.ModelDirectory, In("merged"));
        var text = Write(result.ModelDirectory);
        Assert.That(Write(LatestCheckpoint(BasePath), result.ModelDirectory), Is.EqualTo(text));
        Assert.That(Write(In("merged")), Is.EqualTo(text));
    }

    [Test]
    public void FrozenPartsOfARunAreTheBaseBitForBit([Values] Precision precision)
    {
        PrepareBase();
        var result = Train(Adapt() with { LoraRank = 0, Freeze = ["wte", "wpe", "h.0"], Precision = precision });
        using var before = SafetensorsFile.Open(Path.Combine(LatestCheckpoint(BasePath), "model.safetensors"));
        using var after = SafetensorsFile.Open(Path.Combine(result.ModelDirectory, "model.safetensors"));
        foreach (var tensor in before.Tensors)
        {
            var frozen = tensor.Name.Contains("wte") || tensor.Name.Contains("wpe") || tensor.Name.Contains(".h.0.");
            if (precision == Precision.Fp32 || !frozen)
                Assert.That(after[tensor.Name].Span.SequenceEqual(tensor.Span), Is.EqualTo(frozen), tensor.Name);
            else
                Assert.That(after[tensor.Name].Dtype, Is.EqualTo(SafetensorsDtype.BF16), tensor.Name);
        }
    }

    [Test]
    public void WhichOfTwoAnswersIsPreferredIsLearntAndResumed()
    {
        PrepareBase();
        string[] subjects = ["the cat", "a dog", "my aunt", "nobody"];
        var pairs = from subject in subjects
                    from rejected in new[] { " hears", " drum", " paints" }
                    select
            $"{{\"prompt\": \"{subject}\", \"chosen\": \" sees\", \"rejected\": \"{rejected}\"}}\n";
        var options = Adapt() with
        {
            Objective = TrainingObjective.Dpo,
            Data = Write("pairs.jsonl", string.Concat(pairs)),
            ValidationFraction = 0.25,
            LoraDropout = 0.1,
            PerDeviceTrainBatchSize = 2,
            GradientAccumulationSteps = 2,
            MaxSteps = 30,
            EvalSteps = 10,
            LearningRate = 1e-2,
            SaveSteps = 10,
        };
        var listener = new Listener();
        Train(options with { OutputDir = In("whole") }, listener);

        var rows = Rows(In("whole"));
        Assert.That(rows[0].Loss, Is.EqualTo(Math.Log(2)).Within(1e-6), "it starts at the reference");
        Assert.That(rows[0].RewardMargin, Is.Zero);
        Assert.That(rows[^1].RewardAccuracy, Is.EqualTo(1));
        Assert.That(rows[^1].RewardMargin, Is.GreaterThan(0.2));
        var last = listener.Evaluations[^1];
        Assert.That(last.Preferences!.Value.Accuracy, Is.EqualTo(1));
        Assert.That(last.Loss, Is.LessThan(listener.Evaluations[0].Loss).And.LessThan(0.6));

        TrainInTwoParts(options, interruptAt: 12);
        AssertSameRun(RunPath, In("whole"));
    }

    [Test]
    public void PreferencesThatCannotBeLearntAreErrors()
    {
        PrepareBase();
        var options = Adapt() with { Objective = TrainingObjective.Dpo };
        Assert.That(() => Train(options with { LoraRank = 0 }), Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("loraRank"));
        Write("texts.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
        Assert.That(() => Train(options with { Data = In("texts.jsonl") }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("texts.jsonl:1").And.Message.Contains("rejected"));
        Write("long.jsonl", "{\"prompt\": \"the cat\", \"chosen\": \" sees the moon\", \"rejected\": \" sees\"}\n");
        Assert.That(() => Train(options with { Data = In("long.jsonl"), ValidationFraction = 0 }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("none of 1 pairs fits into 16 tokens"));
    }

    [Test]
    public void AnAdapterNeedsAModelThatIsThere() => Assert.That(() => Train(Tiny() with { LoraRank = 4 }),
        Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("loraRank"));

    [Test]
    public void ATargetThatIsNotThereIsAnErrorThatNamesTheNearest()
    {
        PrepareBase();
        Assert.That(() => Train(Adapt() with { LoraTargets = ["c_atn"] }),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("loraTargets").And.Message.Contains("did you mean c_attn?"));
        Assert.That(() => Train(Adapt() with { LoraRank = 0, Freeze = ["h.9"] }),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("freeze"));
    }

    /// <summary>A tiny model to start from.</summary>
    private void PrepareBase() => Train(Tiny() with { Data = Write("base.txt", Text(20_000)), OutputDir = BasePath, MaxSteps = 30 });

    private TrainingOptions Adapt() => new()
    {
        Model = BasePath,
        Data = In("base.txt"),
        SequenceLength = 16,
        PerDeviceTrainBatchSize = 4,
        LoraRank = 4,
        LoraTargets = ["c_attn", "c_fc"],
        LearningRate = 3e-2,
        MaxSteps = 5,
        LoggingSteps = 1,
        EvalSteps = 0,
        EvalIterations = 4,
        SaveSteps = 0,
        Threads = 1,
        Device = "cpu",
        OutputDir = RunPath,
    };
}
