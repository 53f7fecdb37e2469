using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Runs that start from a model's folder, mostly on examples.</summary>
public sealed class FineTuningTests : RunTests
{
    private static readonly string[] Sentences =
    [
        "the cat sees me.", "a dog hears me!", "my aunt paints me", "nobody forgets the moon and the river.", "the old king follows a drum",
    ];

    private string BasePath => In("base");

    [Test]
    public void TheFoldersWeightsAndTokenizerAreTheBeginning([Values] bool run)
    {
        PrepareBase();
        var folder = run ? BasePath : LatestCheckpoint(BasePath);

        // The first step of a warm-up has the learning rate 0.
        var result = Train(FineTune() with { Model = folder, MaxSteps = 1, WarmupSteps = 1 });

        foreach (var file in new[] { "model.safetensors", "tokenizer.json" })
        {
            Assert.That(File.ReadAllBytes(Path.Combine(result.ModelDirectory, file)),
                Is.EqualTo(File.ReadAllBytes(Path.Combine(LatestCheckpoint(BasePath), file))), file);
        }
    }

    [Test]
    public void AHandfulOfTextsIsLearntByHeart()
    {
        PrepareBase();
        var listener = new Listener();
        var result = Train(FineTune() with { NumTrainEpochs = 60, MaxSteps = null }, listener);

        // Packed into rows of 16, fewer than a batch may have: a step an epoch.
        Assert.That(result.Steps, Is.EqualTo(60));
        Assert.That(listener.Steps[^1].Epoch, Is.EqualTo(60));
        Assert.That(result.Loss, Is.LessThan(listener.Steps[0].Loss / 2));
        Assert.That(listener.Warnings, Has.Count.EqualTo(1));
        Assert.That(listener.Warnings[0], Does.Contain("texts").And.Contains("16").And.Contains("were cut"));
    }

    [Test]
    public void WhatTheModelWillSeeIsShown()
    {
        PrepareBase();
        var listener = new Listener();
        Train(FineTune() with { MaxSteps = 1 }, listener);

        Assert.That(listener.Data!.Sources.Select(source => source.Name), Is.EqualTo((string[])["texts"]));
        Assert.That(listener.Data.Sources[0].Contents, Does.StartWith("5 examples"));
        Assert.That(listener.Data.Tokenizer.Decode([.. listener.Data.Example.Tokens]), Is.EqualTo("the cat sees me."));
    }

    [Test]
    public void OptionsThatContradictTheFolderAreErrors()
    {
        PrepareBase();
        foreach (var (options, key, values) in new[]
        {
            (FineTune() with { NumHiddenLayers = 3 }, "numHiddenLayers", "3.*2"),
            (FineTune() with { HiddenSize = 64 }, "hiddenSize", "64.*32"),
            (FineTune() with { MaxPositionEmbeddings = 99 }, "maxPositionEmbeddings", "99.*16"),
            (FineTune() with { HiddenAct = "relu" }, "hiddenAct", "relu.*gelu"),
        })
        {
            Assert.That(() => Train(options),
                Throws.TypeOf<TrainingOptionsException>().With.Message.Contains(key).And.Message.Match(values).And.Message.Contains(BasePath));
        }

        // One that agrees is none.
        Assert.That(Train(FineTune() with { NumHiddenLayers = 2, MaxSteps = 1 }).Steps, Is.EqualTo(1));
    }

    [Test]
    public void AFolderThatIsNoModelIsNamed()
    {
        PrepareBase();
        Assert.That(() => Train(FineTune() with { Model = In("nothing") }), Throws.InstanceOf<IOException>().With.Message.Contains(In("nothing")));
        Directory.CreateDirectory(In("empty"));
        Assert.That(() => Train(FineTune() with { Model = In("empty") }),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("config.json"));
        Assert.That(() => Train(FineTune() with { SequenceLength = 17, MaxLength = null }), Throws.ArgumentException.With.Message.Contains("16 positions"));
    }

    [Test]
    public void ResumingNeedsTheFolderNoMore()
    {
        PrepareBase();
        var options = FineTune() with { MaxSteps = 12, SaveTotalLimit = 1, OutputDir = In("unbroken") };
        Train(options);
        using var source = new CancellationTokenSource();
        Train(options with { OutputDir = RunPath }, new Listener { EachStep = s => { if (s.Step == 5) source.Cancel(); } }, source.Token);
        Directory.Delete(BasePath, recursive: true);

        Resume(RunPath);

        AssertSameRun(RunPath, In("unbroken"));
    }

