using System.Diagnostics;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>
/// What a user sees who asks for something that cannot be: one line that names the thing, exit code 1 (2 for wrong options), and nothing
/// left that would be in the way of a second try.
/// </summary>
public sealed class BadInputTests : RunTests
{
    [TestCase("missing.txt", null, "missing.txt", "no such file")]
    [TestCase("empty.txt", new byte[0], "empty.txt", "empty")]
    [TestCase("latin1.txt", new byte[] { 71, 114, 246, 223, 101, 10, 71, 114, 246, 223, 101 }, "latin1.txt", "UTF-8")]
    [TestCase("binary.txt", new byte[] { 65, 0, 0, 0, 66 }, "binary.txt", "binary")]
    public void TextThatCannotBeRead(string name, byte[]? content, string named, string what)
    {
        if (content is not null)
            Write(name, content);
        AssertRefused(["--data", In(name)], 1, named, what);
    }

    [Test]
    public void ContextsLongerThanTheData() => AssertRefused(
        ["--sequenceLength", "50000"], 1, "text.txt", "18000 tokens", "a sequence of 50000", "sequenceLength");

    [Test]
    public void ValidationTextOfOneToken()
    {
        Write("one.txt", "t");
        AssertRefused(["--evalData", In("one.txt")], 1, "one.txt", "fewer than two tokens");
    }

    [Test]
    public void VocabulariesThatDoNotFit()
    {
        // A run on other letters gives a character vocabulary that this text does not fit.
        Write("greek.txt", string.Concat(Enumerable.Repeat("αβγδεζηθ ", 200)));
        var other = Train(Tiny() with { Data = In("greek.txt"), MaxSteps = 1, OutputDir = In("other") });
        AssertRefused(["--tokenizer", other.ModelDirectory], 1, "text.txt", "is not among the 9 of the character vocabulary");
        AssertRefused(["--tokenizer", In("nowhere")], 1, "nowhere");
        AssertRefused(["--tokenizer", "bpe", "--vocabSize", "100"], 2, "vocabSize", "257");
    }

    [Test]
    public void PromptsThatTheTokenizerCannotWrite() => AssertRefused(["--samplePrompts", "Ω"], 1, "samplePrompts", "\"Ω\"");

    [TestCase("--hiddenSize 30 --numAttentionHeads 4", 2, "hiddenSize", "does not divide")]
    [TestCase("--sequenceLength 32 --maxPositionEmbeddings 16", 2, "sequenceLength", "maxPositionEmbeddings")]
    [TestCase("--learningRate -1", 2, "learningRate")]
    [TestCase("--hiddenSize 2000000000 --numAttentionHeads 1", 2, "hiddenSize", "4194304")]
    [TestCase("--numHiddenLayers 2000000", 2, "numHiddenLayers", "2000")]
    [TestCase("--perDeviceTrainBatchSize 100000000", 2, "perDeviceTrainBatchSize", "tokens a step")]
    [TestCase("--perDeviceTrainBatchSize 2 --gradientAccumulationSteps 200000000", 2, "gradientAccumulationSteps", "tokens a step")]
    [TestCase("--perDeviceEvalBatchSize 100000000", 2, "perDeviceEvalBatchSize", "take fewer")]
    [TestCase("--perDeviceTrainBatchSize 16000000", 1, "GiB", "perDeviceTrainBatchSize")]
    [TestCase("--hiddenSize 4194304 --numHiddenLayers 900 --perDeviceTrainBatchSize 16000000", 1, "smaller model")]
    [TestCase("--kernels attention=nonsense", 1, "nonsense")]
    public void OptionsThatContradict(string arguments, int exitCode, params string[] parts) =>
        AssertRefused(arguments.Split(' '), exitCode, parts);

