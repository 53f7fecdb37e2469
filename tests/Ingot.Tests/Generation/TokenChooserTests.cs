using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Settings that need the tokens so far, on a small random model whose context is shorter than the text.</summary>
public sealed class TokenChooserTests
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
        Throws.ArgumentException.With.Message.StartsWith("after 38 tokens every token is ruled out by noRepeatNgramSize 1: "));

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
        Assert.That((new TokenChooser(greedy, []).WorksOnHost, new TokenChooser(onHost, []).WorksOnHost), Is.EqualTo((false, true)));
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
        Assert.That(Best([2, 1, 0], [0, 0], 2, options), Is.Zero);
        Assert.That(Best([2, 1, 0], [0, 0], 1, options), Is.EqualTo(1));
        var repetition = Plain with { Temperature = 0, RepetitionPenalty = 5 };
        Assert.That(Best([2, 1, 0], [0, 0], 2, repetition), Is.EqualTo(1), "the repetition penalty does not");
    }

    // On the host and by the op the same filters, so the same seed draws the same.
    [Test]
    public void FiltersOnTheHostAreThoseOfTheOp()
    {
        var options = Plain with { Temperature = 0.7, TopK = 9, TopP = 0.8, MinP = 0.05 };
        var onHost = options with { EpsilonCutoff = 1e-30 };
        Assert.That((new TokenChooser(options, []).WorksOnHost, new TokenChooser(onHost, []).WorksOnHost), Is.EqualTo((false, true)));
        Assert.That(Write(onHost), Is.EqualTo(Write(options)));
    }

    [Test]
    public void AVeryLowTemperatureIsGreedy()
    {
        var greedy = Write(Plain with { DoSample = false });
        Assert.That(Write(Plain with { Temperature = 1e-300, TypicalP = 0.5 }), Is.EqualTo(greedy));
        Assert.That(Write(Plain with { Temperature = 1e-300 }), Is.EqualTo(greedy));
    }

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
        Refuses(Plain with { EpsilonCutoff = 1 }, "epsilonCutoff is 1; it must be at least 0 and below 1");
        Refuses(Plain with { EtaCutoff = -1 }, "etaCutoff is -1");
        Refuses(Plain with { NumBeams = 0 }, "numBeams is 0");
        Refuses(Plain with { NumBeams = 2, NumReturnSequences = 3 }, "numReturnSequences is 3; it must be at most numBeams, 2");
        Refuses(Plain with { DoSample = false, NumReturnSequences = 2 }, "numReturnSequences is 2; it must be 1 where the most likely");
        Refuses(Plain with { BadWordsIds = [[1], []] }, "badWordsIds is []");
        Refuses(Plain with { SequenceBias = [new([1], double.PositiveInfinity)] }, "sequenceBias is not finite");
        Refuses(Plain with { Stop = ["a", ""] }, "stop is \"\"; it must be one character or more");
    }

    [Test]
    public void TokensThatTheVocabularyLacksAreNamed()
    {
        void Refuses(GenerationOptions options, string message) =>
            Assert.That(() => options.Validate(37), Throws.ArgumentException.With.Message.StartsWith(message));
        Refuses(Plain with { SuppressTokens = [36, 37] }, "suppressTokens is 37; it must be a token id, from 0 to 36");
        Refuses(Plain with { BadWordsIds = [[1], [2, -1]] }, "badWordsIds is -1");
        Refuses(Plain with { EosTokenIds = [99] }, "eosTokenId is 99");
        Refuses(Plain with { ForcedBosTokenId = 37 }, "forcedBosTokenId is 37");
    }

    [Test]
    public void SettingsThatNeedTheTokensDecideWhatIsWritten()
    {
        var greedy = Plain with { DoSample = false };
        var plain = Write(greedy);
        var (first, second) = (plain[4], plain[5]);

        Assert.That(Write(greedy with { SuppressTokens = [first] })[4..], Has.None.EqualTo(first));
        Assert.That(Write(greedy with { BeginSuppressTokens = [first] })[4], Is.Not.EqualTo(first));
        var without = Write(greedy with { BadWordsIds = [[first, second]] });
        Assert.That(without[4], Is.EqualTo(first), "alone it may be written");
        Assert.That(without[4..].Zip(without[5..]), Has.None.EqualTo((first, second)));
        Assert.That(Write(greedy with { SequenceBias = [new([first, 7], 1000)] })[4..6], Is.EqualTo(new[] { first, 7 }));
        Assert.That(Write(greedy with { ForcedEosTokenIds = [11] })[^1], Is.EqualTo(11));

        var ends = greedy with { EosTokenIds = [first] };
        Assert.That(Write(ends), Is.EqualTo(Prompt), "the end is not written");
        Assert.That(Write(ends with { MinNewTokens = 3 }), Has.Count.GreaterThanOrEqualTo(Prompt.Length + 3));
        Assert.That(Write(ends with { MinLength = 7 }), Has.Count.GreaterThanOrEqualTo(7));
        Assert.That(Write(greedy with { MaxLength = 9 }), Has.Count.EqualTo(9));
        Assert.That(() => Write(greedy with { MaxLength = 4 }), Throws.ArgumentException.With.Message.Contains("the prompt alone has 4 tokens"));
        Assert.That(_decoder.Write([5], greedy with { ForcedBosTokenId = 23 }).First(), Is.EqualTo(23));
        Assert.That(Write(greedy with { ForcedBosTokenId = 23 }), Is.EqualTo(plain), "not after a longer prompt");
    }

    [Test]
    public void APromptLongerThanTheContextIsRefusedUnlessItMayBeCut()
    {
        int[] prompt = [.. Enumerable.Range(0, 12)];
        var greedy = Plain with { DoSample = false, MaxNewTokens = 1 };
        Assert.That(() => _decoder.Write(prompt, greedy),
            Throws.ArgumentException.With.Message.StartsWith("the prompt has 12 tokens, the model's context 9: "));
        Assert.That(_decoder.Write(prompt, greedy with { TruncatePrompt = true }), Is.EqualTo(_decoder.Write(prompt[3..], greedy)));
        Assert.That(() => _decoder.Write([], greedy), Throws.ArgumentException.With.Message.StartsWith("the prompt has no token"));
    }

    private static int Best(float[] logits, int[] tokens, int promptLength, GenerationOptions options)
    {
        var sequence = new Sequence(tokens[..promptLength], 0, 10);
        sequence.Tokens.AddRange(tokens[promptLength..]);
        new TokenChooser(options, []).Process(logits, sequence);
        return Probabilities.MostLikely(logits);
    }

    private List<int> Write(GenerationOptions options) => [.. Prompt, .. _decoder.Write(Prompt, options)];

    private static bool Repeated(List<int> tokens, int size) => Enumerable.Range(0, tokens.Count - size + 1)
        .GroupBy(i => string.Join(' ', tokens.GetRange(i, size))).Any(group => group.Count() > 1);
}
