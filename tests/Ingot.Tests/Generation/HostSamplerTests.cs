using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Settings that need the tokens so far, on a small random model whose context is shorter than the text.</summary>
public sealed class HostSamplerTests
{
    private static readonly int[] Prompt = [1, 2, 3, 1];

    private static readonly ModelConfig Model = ModelGradientTests.Models[0];

    private static readonly GenerationOptions Plain = new() { MaxNewTokens = 60, Temperature = 1, TopK = 0 };

    private ParameterStore _store = null!;
    private Decoder _decoder = null!;

    [SetUp]
    public void SetUp()
    {
        _store = ModelGradientTests.Store(Model, DType.F32, training: false);
        _decoder = new Decoder(Model, _store);
    }

    [TearDown]
    public void TearDown()
    {
        _decoder.Dispose();
        _store.Dispose();
    }

    [TestCase(2)]
    [TestCase(3)]
    public void NoNgramComesTwice(int size)
    {
        Assert.That(Repeated(Write(Plain with { Temperature = 0 }), size), Is.True, "without it one does");
        foreach (var temperature in new[] { 0, 0.3, 1 })
            Assert.That(Repeated(Write(Plain with { Temperature = temperature, NoRepeatNgramSize = size }), size), Is.False);
    }

    // The vocabulary has 37 tokens, and the prompt has one of them twice.
    [Test]
    public void WhenEveryTokenWouldRepeatTheErrorSaysWhatToChange() => Assert.That(
        () => Write(Plain with { NoRepeatNgramSize = 1 }),
        Throws.ArgumentException.With.Message.StartsWith("noRepeatNgramSize is 1, but after 38 tokens every token would repeat: "));

    [Test]
    public void EqualSeedsWriteEqualText()
    {
        var options = Plain with { RepetitionPenalty = 1.2, PresencePenalty = 0.1, FrequencyPenalty = 0.1, TypicalP = 0.9, TopP = 0.95 };
        var first = Write(options);
        Assert.That(first, Has.Count.EqualTo(Prompt.Length + 60));
        Assert.That(Write(options), Is.EqualTo(first));
        Assert.That(Write(options with { Seed = 43 }), Is.Not.EqualTo(first));
    }

    [Test]
    public void GreedyTextIsThatOfTheOpWhenThePenaltyIsTooSmallToMatter()
    {
        var greedy = Plain with { Temperature = 0 };
        var onHost = greedy with { PresencePenalty = 1e-30 };
        Assert.That((HostSampler.IsNeeded(greedy), HostSampler.IsNeeded(onHost)), Is.EqualTo((false, true)));
        Assert.That(Write(onHost), Is.EqualTo(Write(greedy)));
    }

    [Test]
    public void PenaltiesMakeTextMoreVaried()
    {
        int Different(GenerationOptions options) => Write(options with { Temperature = 0.5 }).Distinct().Count();
        var plain = Different(Plain);
        Assert.That(Different(Plain with { RepetitionPenalty = 3 }), Is.GreaterThan(plain));
        Assert.That(Different(Plain with { PresencePenalty = 3 }), Is.GreaterThan(plain));
        Assert.That(Different(Plain with { FrequencyPenalty = 3 }), Is.GreaterThan(plain));
    }

    [Test]
    public void PresenceAndFrequencyLeaveThePromptAlone()
    {
        var options = Plain with { Temperature = 0, PresencePenalty = 5, FrequencyPenalty = 5 };
        Assert.That(HostSampler.Next([2, 1, 0], [0, 0], 2, options, 0), Is.Zero);
        Assert.That(HostSampler.Next([2, 1, 0], [0, 0], 1, options, 0), Is.EqualTo(1));
        var repetition = Plain with { Temperature = 0, RepetitionPenalty = 5 };
        Assert.That(HostSampler.Next([2, 1, 0], [0, 0], 2, repetition, 0), Is.EqualTo(1), "the repetition penalty does not");
    }

    [Test]
    public void DrawsAreAsLikelyAsTheLogitsSay()
    {
        const int Draws = 20_000;
        double[] probabilities = [0.5, 0, 0.3, 0.2];
        float[] logits = [.. probabilities.Select(p => (float)Math.Log(p))];
        var counts = new int[4];
        for (var step = 0; step < Draws; step++)
            counts[Probabilities.Draw(logits, seed: 1, step)]++;
        for (var id = 0; id < 4; id++)
            Assert.That(counts[id], Is.EqualTo(Draws * probabilities[id]).Within(4.5 * Math.Sqrt(Draws * probabilities[id])));
    }

    [Test]
    public void AVeryLowTemperatureIsGreedy() => Assert.That(
        HostSampler.Next([1, 3, 2], [0], 1, Plain with { Temperature = 1e-300, TypicalP = 0.5 }, 0), Is.EqualTo(1));

    [Test]
    public void BadSettingsAreNamed()
    {
        void Refuses(GenerationOptions options, string message) =>
            Assert.That(options.Validate, Throws.ArgumentException.With.Message.StartsWith(message));
        Refuses(Plain with { RepetitionPenalty = 0 }, "repetitionPenalty is 0; it must be from 0.01 to 100");
        Refuses(Plain with { RepetitionPenalty = double.NaN }, "repetitionPenalty is NaN");
        Refuses(Plain with { PresencePenalty = double.PositiveInfinity }, "presencePenalty is");
        Refuses(Plain with { FrequencyPenalty = -101 }, "frequencyPenalty is -101; it must be from -100 to 100");
        Refuses(Plain with { NoRepeatNgramSize = -1 }, "noRepeatNgramSize is -1; it must be 0 (no limit) or more");
        Refuses(Plain with { TypicalP = 0 }, "typicalP is 0; it must be above 0 and at most 1");
        Refuses(Plain with { TypicalP = double.NaN }, "typicalP is NaN");
        Refuses(Plain with { Stop = ["a", ""] }, "stop is \"\"; it must be one character or more");
    }

    private List<int> Write(GenerationOptions options) => [.. Prompt, .. _decoder.Write(Prompt, options)];

    private static bool Repeated(List<int> tokens, int size) => Enumerable.Range(0, tokens.Count - size + 1)
        .GroupBy(i => string.Join(' ', tokens.GetRange(i, size))).Any(group => group.Count() > 1);
}
