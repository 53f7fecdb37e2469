using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>Whatever a user gets wrong before anything starts: exit code 2, one clear line, nothing on stdout, nothing left behind.</summary>
public sealed class UsageErrorTests : FolderTests
{
    [TestCase("trane", "error: ingot has no command trane: did you mean train?")]
    [TestCase("train --maxStep 3", "error: ingot train has no option --maxStep: did you mean --maxSteps?")]
    [TestCase("train some.json --per_device_train_batch_size 3",
        "error: ingot train has no option --per_device_train_batch_size: did you mean --perDeviceTrainBatchSize?")]
    [TestCase("train some.json other.json", "error: ingot train has no place for other.json")]
    [TestCase("kernels --jsn", "error: ingot kernels has no option --jsn: did you mean --json?")]
    [TestCase("bench stop", "error: ingot bench has no command stop: did you mean step?")]
    [TestCase("bench", "error: Required command was not provided.")]
    [TestCase("generate --prompt x", "error: Option '--model' is required.")]
    [TestCase("plan --model gpt2-125m", "error: --model does not make a model: model 'gpt2-125m' is not known")]
    [TestCase("plan --model gpt2 --numHiddenLayers 2 --hiddenSize 65 --numAttentionHeads 4 --sequenceLength 8",
        "error: --hiddenSize is 65, which numAttentionHeads 4 does not divide: take 64 or 68, or another number of heads")]
    [TestCase("plan --learningRate fast", "error: --learningRate is \"fast\", but must be a number")]
    [TestCase("plan --kernels naive", "error: --kernels is \"naive\", but must be name=value, for example attention=naive")]
    [TestCase("plan --seed 1 --seed 2", "error: Option '--seed' expects a single argument but 2 were provided.")]
    [TestCase("plan --seed", "error: Required argument missing for option: '--seed'.")]
    [TestCase("plan nowhere.json", "error: nowhere.json: no such recipe")]
    [TestCase("train", "error: data is not set: name a file of text or examples, a folder of such files, or give texts")]
    [TestCase("bench step --preset gpt2-124", "error: --preset \"gpt2-124\" is not known: did you mean gpt2-124m?")]
    [TestCase("bench step --batch 0", "error: --batch is 0, but must be a whole number of at least 1")]
    [TestCase("bench step --batch many", "error: --batch is \"many\", but must be a whole number")]
    [TestCase("kernels matmull", "error: there is no op \"matmull\": did you mean matmul?")]
    [TestCase("generate --model nowhere --topP 2", "error: --topP is 2; it must be above 0 and at most 1")]
    [TestCase("generate --model nowhere --repetitionPenalty 0", "error: --repetitionPenalty is 0; it must be from 0.01 to 100, 1 for none")]
    [TestCase("generate --model nowhere --noRepeatNgramSize two", "error: --noRepeatNgramSize is \"two\", but must be a whole number")]
    public void CommandLineIsWrong(string arguments, string expected)
    {
        IngotProcess.Result result = IngotProcess.Run(arguments, Folder);

        Assert.That(result.Error, Does.StartWith(expected));
        Assert.That(result.Error, Does.Not.Contain("   at "), "a stack trace");
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Output, Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(Folder), Is.Empty);
    }

    [TestCase("""{ "data": "x", "learninRate": 1 }""", "error: bad.json:1: learninRate is not an option: did you mean learningRate?")]
    [TestCase("{\n  \"data\": \"x\",\n  \"maxSteps\": true\n}", "error: bad.json:3: maxSteps is \"True\", but must be a whole number")]
    [TestCase("""{ "data": "x", "hiddenSize": 100 }""", "error: model does not make a model: the width 100 (n_embd) is not divisible by 12 heads")]
    [TestCase("{ \"data\": \"x\",\n \"seed\": }", "error: bad.json:2: not JSON: ")]
    [TestCase("", "error: bad.json:1: not JSON: ")]
    public void RecipeIsWrong(string recipe, string expected)
    {
        Write("bad.json", recipe);

        IngotProcess.Result result = IngotProcess.Run("train bad.json", Folder);

        Assert.That(result.Error, Does.StartWith(expected));
        Assert.That(result.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(Directory.GetFileSystemEntries(Folder), Has.Length.EqualTo(1));
    }

    [Test]
    public void EnvironmentIsWrong()
    {
        IngotProcess.Result result = IngotProcess.Run("plan", Folder, ("INGOT_MAX_STEP", "3"), ("INGOT_SEED", "x"));

        Assert.That(result.ErrorLines, Is.EquivalentTo(new[]
        {
            "error: INGOT_MAX_STEP is not an option: did you mean maxSteps?",
            "error: INGOT_SEED is \"x\", but must be a whole number",
        }));
        Assert.That(result.ExitCode, Is.EqualTo(2));
    }

    [Test]
    public void APromptMayBeginWithAnAtSign() =>
        Assert.That(IngotProcess.Run(["generate", "--model", "nowhere", "--prompt", "@nobody"], Folder).Error, Does.Not.Contain("@nobody"));
}
