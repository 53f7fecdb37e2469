using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Beam search against all texts there are, each scored by whole passes of the model.</summary>
public sealed class BeamSearchTests
{
    private const int End = 0, Length = 4;

    private static readonly int[] Prompt = [1, 3, 2];

    private static readonly ModelConfig[] Models =
    [
        new Gpt2Config { VocabSize = 5, Positions = 9, Embedding = 24, LayerCount = 2, Heads = 3, InitializerRange = 0.4 },
        new LlamaConfig
        {
            VocabSize = 5, HiddenSize = 24, IntermediateSize = 40, LayerCount = 2, Heads = 6, KeyValueHeads = 2, HeadDim = 8,
            InitializerRange = 0.4,
        },
    ];

    private static IEnumerable<TestCaseData> Cases =>
        from model in Models
        from lengthPenalty in new[] { 0, 1, -1, 2.5 }
        select new TestCaseData(model, lengthPenalty);

    // As many beams as there are texts without an end: nothing is dropped, so the best is found.
    [TestCaseSource(nameof(Cases))]
    public void WithEnoughBeamsTheBestTextIsFound(ModelConfig model, double lengthPenalty)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        var all = All(model, store).Select(text => (text.Tokens, Score: text.LogProbability / Math.Pow(text.Length, lengthPenalty)))
            .OrderByDescending(text => text.Score).ToList();
        var options = new GenerationOptions
        {
            NumBeams = 256,
            NumReturnSequences = 20,
            MaxNewTokens = Length,
            LengthPenalty = lengthPenalty,
            EarlyStopping = EarlyStopping.Never,
        };

        var found = Search(decoder, options);

