using System.Text.Json;
using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Encoders;
using Ingot.Models;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Runs of encoders: masked language models from nothing, classifiers from these.</summary>
public sealed class EncoderRunTests : RunTests
{
    [TestCase("bert")]
    [TestCase("roberta")]
    public void AMaskedLanguageModelLearns(string family)
    {
        var listener = new Listener();
        var result = Train(Masked(family) with { MaxSteps = 40, EvalSteps = 40 }, listener);

        // From log(300) = 5.7: after 40 steps it knows the commonest tokens.
        Assert.That(result.EvalLoss, Is.LessThan(listener.Steps[0].Loss - 1));
        var row = Rows(RunPath)[^1];
        Assert.That(row.EvalAccuracy, Is.GreaterThan(0.05).And.LessThanOrEqualTo(1));
        Assert.That(row.EvalBitsPerByte, Is.Null);
        var model = ModelFiles.LoadConfig(result.ModelDirectory);
        Assert.That((model.Task, model.MaxPositions), Is.EqualTo((ModelTask.MaskedLm, 16)));
    }

    [Test]
    public void AResumedRunMasksTheSameTokens() => TrainInTwoParts(Masked("bert") with { MaxSteps = 12 }, 5);

    [Test]
    public void AClassifierLearnsWhichWordATextHas()
    {
        var data = Labelled(120);
        var result = Train(Classifier(data) with { MaxSteps = 300 });

        Assert.That(Rows(RunPath)[^1].EvalAccuracy, Is.GreaterThan(0.9));
        Assert.That(Rows(RunPath)[^1].EvalF1, Is.GreaterThan(0.9));
        Assert.That(ModelFiles.LoadConfig(result.ModelDirectory).Labels, Is.EqualTo(["animal", "sky"]));
        using var classifier = TextClassifier.Load(result.ModelDirectory, Device.Cpu);
        Assert.That(classifier.Classify("a cat")[0].Label, Is.EqualTo("animal"));
        Assert.That(classifier.Classify("a moon")[0].Label, Is.EqualTo("sky"));
    }

    [Test]
    public void ANewHeadOnATrainedBodyIsSaid()
    {
        var body = Train(Masked("bert") with { MaxSteps = 1, OutputDir = In("body"), SequenceLength = 32 }).ModelDirectory;
        var listener = new Listener();
        Train(OnBody(Classifier(Labelled(20)), body) with { MaxSteps = 1 }, listener);
        Assert.That(listener.Warnings, Has.Some.Contains("classifier.weight"));
    }

    [Test]
    public void AnAdapterLearnsToClassifyAndResumesBitForBit()
    {
        var body = Train(Masked("bert") with { MaxSteps = 20, OutputDir = In("body"), SequenceLength = 32 }).ModelDirectory;
        var options = OnBody(Classifier(Labelled(120)), body) with
        {
            LoraRank = 4,
            LoraDropout = 0.1,
            LearningRate = 1e-2,
            MaxSteps = 120,
            SaveSteps = 40,
        };
        var result = Train(options with { OutputDir = In("whole") });

        Assert.That(Rows(In("whole"))[^1].EvalAccuracy, Is.GreaterThan(0.9));
        Assert.That(Directory.GetFiles(result.ModelDirectory).Select(Path.GetFileName),
            Does.Contain("adapter_model.safetensors").And.Contain("config.json").And.Not.Contain("model.safetensors"));
        Assert.That(AdapterFiles.LoadModel(result.ModelDirectory, AdapterFiles.WithHead(result.ModelDirectory, ModelFiles.LoadConfig(body)))
            .Lora.ModulesToSave, Is.EquivalentTo(["classifier", "pooler"]), "the body had no pooler either");
        AdapterMerge.Merge(body, result.ModelDirectory, In("merged"));
        foreach (var (folder, adapter) in new[] { (result.ModelDirectory, null), (body, result.ModelDirectory), (In("merged"), null) })
        {
            using var classifier = TextClassifier.Load(folder, Device.Cpu, adapter: adapter);
            Assert.That(classifier.Classify("a cat")[0].Label, Is.EqualTo("animal"));
            Assert.That(classifier.Classify("a moon")[0].Label, Is.EqualTo("sky"));
        }

        TrainInTwoParts(options, 60);
        AssertSameRun(RunPath, In("whole"));
    }

