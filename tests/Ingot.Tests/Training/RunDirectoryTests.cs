using Ingot.Reports;
using Ingot.Tests.Checkpoints;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

/// <summary>Who may use a run's directory, and what resuming keeps of its logs.</summary>
[TestFixture]
public sealed class RunDirectoryTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void ANewRunIsMadeAndResumed()
    {
        var path = Path.Combine(_directory["runs"], "first");
        using (var run = RunDirectory.Create(path))
        {
            Assert.That(run.Name, Is.EqualTo("first"));
            run.WriteConfig("{\"seed\":1}");
        }

        using var resumed = RunDirectory.Resume(path + "/");
        Assert.That(File.ReadAllText(resumed.ConfigPath), Is.EqualTo("{\"seed\":1}"));
        Assert.That(resumed.Name, Is.EqualTo("first"));
    }

    [Test]
    public void AnEarlierRunIsNotOverwrittenSilently()
    {
        using (var run = RunDirectory.Create(_directory["run"]))
        {
            run.WriteConfig("{}");
            run.OpenMetrics().Dispose();
            run.OpenSamples().Dispose();
            run.OpenTensorBoard().Dispose();
            run.OpenCheckpoints().Save(1, [Ingot.Checkpoints.CheckpointFile.Text("a", "b")]);
            File.WriteAllText(run.ReportPath, "");
        }

        File.WriteAllText(Path.Combine(_directory["run"], "notes.txt"), "mine");
        Assert.That(
            () => RunDirectory.Create(_directory["run"]),
            Throws.InstanceOf<IOException>().With.Message.Contains("already holds a run").And.Message.Contains("--resume")
                .And.Message.Contains("--outputDir").And.Message.Contains("--overwriteOutputDir"));
        string[] earlier = Left();
        RunDirectory.Create(_directory["run"], overwrite: true).Dispose();
        Assert.That(Left(), Is.EqualTo(earlier), "the earlier run stays until the new one begins");
        using (var run = RunDirectory.Create(_directory["run"], overwrite: true))
        {
            run.WriteConfig("{}");
            Assert.That(Left(), Is.EqualTo((string[])[".lock", "config.json", "notes.txt"]), "what is not the run's own stays");
        }

        string[] Left() => [.. Directory.GetFileSystemEntries(_directory["run"]).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];
    }

    [Test]
    public void ARunThatNeverBeganLeavesNothing()
    {
        RunDirectory.Create(_directory["new"]).Dispose();
        Assert.That(Directory.Exists(_directory["new"]), Is.False);

        Directory.CreateDirectory(_directory["empty"]);
        RunDirectory.Create(_directory["empty"]).Dispose();
        Assert.That(Directory.GetFileSystemEntries(_directory["empty"]), Is.Empty);

        // As a kill in the first moment leaves it.
        File.WriteAllText(Path.Combine(_directory["empty"], ".lock"), "123");
        File.WriteAllText(Path.Combine(_directory["empty"], "config.json.tmp"), "{");
        using var run = RunDirectory.Create(_directory["empty"]);
        run.WriteConfig("{}");
        Assert.That(File.Exists(run.ConfigPath));
    }

    [Test]
    public void ForeignDirectoriesAreLeftAlone()
    {
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(_directory["home"]).FullName, "thesis.tex"), "");
        Assert.That(() => RunDirectory.Create(_directory["home"]), Throws.InstanceOf<IOException>().With.Message.Contains("'thesis.tex'"));
        Assert.That(Directory.GetFileSystemEntries(_directory["home"]), Has.Length.EqualTo(1));
        Assert.That(
            () => RunDirectory.Create(_directory.Write("file", [])),
            Throws.InstanceOf<IOException>().With.Message.Contains("is a file"));
        Assert.That(
            () => RunDirectory.Resume(_directory["none"]),
            Throws.InstanceOf<IOException>().With.Message.Contains("does not exist"));
        Assert.That(
            () => RunDirectory.Resume(_directory["home"]),
            Throws.InstanceOf<IOException>().With.Message.Contains("no run to resume"));
        Assert.That(Directory.GetFileSystemEntries(_directory["home"]), Has.Length.EqualTo(1));
    }

    [Test]
    public void ADirectoryInUseNamesTheProcess()
    {
        using (var holder = new SaverProcess("", "hold", _directory["run"]))
        {
            Assert.That(holder.ReadLine(), Is.EqualTo("ready"));
            Func<RunDirectory>[] ways = [Resume, () => RunDirectory.Create(_directory["run"]), () => RunDirectory.Create(_directory["run"], true)];
            foreach (var open in ways)
                Assert.That(open, Throws.InstanceOf<IOException>().With.Message.Contains($"in use by process {holder.Id}"));
            Assert.That(File.Exists(Path.Combine(_directory["run"], "config.json")), Is.True);
            holder.Kill();
        }

        Resume().Dispose(); // kill -9 leaves no lock behind.

        RunDirectory Resume() => RunDirectory.Resume(_directory["run"]);
    }

    [Test]
    public void MetricsAreOneJsonObjectALine()
    {
        using var run = RunDirectory.Create(_directory["run"]);
        using (var metrics = run.OpenMetrics())
        {
            metrics.Append(Row(1));
            Assert.That(File.ReadAllLines(run.MetricsPath), Has.Length.EqualTo(1), "a row is in the file at once");
            metrics.Append(Row(2) with { Loss = double.NaN, GradNorm = double.PositiveInfinity, Skipped = true });
            metrics.Append(Row(3) with { EvalLoss = 1.9, EvalBitsPerByte = 2.7 });
        }

        const string Middle = ",\"learningRate\":0.001,\"gradNorm\":0.5,\"tokensPerSecond\":41000,\"epoch\":0.25,";
        Assert.That(File.ReadAllLines(run.MetricsPath), Is.EqualTo((string[])
        [
            "{\"step\":1,\"loss\":2.5" + Middle + "\"tokens\":768,\"elapsedSeconds\":0.02}",
            "{\"step\":2,\"loss\":null" + Middle.Replace("0.5", "null") + "\"tokens\":1536,\"elapsedSeconds\":0.04,\"skipped\":true}",
            "{\"step\":3,\"loss\":2.5" + Middle + "\"tokens\":2304,\"elapsedSeconds\":0.06,\"evalLoss\":1.9,\"evalBitsPerByte\":2.7}",
        ]));
        var rows = run.ReadMetrics().ToList();
        Assert.That(rows[0], Is.EqualTo(Row(1)));
        Assert.That(rows[1].Loss, Is.NaN);
        Assert.That(rows[2].EvalLoss, Is.EqualTo(1.9));
    }

    [Test]
    public void ResumingRemovesLaterRowsAndHalfLines()
    {
        using var run = RunDirectory.Create(_directory["run"]);
        using (var metrics = run.OpenMetrics())
        {
            for (var step = 1; step <= 30; step++)
                metrics.Append(Row(step));
        }

        File.AppendAllText(run.MetricsPath, "{\"step\":7,\"lo");
        using (var metrics = run.OpenMetrics(lastStep: 20))
            metrics.Append(Row(21));
        Assert.That(run.ReadMetrics().Select(row => row.Step), Is.EqualTo(Enumerable.Range(1, 21)));
        Assert.That(File.ReadAllLines(run.MetricsPath), Has.Length.EqualTo(21));
        run.OpenMetrics(lastStep: 0).Dispose();
        Assert.That(run.ReadMetrics(), Is.Empty);
    }

    [Test]
    public void SamplesKeepTheirText()
    {
        using var run = RunDirectory.Create(_directory["run"]);
        var sample = new SampleReport(5, "ROMEO:", "\n\"Größe\" <✓>\t\u0001");
        using (var samples = run.OpenSamples())
            samples.Append(sample);
        Assert.That(run.ReadSamples(), Is.EqualTo((SampleReport[])[sample]));
        Assert.That(File.ReadAllText(run.SamplesPath), Does.Contain("Größe"));
    }

    [Test]
    public void AppendingAllocatesLittle()
    {
        using var run = RunDirectory.Create(_directory["run"]);
        using var metrics = run.OpenMetrics();
        for (var step = 1; step <= 100; step++)
            metrics.Append(Row(step));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var step = 101; step <= 1100; step++)
            metrics.Append(Row(step));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1000 * 256), "one small object a row");
    }

    private static MetricsRow Row(long step) => new()
    {
        Step = step,
        Loss = 2.5,
        LearningRate = 1e-3,
        GradNorm = 0.5,
        TokensPerSecond = 41_000,
        Epoch = 0.25,
        Tokens = step * 768,
        ElapsedSeconds = step * 2 / 100.0,
    };
}
