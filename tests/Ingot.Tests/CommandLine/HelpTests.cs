using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

public sealed class HelpTests
{
    [Test]
    public void ProgramNamesItsCommands()
    {
        IngotProcess.Result result = IngotProcess.Run("--help");

        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Error, Is.Empty);
        foreach (string command in new[] { "train", "generate", "translate", "summarize", "evaluate", "chat", "tokenizer", "import", "export", "adapter", "plan", "bench", "profile", "kernels", "doctor" })
        {
            Assert.That(result.Output, Does.Contain($"\n  {command} "), command);
        }
    }

    [TestCase("train")]
    [TestCase("generate")]
    [TestCase("chat")]
    [TestCase("translate")]
    [TestCase("summarize")]
    [TestCase("evaluate")]
    [TestCase("tokenizer")]
    [TestCase("tokenizer encode")]
    [TestCase("tokenizer decode")]
    [TestCase("tokenizer train")]
    [TestCase("tokenizer show")]
    [TestCase("import")]
    [TestCase("export")]
    [TestCase("adapter")]
    [TestCase("adapter merge")]
    [TestCase("adapter unmerge")]
    [TestCase("plan")]
    [TestCase("bench")]
    [TestCase("bench step")]
    [TestCase("bench generate")]
    [TestCase("kernels")]
    [TestCase("doctor")]
    public void CommandShowsItsUseAndExamples(string command)
    {
        IngotProcess.Result result = IngotProcess.Run(command + " --help");

        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Error, Is.Empty);
        Assert.That(result.Output, Does.Contain($"Usage:\n  ingot {command}"));
        Assert.That(result.Output, Does.Match($@"Examples:\n  .*ingot {command}"));
    }

    [Test]
    public void TrainListsEveryOptionWithItsMeaning()
    {
        string[] lines = IngotProcess.Run("train --help").Output.Split('\n');

        foreach (OptionKey key in OptionKey.All)
        {
            string? line = lines.FirstOrDefault(line => line.StartsWith($"  --{key.Name} ", StringComparison.Ordinal));
            Assert.That(line, Is.Not.Null, key.Name);
            Assert.That(line![(key.Name.Length + 4)..].Trim(), Is.Not.Empty, $"{key.Name} is not described");
        }
    }

    [Test]
    public void DefaultsAreShownAsARecipeWritesThem()
    {
        string help = IngotProcess.Run("data prepare --help").Output;

        Assert.That(help, Does.Contain("[text]"), "a list");
        Assert.That(help, Does.Contain(@"[\n\n]"), "line feeds");
        Assert.That(help, Does.Not.Contain("System."));
    }

    [Test]
    public void VersionIsThatOfTheAssembly() => Assert.That(
        IngotProcess.Run("--version").Output,
        Does.StartWith(typeof(TrainingOptions).Assembly.GetName().Version!.ToString(3)));
}