    [Test]
    public void AnAdapterForMaskedTokensNeedsABaseWithThatHead()
    {
        var body = Train(Masked("roberta") with { MaxSteps = 5, OutputDir = In("body"), SequenceLength = 32 }).ModelDirectory;
        var masked = OnBody(Masked("roberta"), body) with { Task = null, LoraRank = 4, LearningRate = 1e-2, MaxSteps = 30 };
        var listener = new Listener();
        Train(masked, listener);
        // The head, a small table that has hardly learnt, stays as it is.
        Assert.That(listener.Steps.TakeLast(5).Average(step => step.Loss), Is.LessThan(listener.Steps.Take(5).Average(step => step.Loss)));

        var classifier = Train(OnBody(Classifier(Labelled(20)), body) with { MaxSteps = 1, OutputDir = In("classifier") }).ModelDirectory;
        Assert.That(() => Train(masked with { Model = classifier, Task = ModelTask.MaskedLm, OutputDir = In("other") }),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("loraRank").And.Message.Contains("lm_head"));
    }

    [Test]
    public void ALabelThatTheModelDoesNotKnowIsNamed()
    {
        var folder = Train(Classifier(Labelled(20)) with { MaxSteps = 1, OutputDir = In("first") }).ModelDirectory;
        var other = Write("other.jsonl", "{\"text\": \"a cat\", \"label\": \"animal\"}\n{\"text\": \"a rock\", \"label\": \"stone\"}\n");
        Assert.That(() => Train(new TrainingOptions { Model = folder, Data = other, MaxSteps = 1, OutputDir = In("second"), Threads = 1 }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("other.jsonl:2").And.Message.Contains("\"stone\"")
                .And.Message.Contains("animal, sky"));
    }

    [Test]
    public void OptionsThatDoNotGoWithTheModelsTaskAreNamedBeforeTheRun() => Assert.That(
        () => Train(Masked("bert") with { Task = null, SamplePrompts = ["the"] }),
        Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("samplePrompts").And.Message.Contains("masked-lm"));

    [TestCase("{\"text\": \"a\"}", "no 'label'")]
    [TestCase("{\"label\": \"a\"}", "no text 'text'")]
    [TestCase("{\"text\": \"a\", \"label\": [1]}", "the label [1]")]
    [TestCase("[1", "not valid JSON")]
    public void BadExamplesAreNamed(string line, string fragment) =>
        Assert.That(() => Train(Classifier(Write("bad.jsonl", "{\"text\": \"a cat\", \"label\": \"animal\"}\n" + line))),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("bad.jsonl:2").And.Message.Contains(fragment));

    private TrainingOptions Masked(string family) => Tiny() with
    {
        Model = family,
        Task = ModelTask.MaskedLm,
        Tokenizer = "bpe",
        VocabSize = 300,
        PerDeviceTrainBatchSize = 8,
    };

    private TrainingOptions Classifier(string data) => Masked("bert") with
    {
        Task = ModelTask.SequenceClassification,
        Data = data,
        SequenceLength = 32,
    };

    /// <summary>The same from a folder, which says the sizes.</summary>
    private static TrainingOptions OnBody(TrainingOptions options, string folder) => options with
    {
        Model = folder,
        Tokenizer = null,
        NumHiddenLayers = null,
        HiddenSize = null,
        NumAttentionHeads = null,
        VocabSize = null,
    };

    private string Labelled(int count)
    {
        string[][] words = [["cat", "dog", "king"], ["moon", "sun", "star"]];
        var random = new Random(3);
        return Write("labelled.jsonl", string.Concat(Enumerable.Range(0, count).Select(i => JsonSerializer.Serialize(new
        {
            text = "a " + words[i % 2][random.Next(3)],
            label = i % 2 == 0 ? "animal" : "sky",
        }) + "\n")));
    }
}
