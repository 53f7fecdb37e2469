using Ingot.Tokenizers;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>That runs learn, and that what must not matter to the result does not.</summary>
public sealed class LearningTests : RunTests
{
    [TestCase("gpt2", Precision.Fp32)]
    [TestCase("gpt2", Precision.Bf16)]
    [TestCase("llama", Precision.Fp32)]
    [TestCase("llama", Precision.Bf16)]
    public void TheLossFallsOnRealText(string family, Precision precision)
    {
        Write("text.txt", TestData.JargonFile().AsSpan(600_000, 120_000).ToArray());
        var options = (family == "gpt2" ? Tiny() : TinyLlama()) with
        {
            HiddenSize = 64,
            SequenceLength = 32,
            PerDeviceTrainBatchSize = 8,
            Tokenizer = "bpe",
            VocabSize = 400,
            Precision = precision,
            MaxSteps = 300,
            LearningRate = 1e-3,
            EvalSteps = 150,
            EvalIterations = 0,
            LoggingSteps = 10,
        };

        var result = Train(options);

        var rows = Rows(RunPath);
        Assert.That(rows[0].Loss, Is.EqualTo(Math.Log(400)).Within(0.3), "at first, one token is as likely as another");
        Assert.That(rows[^1].Loss, Is.LessThan(rows[0].Loss - 1));
        var evaluations = rows.Where(row => row.EvalLoss is not null).ToList();
        Assert.That(evaluations.Select(row => row.Step), Is.EqualTo(new[] { 150, 300 }));
        Assert.That(evaluations[1].EvalLoss, Is.LessThan(evaluations[0].EvalLoss!));
        Assert.That(result.EvalLoss, Is.EqualTo(evaluations[1].EvalLoss));

        // Bits per byte are those of the validation text: its last tenth.
        var tokenizer = Tokenizer.Load(result.ModelDirectory);
        var text = File.ReadAllText(In("text.txt"));
        text = text[(int)(text.Length * 0.9)..];
        var bytes = System.Text.Encoding.UTF8.GetByteCount(text);
        var expected = result.EvalLoss!.Value / Math.Log(2) * tokenizer.Encode(text).Length / bytes;
        Assert.That(evaluations[1].EvalBitsPerByte, Is.EqualTo(expected).Within(0.2).Percent, "up to the end-of-text token");
        Assert.That(evaluations[1].EvalBitsPerByte, Is.InRange(1.5, 4.5));
        var link = new DirectoryInfo(Path.Combine(RunPath, "checkpoints", "best"));
        Assert.That(link.LinkTarget, Is.EqualTo("step-00000300"));
    }

    [Test]
    public void MicroBatchesAddUpToTheBatch()
    {
        Train(Tiny() with { PerDeviceTrainBatchSize = 8, OutputDir = In("whole") });
        Train(Tiny() with { PerDeviceTrainBatchSize = 2, GradientAccumulationSteps = 4, OutputDir = In("parts") });

        foreach (var (part, whole) in Rows(In("parts")).Zip(Rows(In("whole"))))
        {
            Assert.That(part.Tokens, Is.EqualTo(whole.Tokens));
            Assert.That(part.Loss, Is.EqualTo(whole.Loss).Within(1e-5 * whole.Loss), $"step {whole.Step}");
            Assert.That(part.LearningRate, Is.EqualTo(whole.LearningRate));
        }
    }

    [TestCase("gpt2", Precision.Fp32)]
    [TestCase("llama", Precision.Bf16)]
    public void GradientCheckpointingChangesNoBit(string model, Precision precision)
    {
        var family = model == "gpt2" ? Tiny() : TinyLlama();
        var options = family with { Dropout = 0.2, Precision = precision, GradientAccumulationSteps = 2 };
        foreach (var what in Enum.GetValues<GradientCheckpointing>())
            Train(options with { GradientCheckpointing = what, OutputDir = In(what.ToString()) });

        foreach (var what in new[] { GradientCheckpointing.Cheap, GradientCheckpointing.Block })
        {
            Assert.That(Rows(In(what.ToString())), Is.EqualTo(Rows(In("None"))));
            Assert.That(Weights(what), Is.EqualTo(Weights(GradientCheckpointing.None)));
        }

        byte[] Weights(GradientCheckpointing what) =>
            File.ReadAllBytes(Path.Combine(LatestCheckpoint(In(what.ToString())), "model.safetensors"));
    }

    [Test]
    public void SeedsDecideTheRun()
    {
        Train(Tiny() with { Dropout = 0.1, OutputDir = In("a") });
        Train(Tiny() with { Dropout = 0.1, OutputDir = In("b") });
        Train(Tiny() with { Dropout = 0.1, Seed = 43, OutputDir = In("c") });
        AssertSameRun(In("b"), In("a"));
        Assert.That(Rows(In("c"))[0].Loss, Is.Not.EqualTo(Rows(In("a"))[0].Loss));
    }
}
