using Ingot.Generation;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Models that were trained write text.</summary>
public sealed class GenerationTests : RunTests
{
    [Test]
    public void ATrainedModelWritesTheSameTextForTheSameSeed()
    {
        var result = Train(Tiny() with
        {
            MaxSteps = 200,
            EvalSteps = 50,
            SaveSteps = 50,
            SamplePrompts = ["the cat "],
            SampleMaxNewTokens = 40,
        });
        var best = Path.Combine(RunPath, "checkpoints", "best");

        var first = Generate("--model", best, "--prompt", "the cat ", "--maxNewTokens", "40", "--seed", "7");
        var again = Generate("--model", best, "--prompt", "the cat ", "--maxNewTokens", "40", "--seed", "7");
        var other = Generate("--model", best, "--prompt", "the cat ", "--maxNewTokens", "40", "--seed", "8");

        Assert.That(first.ExitCode, Is.Zero, first.ToString());
        Assert.That(first.Output, Does.StartWith("the cat "));
        Assert.That(again.Output, Is.EqualTo(first.Output));
        Assert.That(other.Output, Is.Not.EqualTo(first.Output));

        // The run, its latest checkpoint and the samples of the run say the same.
        using var latest = TextGenerator.Load(result.ModelDirectory);
        var options = new GenerationOptions { MaxNewTokens = 40, Temperature = 0.8, TopK = 50, Seed = 42 };
        using (var directory = Ingot.Training.RunDirectory.Resume(RunPath))
            Assert.That(string.Concat(latest.Stream("the cat ", options)), Is.EqualTo(directory.ReadSamples().Last().Text));
    }

    [Test]
    public void CharactersThatTheVocabularyLacksAreNamed()
    {
        Train(Tiny() with { MaxSteps = 1 });
        Generate("--model", RunPath, "--prompt", "the Ω").AssertError(1, "\"Ω\"", "vocabulary");
    }

    private static TrainingProcess.Ending Generate(params string[] arguments) => TrainingProcess.Run(["generate", .. arguments]);
}
