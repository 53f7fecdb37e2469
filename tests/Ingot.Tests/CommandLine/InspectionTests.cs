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

    [Test]
    public void KernelsForAShapeSaysWhichIsTakenAndWhyOthersAreNot()
    {
        IngotProcess.Result result = IngotProcess.Run("kernels attention --device cpu --shape B=1,T=64,H=4,D=32,causal=1 --json");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        using JsonDocument json = JsonDocument.Parse(result.Output);
        JsonElement decode = json.RootElement.EnumerateArray().Single(kernel => kernel.GetProperty("variant").GetString() == "decode");
        Assert.That(decode.GetProperty("reason").GetString(), Does.Contain("64 queries"));
        JsonElement taken = json.RootElement.EnumerateArray().Single(kernel => kernel.GetProperty("default").GetBoolean());
        Assert.That(taken.GetProperty("variant").GetString(), Is.EqualTo("fused"));
        // Two matmuls of the pairs that see each other, at two FLOPs for each product.
        Assert.That(taken.GetProperty("flops").GetDouble(), Is.EqualTo(4.0 * 4 * 32 * (64 * 65 / 2)).Within(25).Percent);
    }

    [TestCase("kernels attention --shape B=1,T=x", "--shape: T=x in \"B=1,T=x\": a size is a whole number")]
    [TestCase("kernels attention --shape B=1,T=2", "lacks H: attention takes q[B,T,H,D]:T")]
    [TestCase("kernels attention --shape Q=1", "attention has no dimension and no attribute \"Q\": its dimensions are B, T, H, D, S, KV")]
    [TestCase("kernels --shape B=1", "--shape belongs to one op")]
    public void AShapeThatIsNoneIsAnError(string arguments, string message)
    {
        IngotProcess.Result result = IngotProcess.Run(arguments);
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Error, Does.Contain(message));
    }

    [Test]
    public void PlanShowsAndChecksTheKernelsOfLayers()
    {
        const string Small = "plan --device cpu --model gpt2 --numHiddenLayers 3 --numAttentionHeads 2 --hiddenSize 16 --sequenceLength 32 "
            + "--vocabSize 300 --json ";
        using JsonDocument json = JsonDocument.Parse(IngotProcess.Run(Small + "--kernel h.1.attn/attention=naive").Output);
        var calls = json.RootElement.GetProperty("kernels").EnumerateArray().Where(kernel => kernel.GetProperty("op").GetString() == "attention")
            .ToDictionary(kernel => kernel.GetProperty("kernel").GetString()!, kernel => kernel.GetProperty("calls").GetInt32());
        Assert.That(calls, Is.EquivalentTo(new Dictionary<string, int> { ["naive"] = 1, ["fused"] = 2 }));

        Assert.That(IngotProcess.Run(Small + "--kernel h.3.attn/attention=naive").Error, Does.Contain("no call of attention is in a layer \"h.3.attn\""));
        IngotProcess.Result result = IngotProcess.Run(Small + "--kernel attention=decode");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("attention of 'transformer.h.0.attn': kernel attention=decode does not support this call: "
            + "32 queries, but it takes at most 4; supporting it: fused, naive"));

        // The environment goes before the recipe, the command line before both.
        string recipe = Path.Combine(TestContext.CurrentContext.WorkDirectory, "kernels-of-layers.json");
        File.WriteAllText(recipe, """{ "kernels": { "attention": "naive" } }""");
        string output = IngotProcess.Run($"{Small} {recipe}", null, ("INGOT_KERNEL", "attention=decode")).Error;
        Assert.That(output, Does.Contain("attention=decode does not support"));
        IngotProcess.Result both = IngotProcess.Run($"{Small} {recipe} --kernel attention=fused", null, ("INGOT_KERNEL", "attention=decode"));
        Assert.That(both.ExitCode, Is.Zero, both.Error);
        File.Delete(recipe);
    }
}