    [TestCase(true, false, false)]
    [TestCase(false, false, false)]
    [TestCase(true, true, false)]
    [TestCase(false, true, true)]
    [TestCase(true, true, true)]
    public void ResumingChangesNoBit(bool packing, bool mixture, bool documentMask)
    {
        PrepareBase();
        Write("lines.txt", string.Concat(Enumerable.Range(0, 30).Select(i => $"{Sentences[i % 5]} {Sentences[(i + 2) % 5][..(i % 7)]}\n")));
        Write("strings.json", """["the cat", "a dog hears", "my aunt forgets me"]""");
        var options = FineTune() with
        {
            Texts = [],
            Data = mixture ? [new(In("strings.json"), 1), new(In("text.txt"), 3)] : In("lines.txt"),
            DataFormat = mixture ? DataFormat.Auto : DataFormat.Examples,
            Packing = packing,
            PadToMultipleOf = 4,
            DocumentMask = documentMask,
            ValidationFraction = 0.2,
            Dropout = 0.1,
            GradientAccumulationSteps = 2,
            PerDeviceTrainBatchSize = 2,
            EvalSteps = 6,
            SaveSteps = 8,
            MaxSteps = 25,
            OutputDir = In("unbroken"),
        };
        Train(options);
        TrainInTwoParts(options with { OutputDir = RunPath }, interruptAt: 11);
        AssertSameRun(RunPath, In("unbroken"));
    }

    [Test]
    public void EverySourceIsReported()
    {
        PrepareBase();
        Write("lines.txt", string.Concat(Sentences.Select(sentence => sentence + "\n")));
        Write("strings.json", """["the cat", "a dog hears", "my aunt forgets me", "me", "the moon"]""");
        var listener = new Listener();
        Train(FineTune() with
        {
            Texts = [],
            Data = [new(In("lines.txt"), 1), new(In("strings.json"), 3)],
            DataFormat = DataFormat.Examples,
            ValidationFraction = 0.2,
            MaxSteps = 3,
        }, listener);

        Assert.That(listener.Data!.Sources.Select(source => (Path.GetFileName(source.Name), source.Share)),
            Is.EqualTo(((string, double)[])[("lines.txt", 0.25), ("strings.json", 0.75)]));
        var evaluation = listener.Evaluations.Single();
        Assert.That(evaluation.Sources.Select(source => Path.GetFileName(source.Name)), Is.EqualTo((string[])["lines.txt", "strings.json"]));
        Assert.That(evaluation.Loss, Is.EqualTo(evaluation.Sources.Sum(s => s.Loss * s.Targets) / evaluation.Sources.Sum(s => s.Targets))
            .Within(1e-6).Percent);
        Assert.That(evaluation.BitsPerByte, Is.Null);
    }

    [Test]
    public void WithoutABetterLossTheRunEnds()
    {
        // Nothing is better by a hundred nats: the first evaluation is the best, and three more are allowed.
        var result = Train(Tiny() with { EvalSteps = 2, EarlyStoppingPatience = 3, EarlyStoppingThreshold = 100, MaxSteps = 50 });
        Assert.That((result.Reason, result.Steps), Is.EqualTo((StopReason.EarlyStopping, 8)));
        // Here every loss is better: it goes on to its end.
        result = Train(Tiny() with { EvalSteps = 2, EarlyStoppingPatience = 1, MaxSteps = 10, OutputDir = In("other") });
        Assert.That((result.Reason, result.Steps), Is.EqualTo((StopReason.Completed, 10)));
    }

    [Test]
    public void TheBestModelIsTheResult()
    {
        PrepareBase();
        // Too fast, so that the loss on what is held back gets worse.
        var options = Tiny() with { LearningRate = 0.3, LrSchedulerType = LrSchedulerType.Constant, EvalSteps = 1, MaxSteps = 8, SaveTotalLimit = 1 };
        var listener = new Listener();

        var result = Train(options with { LoadBestModelAtEnd = true }, listener);

        var best = listener.Evaluations.MinBy(evaluation => evaluation.Loss)!;
        Assert.That(best.Step, Is.LessThan(8), "else this tells nothing");
        Assert.That(Path.GetFileName(result.ModelDirectory), Is.EqualTo($"step-{best.Step:00000000}"));
        Assert.That(ModelFolder.Find(RunPath), Is.EqualTo(result.ModelDirectory));
    }

