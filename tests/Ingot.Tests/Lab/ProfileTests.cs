using System.Text.Json;
using Ingot.Lab;
using Ingot.Models;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Lab;

public class ProfileTests
{
    private readonly TemporaryDirectory _folder = new();

    [OneTimeTearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void SamplesSayMedianQuartilesAndError()
    {
        var samples = new Samples([5, 1, 3, 2, 4]);
        Assert.That((samples.Best, samples.LowerQuartile, samples.Median, samples.UpperQuartile), Is.EqualTo((1.0, 2.0, 3.0, 4.0)));
        Assert.That(samples.Spread, Is.EqualTo(1.0 / 3).Within(1e-12));
        Assert.That(samples.MedianError, Is.EqualTo(1.2533 * 2 / 1.349 / Math.Sqrt(5)).Within(1e-12));
        Assert.That(new Samples([2, 1]).Median, Is.EqualTo(1.5));
        Assert.That(() => new Samples([]), Throws.ArgumentException);
    }

    [Test]
    public void DifferencesBeyondTheNoiseAreToldFromOthers()
    {
        static double[] Around(double centre, double noise) => [.. Enumerable.Range(0, 21).Select(i => centre + (noise * (i - 10) / 10))];
        ProfileFile before = Profile(("faster", Around(1, 0.01)), ("slower", Around(1, 0.01)), ("noisy", Around(1, 0.8)), ("near",
            Around(1, 0.001)), ("gone", [1]),
            ("tiny", [1e-7]));
        ProfileFile after = Profile(("faster", Around(0.9, 0.01)), ("slower", Around(1.5, 0.01)), ("noisy", Around(1.2, 0.8)), ("near",
            Around(1.01, 0.001)), ("new", [1]),
            ("tiny", [5e-7]));
        var verdicts = ProfileDiff.Compare(before, after).ToDictionary(entry => entry.Name, entry => entry.Verdict);
        Assert.That(verdicts, Is.EquivalentTo(new Dictionary<string, Verdict>
        {
            ["faster"] = Verdict.Faster,
            ["slower"] = Verdict.Slower,
            ["noisy"] = Verdict.Same,
            ["near"] = Verdict.Same,
            ["gone"] = Verdict.Removed,
            ["new"] = Verdict.Added,
            ["tiny"] = Verdict.Same,
        }));
        Assert.That(ProfileDiff.Compare(before, after)[^1].Name, Is.EqualTo("tiny"), "largest difference first");
    }

    [Test]
    public void FilesComeBackAndOthersAreErrors()
    {
        ProfileFile profile = Profile(("a", [1, 2.5]), ("b", [0.25]));
        string path = _folder["profile.json"];
        profile.Write(path);
        ProfileFile read = ProfileFile.Read(path);
        Assert.That(read.Entries.Select(entry => (entry.Name, entry.Seconds.ToArray())), Is.EqualTo(profile.Entries.Select(entry =>
            (entry.Name, entry.Seconds.ToArray()))));

        string text = File.ReadAllText(path);
        Fails(text.Replace("\"version\":1", "\"version\":2"), "is a profile of version 2, and this program reads version 1");
        Fails(text.Replace("ingot-profile", "other"), "is no profile");
        Fails(text[..(text.Length / 2)], "is no profile");
        Fails("[]", "is no profile");
        Fails("", "is no profile");
        Fails(text.Replace("[0.25]", "[]"), "the entry \"b\" has no times");
        Fails(text.Replace("\"entries\"", "\"entrys\""), "is no profile");

        void Fails(string content, string message)
        {
            string bad = _folder["bad.json"];
            File.WriteAllText(bad, content);
            Assert.That(() => ProfileFile.Read(bad), Throws.TypeOf<InvalidDataException>().With.Message.Contains(message)
                .And.Message.Contains(bad));
        }
    }

    /// <summary>A real step: every call is there once, in order, and their times add up.</summary>
    [Test]
    public void AStepIsTakenApart()
    {
        var options = new TrainingOptions
        {
            Model = "gpt2",
            Device = "cpu",
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            HiddenSize = 16,
            SequenceLength = 24,
            VocabSize = 300,
            PerDeviceTrainBatchSize = 2,
            Kernels = new Dictionary<string, string> { ["h.1.attn/attention"] = "naive" },
        };
        StepProfileResult profile = StepProfile.Run(options, steps: 3);
        Assert.That(profile.Steps.Seconds, Has.Count.EqualTo(3));
        Assert.That(profile.Tokens, Is.EqualTo(48));
        Assert.That(profile.Calls.Where(call => call.Op == "attention").Select(call => (call.Kernel, call.Layer)),
            Is.EqualTo([("fused", "transformer.h.0"), ("naive", "transformer.h.1")]));
        double end = 0;
        foreach (StepCall call in profile.Calls)
        {
            Assert.That(call.Start, Is.GreaterThanOrEqualTo(end - 1e-9));
            end = call.Start + call.Length;
        }

        Assert.That(end, Is.LessThanOrEqualTo(profile.Steps.Seconds[^1]));
        for (int step = 0; step < 3; step++)
        {
            Assert.That(profile.Calls.Sum(call => call.Times.Seconds[step]) + profile.Between.Seconds[step],
                Is.EqualTo(profile.Steps.Seconds[step]).Within(1e-9));
        }

        ProfileFile file = profile.ToFile();
        foreach (string group in new[] { "op", "kernel", "layer" })
        {
            Assert.That(file.Entries.Where(entry => entry.Group == group).Sum(entry => entry.Calls), Is.EqualTo(profile.Calls.Count),
                group);
        }

        ChromeTrace.Write(_folder["trace.json"], profile);
        using JsonDocument trace = JsonDocument.Parse(File.ReadAllBytes(_folder["trace.json"]));
        JsonElement[] events = [.. trace.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph")
            .GetString() == "X")];
        Assert.That(events.Count(e => e.GetProperty("tid").GetInt32() == 1), Is.EqualTo(profile.Calls.Count));
        Assert.That(events.Where(e => e.GetProperty("tid").GetInt32() == 2).Select(e => e.GetProperty("name").GetString()),
            Does.Contain("transformer.h.1"));

        ProfilePage.Write(_folder["profile.html"], profile);
        string page = File.ReadAllText(_folder["profile.html"]);
        Assert.That(page, Does.Contain("<h2>Roofline</h2>").And.Contain("attention=naive").And.Contain("transformer.h.1")
            .And.Not.Contain("NaN").And.Not.Contain("<script"));
        Assert.That(page.Split("<circle").Length - 1, Is.EqualTo(profile.Sums("kernel", call => call.Name).Count(entry => entry.Flops > 0
            && entry.Bytes > 0)));
    }

