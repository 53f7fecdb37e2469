using System.Text;
using System.Text.Json;
using Ingot.Reports;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Tests of whole runs: a tiny model on a small text, in a folder of the test's own, with a cache of its own.</summary>
public abstract class RunTests : FolderTests
{
    private string? _cacheBefore;

    /// <summary>Where the run goes.</summary>
    protected string RunPath => In("run");

    [SetUp]
    public void TakeOwnCache()
    {
        _cacheBefore = Environment.GetEnvironmentVariable("INGOT_CACHE");
        Environment.SetEnvironmentVariable("INGOT_CACHE", In("cache"));
    }

    [TearDown]
    public void GiveCacheBack() => Environment.SetEnvironmentVariable("INGOT_CACHE", _cacheBefore);

    /// <summary>Sentences of a small grammar: something to learn, the same for every test.</summary>
    protected static string Text(int characters, int seed = 1)
    {
        string[] subjects = ["the cat", "a dog", "my aunt", "the old king", "nobody"];
        string[] verbs = ["sees", "hears", "paints", "forgets", "follows"];
        string[] objects = ["the moon", "a tin drum", "seven hats", "the river", "me"];
        var random = new Random(seed);
        var text = new StringBuilder();
        while (text.Length < characters)
            text.Append($"{Any(subjects)} {Any(verbs)} {Any(objects)}{Any([".", ".", "!", ", and"])}{Any([" ", " ", "\n"])}");
        return text.ToString(0, characters);

        string Any(string[] of) => of[random.Next(of.Length)];
    }

    /// <summary>A tiny GPT-2 on a small text; writes the text if the folder does not hold it yet.</summary>
    protected TrainingOptions Tiny()
    {
        if (!File.Exists(In("text.txt")))
            Write("text.txt", Text(20_000));
        return new TrainingOptions
        {
            Model = "gpt2",
            NumHiddenLayers = 2,
            HiddenSize = 32,
            NumAttentionHeads = 2,
            SequenceLength = 16,
            Tokenizer = "char",
            Data = In("text.txt"),
            PerDeviceTrainBatchSize = 4,
            MaxSteps = 20,
            LearningRate = 3e-3,
            LoggingSteps = 1,
            EvalSteps = 0,
            EvalIterations = 10,
            SaveSteps = 0,
            Threads = 1,
            Device = "cpu",
            OutputDir = RunPath,
        };
    }

    /// <summary>The same as a Llama with grouped heads.</summary>
    protected TrainingOptions TinyLlama() => Tiny() with
    {
        Model = "llama",
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 8,
        IntermediateSize = 48,
    };

    /// <summary>The recipe's file for a process.</summary>
    protected string WriteRecipe(TrainingOptions options) => Write("recipe.json", Recipe.ToJson(options));

    /// <summary>Trains in this process.</summary>
    protected static TrainingResult Train(TrainingOptions options, ITrainingObserver? observer = null, CancellationToken ct = default) =>
        Ingot.Training.Trainer.Run(options, observer ?? new Listener(), ct);

    /// <summary>Goes on with a run in this process.</summary>
    protected static TrainingResult Resume(string run, ITrainingObserver? observer = null, TrainingOptions? options = null,
        CancellationToken ct = default) => Ingot.Training.Trainer.Resume(run, options, observer ?? new Listener(), ct);

    /// <summary>Trains in this process, is asked to stop while a step is reported, stops after the next, and goes on.</summary>
    protected static void TrainInTwoParts(TrainingOptions options, long interruptAt)
    {
        using var source = new CancellationTokenSource();
        var first = Train(options, new Listener
        {
            EachStep = step =>
            {
                if (step.Step == interruptAt)
                    source.Cancel();
            },
        }, source.Token);
        Assert.That((first.Reason, first.Steps), Is.EqualTo((StopReason.Interrupted, interruptAt + 1)));
        Resume(options.OutputDir!);
    }