    [Test]
    public void ABatchWithoutATargetIsAnErrorThatNamesTheData()
    {
        PrepareBase();
        Write("letters.jsonl", string.Concat(Enumerable.Repeat("{\"text\": \"a\"}\n", 100)));
        Assert.That(() => Train(FineTune() with { Texts = [], Data = In("letters.jsonl"), DocumentMask = true }),
            Throws.TypeOf<TrainingException>().With.Message.Contains("letters.jsonl").And.Message.Contains("no token to learn"));
        Assert.That(() => Train(FineTune() with { Texts = ["a", "t"], OutputDir = In("other") }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("texts").And.Message.Contains("token to learn"));
    }

    [Test]
    public void DocumentsOfJsonLinesAreKeptApart()
    {
        PrepareBase();
        Write("documents.jsonl", string.Concat(Enumerable.Range(0, 60).Select(i => $"{{\"id\": {i}, \"text\": \"{Sentences[i % 5]}\\n\"}}\n")));
        var options = FineTune() with { Texts = [], Data = In("documents.jsonl"), ValidationFraction = 0.1, MaxSteps = 3, PerDeviceTrainBatchSize = 4 };
        var apart = Train(options with { DocumentMask = true });
        var together = Train(options with { OutputDir = In("together") });
        Assert.That(apart.EvalLoss, Is.Not.EqualTo(together.EvalLoss));
    }

    [Test]
    public void OfConversationsTheAnswersAreLearnt()
    {
        Train(Tiny() with { OutputDir = BasePath, MaxSteps = 5, Tokenizer = "bpe", VocabSize = 300, SequenceLength = 128 });
        Write("chat.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => i % 2 == 0
            ? $"{{\"messages\": [{{\"role\": \"user\", \"content\": \"who is {i}?\"}}, {{\"role\": \"assistant\", \"content\": \"me\"}}]}}\n"
            : $"{{\"prompt\": \"{i} sees \", \"completion\": \"the moon\"}}\n")));
        var options = FineTune() with
        {
            Texts = [],
            Data = In("chat.jsonl"),
            ChatTemplate = "chatml",
            MaxLength = null,
            MaxSteps = 20,
            SaveTotalLimit = 1,
            OutputDir = In("unbroken"),
        };
        var listener = new Listener();
        var result = Train(options, listener);

        Assert.That(listener.Data!.Sources[0].Contents, Does.Match(@"12 examples, [\d,]+ tokens, \d+ of them learnt"));
        var (tokens, learned) = (listener.Data.Example.Tokens, listener.Data.Example.Learned);
        Assert.That(listener.Data.Tokenizer.Decode([.. tokens.Where((_, i) => learned[i])]), Is.EqualTo("me<|im_end|>"));
        Assert.That(File.Exists(Path.Combine(result.ModelDirectory, "chat_template.jinja")));
        Assert.That(result.Loss, Is.LessThan(listener.Steps[0].Loss - 1));

        // Resumed, the template is the checkpoint's: the folder is not needed.
        using var source = new CancellationTokenSource();
        Train(options with { OutputDir = RunPath }, new Listener { EachStep = s => { if (s.Step == 5) source.Cancel(); } }, source.Token);
        Directory.Delete(BasePath, recursive: true);
        Resume(RunPath);
        AssertSameRun(RunPath, In("unbroken"));
    }

    /// <summary>A tiny model to start from; made once a test, in a second.</summary>
    private void PrepareBase() => Train(Tiny() with { OutputDir = BasePath, MaxSteps = 30 });

    private TrainingOptions FineTune() => new()
    {
        Model = BasePath,
        Texts = Sentences,
        MaxLength = 16,
        ValidationFraction = 0,
        LearningRate = 3e-3,
        WeightDecay = 0,
        MaxSteps = 10,
        LoggingSteps = 1,
        EvalSteps = 0,
        SaveSteps = 0,
        Threads = 1,
        Device = "cpu",
        OutputDir = RunPath,
    };
}
