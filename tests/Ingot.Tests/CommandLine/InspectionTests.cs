using System.Text.Json;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>Commands that only look: kernels, doctor, plan.</summary>
public sealed class InspectionTests
{
    [Test]
    public void KernelsMarksOneDefaultForEachOp()
    {
        IngotProcess.Result result = IngotProcess.Run("kernels --json");

        Assert.That(result.ExitCode, Is.Zero, result.Error);
        using JsonDocument json = JsonDocument.Parse(result.Output);
        var kernels = json.RootElement.EnumerateArray()
            .Select(kernel => (Op: kernel.GetProperty("op").GetString(), Device: kernel.GetProperty("device").GetString(),
                IsDefault: kernel.GetProperty("default").GetBoolean(), Priority: kernel.GetProperty("priority").GetInt32()))
            .ToArray();
        Assert.That(kernels, Is.Not.Empty);
        foreach (var op in kernels.GroupBy(kernel => (kernel.Op, kernel.Device)))
        {
            Assert.That(op.Count(kernel => kernel.IsDefault), Is.EqualTo(1), op.Key.ToString());
            Assert.That(op.Single(kernel => kernel.IsDefault).Priority, Is.EqualTo(op.Max(kernel => kernel.Priority)), op.Key.ToString());
        }
    }

    [Test]
    public void KernelsOfOneOpAreShownAlone()
    {
        string[] lines = IngotProcess.Run("kernels attention").Output.Split('\n');

        Assert.That(lines[0], Does.StartWith("op "));
        Assert.That(lines.Skip(1).TakeWhile(line => line.Length > 0), Is.Not.Empty.And.All.StartsWith("attention "));
    }

    [Test]
    public void DoctorFindsWhatIsNeeded()
    {
        IngotProcess.Result result = IngotProcess.Run("doctor");

        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        Assert.That(result.Output, Does.Contain("found beside the program").And.Contain("a small matmul is right"));
    }

    [Test]
    public void DoctorSaysWhereItLookedForTheLibrary()
    {
        IngotProcess.Result result = IngotProcess.Run("doctor", environment: ("INGOT_LIBRARY", "/nowhere/libingot.so"));

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Output, Does.Contain("error: INGOT_LIBRARY is set").And.Contain("/nowhere/libingot.so"));
        Assert.That(result.Error, Is.Empty);
    }

    [Test]
    public void AMissingLibraryIsOneClearError()
    {
        IngotProcess.Result result = IngotProcess.Run("kernels", environment: ("INGOT_LIBRARY", "/nowhere/libingot.so"));

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.StartWith("error: INGOT_LIBRARY is set").And.Not.Contain("   at "));
    }

    [Test]
    public void DebugShowsTheStack()
    {
        IngotProcess.Result result =
            IngotProcess.Run("kernels", null, ("INGOT_LIBRARY", "/nowhere/libingot.so"), ("INGOT_DEBUG", "1"));

        Assert.That(result.Error, Does.Contain("   at Ingot."));
    }

    // GPT-2 124M has 124,439,808 parameters; fp32 AdamW keeps each, its gradient and two moments.
    [Test]
    public void PlanCountsWhatIsKnownOfGpt2()
    {
        IngotProcess.Result result = IngotProcess.Run("plan --model gpt2-124m --perDeviceTrainBatchSize 1 --json");

        Assert.That(result.ExitCode, Is.Zero, result.Error);
        using JsonDocument json = JsonDocument.Parse(result.Output);
        long Value(string name) => json.RootElement.GetProperty(name).GetInt64();
        Assert.That(Value("parameters"), Is.EqualTo(124_439_808));
        Assert.That(Value("tokensPerStep"), Is.EqualTo(1024));
        Assert.That(Value("optimizerBytes"), Is.EqualTo(2 * Value("gradientBytes")));
        Assert.That(Value("totalBytes"), Is.GreaterThan(16L * Value("parameters")));
    }

    [Test]
    public void PlanIsTextForPeople()
    {
        IngotProcess.Result result = IngotProcess.Run("plan --model gpt2-124m");

        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Contain("124,439,808").And.Contain("GiB"));
    }
}