        Assert.That(found.Select(text => text.Tokens), Is.EqualTo(all.Take(20).Select(text => text.Tokens)));
        Assert.That(found.Select(text => text.Score), Is.EqualTo(all.Take(20).Select(text => text.Score)).Within(1e-4));
    }

    // The same search, simply written: no cache, no rows, whole passes only.
    [TestCaseSource(nameof(Cases))]
    public void FewBeamsKeepTheMostProbable(ModelConfig model, double lengthPenalty)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        foreach (var beams in new[] { 2, 3, 5 })
        {
            foreach (var early in Enum.GetValues<EarlyStopping>())
            {
                var options = new GenerationOptions
                {
                    NumBeams = beams,
                    NumReturnSequences = beams,
                    MaxNewTokens = 6,
                    LengthPenalty = lengthPenalty,
                    EarlyStopping = early,
                };
                var expected = Simple(model, store, options);
                var found = Search(decoder, options);
                Assert.That(found.Select(text => text.Tokens), Is.EqualTo(expected.Select(text => text.Tokens)), $"{beams} beams, {early}");
                Assert.That(found.Select(text => text.Score), Is.EqualTo(expected.Select(text => text.Score)).Within(1e-4));
            }
        }
    }

    [Test]
    public void OneBeamOfMoreIsNoWorseThanGreedy()
    {
        var model = Models[0];
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        var log = Reference(model, store);
        double LogProbability(IEnumerable<int> tokens)
        {
            List<int> text = [.. Prompt];
            var sum = 0.0;
            foreach (var token in tokens)
            {
                sum += log(text)[token];
                text.Add(token);
            }

            return sum;
        }

        var options = new GenerationOptions { MaxNewTokens = 6, DoSample = false, EosTokenIds = [] };
        var greedy = decoder.Write(Prompt, options).ToList();
        var beam = Search(decoder, options with { NumBeams = 4 }, [], _ => false)[0];
        Assert.That(beam.Score * 6, Is.EqualTo(LogProbability(beam.Tokens)).Within(1e-4));
        Assert.That(LogProbability(beam.Tokens), Is.GreaterThanOrEqualTo(LogProbability(greedy)));
        Assert.That(beam.Ending, Is.EqualTo(FinishReason.Length));
    }

    [Test]
    public void TextsEndAtStopStringsToo()
    {
        var model = Models[1];
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        var options = new GenerationOptions { NumBeams = 3, MaxNewTokens = 6, NumReturnSequences = 3 };
        var ended = 0;
        for (var stop = 1; stop < model.VocabularySize; stop++)
        {
            foreach (var text in Search(decoder, options, [End], tokens => tokens[^1] == stop))
            {
                var at = text.Tokens.ToList().IndexOf(stop);
                ended += at >= 0 ? 1 : 0;
                if (at >= 0)
                    Assert.That((at, text.Ending), Is.EqualTo((text.Tokens.Count - 1, FinishReason.Stop)));
            }
        }

        Assert.That(ended, Is.Positive);
    }

    [Test]
    public void ItDoesNotGoBeyondTheContext()
    {
        var model = Models[0];
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        Assert.That(() => Search(decoder, new GenerationOptions { NumBeams = 2, MaxNewTokens = 7 }),
            Throws.ArgumentException.With.Message.StartsWith("the prompt has 3 tokens and maxNewTokens is 7"));
        Assert.That(Search(decoder, new GenerationOptions { NumBeams = 2, MaxNewTokens = 6 }), Has.Count.EqualTo(1));
    }

    // Prompts and texts of unequal lengths, more than fit side by side: they take each other's rows, and the last ones move to others.
    [Test]
    public void SearchesSideBySideFindWhatEachFindsByItself([Values(1, 2, 5)] int atATime)
    {
        var model = Models[1];
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        var options = new GenerationOptions { NumBeams = 3, NumReturnSequences = 2 };
        Sequence[] sequences = [.. new int[][] { [1], [2, 3, 1, 4], [3, 3], [4, 1, 2], [2] }
            .Select((prompt, i) => new Sequence(prompt, 0, maxNewTokens: 2 + (i * 3 % 5)))];

        var found = new BeamSearch(decoder, options, [End], _ => false).Search(sequences, atATime * options.NumBeams, default)
            .ToDictionary(texts => texts.Number, texts => texts.Texts);

        Assert.That(found, Has.Count.EqualTo(sequences.Length));
        for (var i = 0; i < sequences.Length; i++)
        {
            var alone = new BeamSearch(decoder, options, [End], _ => false).Search([sequences[i]], 1, default).Single().Texts;
            Assert.That(found[i].Select(text => text.Tokens), Is.EqualTo(alone.Select(text => text.Tokens)), $"sequence {i}");
            Assert.That(found[i].Select(text => text.Score), Is.EqualTo(alone.Select(text => text.Score)).Within(1e-5), $"sequence {i}");
        }
    }

    private static IReadOnlyList<BeamText> Search(Decoder decoder, GenerationOptions options) => Search(decoder, options, [End], _ => false);

    private static IReadOnlyList<BeamText> Search(Decoder decoder, GenerationOptions options, IReadOnlyList<int> ends,
        Func<ReadOnlySpan<int>, bool> isAtStop) =>
        new BeamSearch(decoder, options, ends, isAtStop).Search([new Sequence(Prompt, 0, options.MaxNewTokens)], 1, default).Single().Texts;

    /// <summary>log-probabilities of what follows some tokens, in double precision.</summary>
    private static Func<IReadOnlyList<int>, double[]> Reference(ModelConfig model, ParameterStore store)
    {
        var values = ModelGradientTests.Values(store);
        return tokens =>
        {
            new ReferenceModel(model, values, 1, tokens.Count).Loss([.. tokens], new int[tokens.Count], out var logits);
            var total = Math.Log(logits[^1].Sum(Math.Exp));
            return [.. logits[^1].Select(logit => logit - total)];
        };
    }

    /// <summary>Every text of at most <see cref="Length"/> tokens, shorter ones with an end, and the tokens that count.</summary>
    private static IEnumerable<(int[] Tokens, double LogProbability, int Length)> All(ModelConfig model, ParameterStore store)
    {
        var log = Reference(model, store);
        return Continue([], 0);

        IEnumerable<(int[] Tokens, double LogProbability, int Length)> Continue(int[] written, double sum)
        {
            if (written.Length == Length)
                return [(written, sum, Length)];
            var next = log([.. Prompt, .. written]);
            return Enumerable.Range(0, model.VocabularySize).SelectMany(token => token == End
                ? [(written, sum + next[token], written.Length + 1)]
                : Continue([.. written, token], sum + next[token]));
        }
    }

    private static List<(int[] Tokens, double Score)> Simple(ModelConfig model, ParameterStore store, GenerationOptions options)
    {
        var log = Reference(model, store);
        List<(int[] Tokens, double Score)> finished = [];
        List<(int[] Tokens, double Sum)> running = [([], 0)];
        for (var length = 1; ; length++)
        {
            var candidates = running.SelectMany(beam =>
            {
                var next = log([.. Prompt, .. beam.Tokens]);
                return Enumerable.Range(0, model.VocabularySize).Select(token => (beam.Tokens, Token: token, Sum: beam.Sum + next[token]));
            }).OrderByDescending(c => c.Sum).Take(2 * options.NumBeams).ToList();
            running = [];
            for (var rank = 0; rank < candidates.Count; rank++)
            {
                var (tokens, token, sum) = candidates[rank];
                if (token != End && length < options.MaxNewTokens)
                    running.Add(([.. tokens, token], sum));
                else if (rank < options.NumBeams)
                    finished.Add(([.. tokens, .. token == End ? [] : new[] { token }], sum / Math.Pow(length, options.LengthPenalty)));
            }

            running = [.. running.Take(options.NumBeams)];
            finished = [.. finished.OrderByDescending(text => text.Score).Take(options.NumBeams)];
            if (running.Count == 0)
                return finished;
            if (finished.Count < options.NumBeams)
                continue;
            var final = options.EarlyStopping == EarlyStopping.Never && options.LengthPenalty > 0 ? options.MaxNewTokens : length;
            if (options.EarlyStopping == EarlyStopping.True || running[0].Sum / Math.Pow(final, options.LengthPenalty) <= finished[^1].Score)
                return finished;
        }
    }
}
