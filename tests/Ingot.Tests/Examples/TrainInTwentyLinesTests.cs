using System.Text;
using NUnit.Framework;

namespace Ingot.Tests.Examples;

/// <summary>The example as a process, as a reader of it would start it.</summary>
public class TrainInTwentyLinesTests
{
    [Test]
    public void ItTrainsAndWrites()
    {
        using var folder = new TemporaryDirectory();
        var text = string.Concat(Enumerable.Range(0, 400).Select(i => $"Line {i} of a text that a small model can learn from.\n"));
        var (exitCode, output, error) = Run(folder, folder.Write("text.txt", Encoding.UTF8.GetBytes(text)), "3");

        Assert.That(exitCode, Is.Zero, error);
        // Steps, then what the model wrote, then where it is.
        Assert.That(output, Does.Match(@"\A(step \d/3  loss \d\.\d{3}\n)+(?!step)(?s:.*\S.*)\nvalidation loss \d\.\d{3}; "
            + @"the model is in runs/twenty-lines/checkpoints/step-00000003\n\z"));
        Assert.That(File.Exists(folder["runs/twenty-lines/report.html"]));
    }

    [Test]
    public void ATextThatIsNotThereIsNamed()
    {
        using var folder = new TemporaryDirectory();
        var (exitCode, _, error) = Run(folder, "no-such-text.txt", "3");
        Assert.That(exitCode, Is.Not.Zero);
        Assert.That(error, Does.Contain("no-such-text.txt"));
    }

    private static (int ExitCode, string Output, string Error) Run(TemporaryDirectory folder, params string[] arguments) =>
        ExampleProcess.Run("TrainInTwentyLines", folder.FullPath, folder["cache"], arguments);
}