    [Test]
    public void ModelsThatDoNotFitInMemory()
    {
        var watch = Stopwatch.StartNew();
        AssertRefused(
            ["--hiddenSize", "65536", "--numHiddenLayers", "200", "--numAttentionHeads", "512"], 1,
            "GiB", "available", "perDeviceTrainBatchSize", "gradientCheckpointing", "smaller model");
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromMinutes(2)));
    }

    [Test]
    public void PlacesWhereNothingCanBeWritten()
    {
        var file = Write("file", "x");
        Refuse(["--outputDir", file]).AssertError(1, file, "is a file", "--outputDir");
        Refuse(["--outputDir", Path.Combine(file, "run")]).AssertError(1, file, "--outputDir");
        Refuse(["--outputDir", "/proc/run"]).AssertError(1, "/proc/run", "--outputDir");

        TrainingProcess.Ending Refuse(string[] arguments) => TrainingProcess.Run(["train", WriteRecipe(Tiny()), .. arguments]);
    }

    [Test]
    public void FilesThatMayNotBeTouched()
    {
        var recipe = WriteRecipe(Tiny());
        // Root may do everything: as nobody, then.
        var user = Environment.UserName == "root" ? "setpriv --reuid=65534 --clear-groups " : "";
        Chmod("755", Folder);
        Chmod("000", In("text.txt"));
        Run("--outputDir", "/tmp/ingot-test-nobody").AssertError(1, "text.txt", "denied");
        Assert.That(Directory.Exists("/tmp/ingot-test-nobody"), Is.False);

        Chmod("644", In("text.txt"));
        Directory.CreateDirectory(In("locked"));
        Chmod("555", In("locked"));
        Run("--outputDir", In("locked")).AssertError(1, In("locked"), "--outputDir");
        Run("--outputDir", In("locked/run")).AssertError(1, In("locked/run"), "--outputDir");
        Assert.That(Directory.GetFileSystemEntries(In("locked")), Is.Empty);
        Chmod("755", In("locked"));

        TrainingProcess.Ending Run(params string[] arguments)
        {
            Directory.CreateDirectory(In("cache"));
            Chmod("777", In("cache"));
            return TrainingProcess.Run(["train", recipe, .. arguments], user: user);
        }

        static void Chmod(string mode, string path) => Process.Start("chmod", [mode, path]).WaitForExit();
    }

    [Test]
    public void ADirectoryInUseAndOneThatHoldsARun()
    {
        var recipe = WriteRecipe(Tiny() with { MaxSteps = 1_000_000_000 });
        using (var first = new TrainingProcess(["train", recipe]))
        {
            Assert.That(first.WaitForSteps(2), first.ToString());
            string[][] others = [["train", recipe], ["train", recipe, "--overwriteOutputDir"], ["train", "--resume", RunPath]];
            foreach (var arguments in others)
                TrainingProcess.Run(arguments).AssertError(1, RunPath, $"in use by process {first.Id}", "--outputDir");
            Assert.That(first.WaitForSteps(2), "the first goes on");
            first.Signal(TrainingProcess.Interrupt);
            Assert.That(first.Wait().ExitCode, Is.EqualTo(130));
        }

        var rows = Rows(RunPath);
        TrainingProcess.Run(["train", recipe]).AssertError(1, RunPath, "holds a run", "--resume", "--overwriteOutputDir");
        TrainingProcess.Run(["train", recipe, "--overwriteOutputDir", "--data", In("nowhere")]).AssertError(1, "nowhere");
        Assert.That(Rows(RunPath), Is.EqualTo(rows), "a run that cannot begin replaces nothing");
        Assert.That(Train(Tiny() with { OverwriteOutputDir = true }).Reason, Is.EqualTo(StopReason.Completed));
        Assert.That(Rows(RunPath), Has.Count.EqualTo(20));
    }

    [Test]
    public void AFullDiskLeavesTheOlderCheckpoints()
    {
        var options = Tiny() with { SaveSteps = 5, MaxSteps = 40, LrSchedulerType = LrSchedulerType.Constant };
        Train(options with { OutputDir = In("unbroken") });
        Train(options with { MaxSteps = 10 });
        var before = Directory.GetFileSystemEntries(Path.Combine(RunPath, "checkpoints"));

        // A limit on the size of files: the weights fit, the optimizer's moments do not.
        var weights = new FileInfo(Path.Combine(LatestCheckpoint(RunPath), "model.safetensors")).Length;
        TrainingProcess.Run(["train", "--resume", RunPath, "--maxSteps", "40"], $"trap '' XFSZ; ulimit -f {weights / 512 * 3 / 2}")
            .AssertError(1, "step-00000015", "was not written", "intact", "step-00000010", "Free some space");

        Assert.That(Directory.GetFileSystemEntries(Path.Combine(RunPath, "checkpoints")), Is.EquivalentTo(before));
        Resume(RunPath);
        AssertEndsAs(In("unbroken"));

        void AssertEndsAs(string other)
        {
            foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
            {
                Assert.That(File.ReadAllBytes(Path.Combine(LatestCheckpoint(RunPath), file)),
                    Is.EqualTo(File.ReadAllBytes(Path.Combine(LatestCheckpoint(other), file))));
            }
        }
    }

    [Test]
    public void TwoRunsMayWantTheSameTextAtOnce()
    {
        Write("text.txt", Text(300_000));
        var recipe = WriteRecipe(Tiny() with { Tokenizer = "bpe", VocabSize = 1000, MaxSteps = 2 });
        string[] names = ["first", "second", "third"];
        var processes = names.Select(name => new TrainingProcess(["train", recipe, "--outputDir", In(name)])).ToList();
        foreach (var process in processes)
        {
            using (process)
                Assert.That(process.Wait().ExitCode, Is.Zero, process.ToString());
        }

        AssertSameRun(In("second"), In("first"));
        AssertSameRun(In("third"), In("first"));
    }

    /// <summary>That a run with other options is refused, leaves nothing, and that the run without them then works.</summary>
    private void AssertRefused(string[] arguments, int exitCode, params string[] parts)
    {
        var recipe = WriteRecipe(Tiny() with { MaxSteps = 1 });
        TrainingProcess.Run(["train", recipe, .. arguments]).AssertError(exitCode, parts);
        Assert.That(Directory.Exists(RunPath), Is.False, "nothing is left");
        if (Directory.Exists(In("cache")))
            Assert.That(Directory.GetFileSystemEntries(In("cache"), "*.partial", SearchOption.AllDirectories), Is.Empty);
        Train(Tiny() with { MaxSteps = 1 });
        Directory.Delete(RunPath, recursive: true);
    }
}
