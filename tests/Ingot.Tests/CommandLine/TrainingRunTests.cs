using System.Globalization;
using System.Text;
using System.Text.Json;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>Small models trained, stopped, resumed and used by the real process.</summary>
public sealed class TrainingRunTests : FolderTests
{
    [SetUp]
    public void WriteRecipe()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 600; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"line {i}: {i} and {i + 1} make {2 * i + 1}.\n");
        }

        Write("text.txt", text.ToString());
        Write("tiny.json", """
            {
              "model": "gpt2", "numHiddenLayers": 2, "numAttentionHeads": 2, "hiddenSize": 32, "sequenceLength": 32,
              "data": "text.txt", "tokenizer": "char", "perDeviceTrainBatchSize": 4, "maxSteps": 20,
              "learningRate": 1e-2, "warmupSteps": 2, "loggingSteps": 5, "evalSteps": 10, "evalIterations": 4, "saveSteps": 10
            }
            """);
    }

    [Test]
    public void ARecipeIsTrainedAndTheModelWrites()
    {
        IngotProcess.Result train = Run("train", "tiny.json", "--samplePrompts", "line ");

        Assert.That(train.ExitCode, Is.Zero, train.Error);
        string run = In("runs/tiny");
        JsonElement[] rows = [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        foreach (JsonElement row in rows)
        {
            foreach (string key in new[] { "step", "loss", "learningRate", "gradNorm", "tokensPerSecond" })
            {
                Assert.That(row.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number, Is.True, key);
            }
        }

        Assert.That(rows.Last().GetProperty("evalLoss").GetDouble(), Is.LessThan(rows.First().GetProperty("loss").GetDouble()));
        Assert.That(File.ReadAllText(Path.Combine(run, "report.html")), Does.Contain("<svg"));

        IngotProcess.Result first = Run("generate", "--model", "runs/tiny", "--prompt", "line ", "--maxNewTokens", "20");
        IngotProcess.Result again = Run("generate", "--model", "runs/tiny/checkpoints/step-00000020", "--prompt", "line ", "--maxNewTokens", "20");
        Assert.That(first.ExitCode, Is.Zero, first.Error);
        Assert.That(first.Output, Does.StartWith("line ").And.Length.GreaterThan(20));
        Assert.That(again.Output, Is.EqualTo(first.Output));
    }

    [Test]
    public void ASecondRunGetsANumberUnlessItMayOverwrite()
    {
        string[] train = ["train", "tiny.json", "--maxSteps", "2", "--evalSteps", "0"];

        Assert.That(Run(train).ExitCode, Is.Zero);
        Assert.That(Run(train).ExitCode, Is.Zero);
        Assert.That(Run([.. train, "--overwriteOutputDir"]).ExitCode, Is.Zero);

        Assert.That(Directory.GetDirectories(In("runs")).Select(Path.GetFileName), Is.EquivalentTo(new[] { "tiny", "tiny-2" }));
    }

    [Test]
    public void ARunDirectoryThatIsTakenIsAnError()
    {
        Assert.That(Run("train", "tiny.json", "--maxSteps", "2", "--outputDir", "here").ExitCode, Is.Zero);

        IngotProcess.Result result = Run("train", "tiny.json", "--maxSteps", "2", "--outputDir", "here");

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("error: ").And.Contain("--resume here").And.Contain("--overwriteOutputDir"));
    }

    [TestCase(IngotProcess.Interrupt, false, 130)]
    [TestCase(IngotProcess.Interrupt, true, 130)]
    [TestCase(IngotProcess.Terminate, false, 143)]
    public void ASignalFinishesTheStepAndSavesAndResumeGoesOn(int signal, bool isBackground, int exitCode)
    {
        string[] train = ["train", "tiny.json", "--maxSteps", "1000000000", "--evalSteps", "0", "--saveSteps", "0", "--outputDir", "run"];
        using (IngotProcess process =
            isBackground ? IngotProcess.StartInBackground(train, Folder, Cache) : IngotProcess.Start(train, Folder, Cache))
        {
            WaitUntil(process, () => File.Exists(In("run/metrics.jsonl")) && File.ReadAllText(In("run/metrics.jsonl")).Contains('\n'));
            process.Signal(signal);
            IngotProcess.Result result = process.Wait();
            Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Error);
        }

        string saved = Path.GetFileName(Directory.GetDirectories(In("run/checkpoints"), "step-*").Single());
        long step = long.Parse(saved["step-".Length..], CultureInfo.InvariantCulture);
        long last = step + 3;

        IngotProcess.Result resumed = Run("train", "--resume", "run", "--maxSteps", last.ToString(CultureInfo.InvariantCulture));

        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(Directory.Exists(In($"run/checkpoints/step-{last:00000000}")), Is.True);
    }

    [TestCase("train --resume nowhere", "error: There is no run to resume at 'nowhere'")]
    [TestCase("train tiny.json --data nowhere.txt", "nowhere.txt")]
    [TestCase("train tiny.json --sequenceLength 1000000", "error: ")]
    [TestCase("generate --model nowhere", "error: nowhere: no such directory")]
    [TestCase("generate --model .", "error: .: no tokenizer here")]
    public void WhatIsMissingOrDoesNotFitIsAFailure(string arguments, string expected)
    {
        IngotProcess.Result result = Run(arguments.Split(' '));

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.StartWith("error: ").And.Contain(expected).And.Not.Contain("   at "));
        Assert.That(result.ErrorLines, Has.Length.LessThanOrEqualTo(2));
    }

    [TestCase("train tiny.json --resume run", "error: --resume takes the run's own recipe: leave out tiny.json; options may be given")]
    public void WhatContradictsItselfIsAUsageError(string arguments, string expected)
    {
        IngotProcess.Result result = Run(arguments.Split(' '));

        Assert.That(result.Error, Does.StartWith(expected));
        Assert.That(result.ExitCode, Is.EqualTo(2));
    }

    // Tokenizers and token files are kept in the test's folder, too.
    private (string, string) Cache => ("INGOT_CACHE", In("cache"));

    private IngotProcess.Result Run(params string[] arguments) => IngotProcess.Run(arguments, Folder, Cache);

    private static void WaitUntil(IngotProcess process, Func<bool> condition)
    {
        for (int i = 0; i < 3000 && !process.HasExited; i++)
        {
            if (condition())
            {
                return;
            }

            Thread.Sleep(20);
        }

        Assert.Fail($"The process did not get there. It wrote:\n{process.Wait().Error}");
    }
}