    /// <summary>A run's rows without the times that no two runs share.</summary>
    protected static IReadOnlyList<MetricsRow> Rows(string run)
    {
        using var directory = RunDirectory.Resume(run);
        return [.. directory.ReadMetrics().Select(row => row with { TokensPerSecond = 0, ElapsedSeconds = 0 })];
    }

    /// <summary>A run's newest checkpoint.</summary>
    protected static string LatestCheckpoint(string run) =>
        Directory.GetDirectories(Path.Combine(run, "checkpoints"), "step-*").Order(StringComparer.Ordinal).Last();

    /// <summary>Asserts that two runs ended with the same bits, and that neither left anything half-made.</summary>
    protected static void AssertSameRun(string actual, string expected)
    {
        Assert.That(Rows(actual).Select(Json), Is.EqualTo(Rows(expected).Select(Json)));
        Assert.That(Bytes(actual, "samples.jsonl"), Is.EqualTo(Bytes(expected, "samples.jsonl")));
        Assert.That(Names(Path.Combine(actual, "checkpoints")), Is.EqualTo(Names(Path.Combine(expected, "checkpoints"))));
        Assert.That(
            new DirectoryInfo(Path.Combine(actual, "checkpoints", "best")).LinkTarget,
            Is.EqualTo(new DirectoryInfo(Path.Combine(expected, "checkpoints", "best")).LinkTarget));
        string[] logs = ["metrics.jsonl", "samples.jsonl", "config.json", "report.html", ".lock", "checkpoints"];
        Assert.That(Names(actual).Where(name => !name.StartsWith("events.", StringComparison.Ordinal)), Is.EquivalentTo(logs));
        foreach (var checkpoint in Directory.GetDirectories(Path.Combine(expected, "checkpoints"), "step-*").Select(Path.GetFileName))
        {
            var (ours, theirs) = (Path.Combine(actual, "checkpoints", checkpoint!), Path.Combine(expected, "checkpoints", checkpoint!));
            Assert.That(Names(ours), Is.EqualTo(Names(theirs)));
            foreach (var file in Names(theirs).Except(["trainer_state.json", "manifest.json"]))
                Assert.That(Bytes(ours, file).AsSpan().SequenceEqual(Bytes(theirs, file)), $"{checkpoint}/{file}");
            Assert.That(State(ours), Is.EqualTo(State(theirs)), checkpoint);
        }

        static string Json(MetricsRow row) => JsonSerializer.Serialize(row);

        static byte[] Bytes(string folder, string name) => File.ReadAllBytes(Path.Combine(folder, name));

        // Everything but the time.
        static string State(string folder) =>
            (TrainerState.Read(Path.Combine(folder, TrainerState.FileName)) with { ElapsedSeconds = 0 }).ToJson();

        static IEnumerable<string> Names(string folder) =>
            Directory.GetFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);
    }

    /// <summary>Keeps what a run says.</summary>
    protected sealed class Listener : ITrainingObserver
    {
        public DataReport? Data { get; private set; }

        public List<StepReport> Steps { get; } = [];

        public List<EvaluationReport> Evaluations { get; } = [];

        public List<SampleReport> Samples { get; } = [];

        public List<CheckpointReport> Checkpoints { get; } = [];

        public List<string> Warnings { get; } = [];

        public TrainingEnd? End { get; private set; }

        public Action<StepReport> EachStep { get; init; } = _ => { };

        public void OnData(DataReport data) => Data = data;

        public void OnStep(in StepReport step)
        {
            Steps.Add(step);
            EachStep(step);
        }

        public void OnEvaluation(EvaluationReport evaluation) => Evaluations.Add(evaluation);

        public void OnSample(SampleReport sample) => Samples.Add(sample);

        public void OnCheckpoint(CheckpointReport checkpoint) => Checkpoints.Add(checkpoint);

        public void OnWarning(string message) => Warnings.Add(message);

        public void OnEnd(TrainingEnd end)
        {
            Assert.That(End, Is.Null, "the end comes once");
            End = end;
        }
    }
}