    /// <summary>
    /// Encoders and encoder-decoders are taken apart like decoders: all attentions are there, forward and backward, those over sources with
    /// keys of the sources' length.
    /// </summary>
    [TestCase("t5-tiny", null, "encoder.block.1", "decoder.block.0")]
    [TestCase("transformer-tiny", null, "model.encoder.layers.1", "model.decoder.layers.0")]
    [TestCase("bert-tiny", null, "bert.encoder.layer.1")]
    [TestCase("bert-tiny", ModelTask.SequenceClassification, "bert.encoder.layer.1")]
    [TestCase("bert-tiny", ModelTask.TokenClassification, "bert.encoder.layer.1")]
    public void StepsOfEncodersAndEncoderDecodersAreTakenApart(string model, ModelTask? task, params string[] layers)
    {
        var isPair = layers.Length > 1;
        var profile = StepProfile.Run(
            new TrainingOptions
            {
                Model = model,
                Task = task,
                Device = "cpu",
                NumHiddenLayers = 2,
                NumAttentionHeads = 2,
                HiddenSize = 16,
                IntermediateSize = 24,
                VocabSize = 300,
                PerDeviceTrainBatchSize = 2,
                SequenceLength = isPair ? null : 12,
                MaxTargetLength = isPair ? 12 : null,
                MaxSourceLength = isPair ? 20 : null,
            },
            steps: 1);

        Assert.That(profile.Tokens, Is.EqualTo(24));
        Assert.That(profile.What, Does.Contain(isPair ? "2 x 12 tokens from sources of 20" : "2 x 12 tokens, "));
        var attentions = profile.Calls.Where(call => call.Op is "attention" or "attention_backward").ToList();
        Assert.That(attentions, Has.Count.EqualTo(2 * (isPair ? 6 : 2)));
        Assert.That(attentions.Count(call => call.Operands.StartsWith("[2, 12, 2, ", StringComparison.Ordinal)
            && call.Operands.Contains("[2, 20, 2, ", StringComparison.Ordinal)), Is.EqualTo(isPair ? 4 : 0), "over the sources");
        Assert.That(profile.Sums("layer", call => call.Layer).Select(entry => entry.Name), Is.SupersetOf(layers));
        Assert.That(profile.Calls.Sum(call => call.Times.Seconds[0]) + profile.Between.Seconds[0],
            Is.EqualTo(profile.Steps.Seconds[0]).Within(1e-9));
        ProfilePage.Write(_folder["other.html"], profile);
        ChromeTrace.Write(_folder["other.json"], profile);
        Assert.That(File.ReadAllText(_folder["other.html"]), Does.Contain(layers[0]).And.Not.Contain("NaN"));
        Assert.That(File.ReadAllText(_folder["other.json"]), Does.Contain(layers[0]));
    }

    private static ProfileFile Profile(params (string Name, double[] Seconds)[] entries) =>
        ProfileFile.Create("test", "CPU", new Ceilings(1e9, 1e9), [.. entries.Select(entry => new ProfileEntry("op", entry.Name, 1, 0, 0,
            entry.Seconds))]);
}
