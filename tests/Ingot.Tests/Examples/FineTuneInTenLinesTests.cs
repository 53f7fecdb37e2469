using Ingot.Tests.Runs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Examples;

/// <summary>The example as a process, on a small model that is trained first.</summary>
public sealed class FineTuneInTenLinesTests : RunTests
{
    [Test]
    public void ItFineTunesAndWrites()
    {
        Write("names.txt", string.Concat(Enumerable.Repeat(
            "The ship is called Lantern. Lantern sails at dawn. The captain of Lantern is Mara. Mara knows every star.\n", 100)));
        var model = Train(Tiny() with { Data = In("names.txt"), SequenceLength = 64, MaxSteps = 3 }).ModelDirectory;

        var (exitCode, output, error) = ExampleProcess.Run("FineTuneInTenLines", In(""), In("cache"), model);

        Assert.That(exitCode, Is.Zero, error);
        Assert.That(output, Does.Match(@"\A(epoch \d+  loss \d+\.\d{3}\n)+The captain of(?s:.*)\n\z").And.Contains("epoch 20"));
    }

    [Test]
    public void AFolderThatIsNotThereIsNamed()
    {
        var (exitCode, _, error) = ExampleProcess.Run("FineTuneInTenLines", In(""), In("cache"), "no/such/model");
        Assert.That(exitCode, Is.Not.Zero);
        Assert.That(error, Does.Contain("no/such/model"));
    }
}
