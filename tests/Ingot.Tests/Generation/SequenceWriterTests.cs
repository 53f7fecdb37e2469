using Ingot.Bindings;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Sequences that are written side by side get what they get alone.</summary>
public sealed class SequenceWriterTests
{
    // Of unequal lengths, one of them as long as GPT-2's context here, which all texts go beyond.
    private static readonly int[][] Prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11, 12, 13], [3, 2, 1, 0, 1], [7, 7], [20, 3, 9, 9]];

    private static IEnumerable<TestCaseData> Models =>
        from model in ModelGradientTests.Models
        from dtype in new[] { DType.F32, DType.Bf16 }
        select new TestCaseData(model, dtype);

    [TestCaseSource(nameof(Models))]
    public void TogetherAndAloneAreTheSame(ModelConfig model, DType dtype)
    {
        using var store = ModelGradientTests.Store(model, dtype, training: false);
        using var decoder = new Decoder(model, store, 16);
        foreach (var options in new GenerationOptions[]
        {
            new() { MaxNewTokens = 20, DoSample = false },
            new() { MaxNewTokens = 20, Temperature = 1, TopK = 0 },
            new() { MaxNewTokens = 20, Temperature = 1, TopP = 0.9, RepetitionPenalty = 1.3, NoRepeatNgramSize = 3 },
            new() { MaxNewTokens = 20, Temperature = 1, TypicalP = 0.9 },
        })
        {
            var alone = Prompts.Select(prompt => decoder.Write(prompt, options).ToArray()).ToArray();
            using var shared = new Decoder(model, store, 16);
            foreach (var rows in new[] { 2, 3, 5, 20 })
                Assert.That(Write(shared, Prompts, options, rows), Is.EqualTo(alone), $"{options} in {rows} rows");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void ATextThatEndsLeavesTheOthersAsTheyAre(ModelConfig model, DType dtype)
    {
        using var store = ModelGradientTests.Store(model, dtype, training: false);
        using var decoder = new Decoder(model, store);
        var options = new GenerationOptions { MaxNewTokens = 30, Temperature = 1, TopK = 0 };
        var whole = Write(decoder, Prompts, options, 1);
        int[] ends = [whole[0][4], whole[2][1]];
        var cut = whole.Select(tokens => tokens.TakeWhile(token => !ends.Contains(token)).ToArray()).ToArray();
        Assert.That(cut.Select(tokens => tokens.Length).Distinct().Count(), Is.GreaterThan(2), "they end at different times");
        foreach (var rows in new[] { 1, 2, 3, 6 })
            Assert.That(Write(decoder, Prompts, options, rows, ends), Is.EqualTo(cut), $"{rows} rows");
    }

    [Test]
    public void OnePromptHasATextForEachSeed()
    {
        var model = ModelGradientTests.Models[1];
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        var options = new GenerationOptions { MaxNewTokens = 12, Temperature = 1, TopK = 0 };
        int[] prompt = [1, 2, 3, 4, 5];
        var alone = Enumerable.Range(0, 5).Select(n => decoder.Write(prompt, options with { Seed = 100 + n }).ToArray()).ToArray();
        Assert.That(alone.Select(tokens => string.Join(' ', tokens)).Distinct().Count(), Is.EqualTo(5));
        foreach (var rows in new[] { 1, 2, 5 })
        {
            // The prompt is the same object: it is read once, and copied.
            var sequences = Enumerable.Range(0, 5).Select(n => new Sequence(prompt, 100 + n, 12)).ToList();
            foreach (var _ in new SequenceWriter(decoder, options, []).Write(sequences, rows))
            {
            }

            Assert.That(sequences.Select(s => s.Tokens.Skip(5)), Is.EqualTo(alone), $"{rows} rows");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void CachedLogitsAreThoseOfTheWholeText(ModelConfig model, DType dtype)
    {
        using var store = ModelGradientTests.Store(model, dtype, training: false);
        using var batch = new Decoder(model, store);
        using var whole = new Decoder(model, store);
        var options = new GenerationOptions { MaxNewTokens = 4, DoSample = false };
        int[][] prompts = [[1, 2, 3], [4], [5, 6, 7, 8]];
        List<Sequence> sequences = [.. prompts.Select(prompt => new Sequence(prompt, 0, 4))];
        var logits = new float[model.VocabularySize];
        var compared = 0;
        foreach (var (sequence, _) in new SequenceWriter(batch, options, []).Write(sequences, 3))
        {
            // When a row's token comes out, the row's logits are still those that it was chosen from.
            batch.ReadLogits(sequences.IndexOf(sequence), logits);
            var expected = whole.Logits(sequence.Tokens[..^1]);
            var size = Math.Sqrt(expected.Average(logit => logit * logit));
            var error = Math.Sqrt(logits.Zip(expected, (a, e) => (double)(a - e) * (a - e)).Average()) / size;
            // bf16 rounds to 1 part in 256, at some dozens of places one after the other.
            Assert.That(error, Is.LessThan(dtype == DType.F32 ? 1e-5 : 0.03), $"{sequence.Tokens.Count} tokens");
            if (dtype == DType.F32)
                Assert.That(sequence.Tokens[^1], Is.EqualTo(Probabilities.MostLikely(expected)));
            compared++;
        }

        Assert.That(compared, Is.EqualTo(12));
    }

    [Test]
    public void APromptOfManyPiecesIsReadAsOne()
    {
        // A context that is no multiple of the pieces, so that its end has no room for padding.
        var model = new Gpt2Config { VocabSize = 31, Positions = 1100, Embedding = 16, LayerCount = 1, Heads = 2, InitializerRange = 0.3 };
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var random = new Random(4);
        int[] tokens = [.. Enumerable.Range(0, 1100).Select(_ => random.Next(31))];
        var reference = new ReferenceModel(model, ModelGradientTests.Values(store), 1, tokens.Length);
        reference.Loss(tokens, new int[tokens.Length], out var expected);
        using var decoder = new Decoder(model, store);
        foreach (var length in new[] { 511, 512, 513, 700, 1023, 1025, 1099, 1100 })
        {
            var logits = decoder.Logits(tokens[..length]);
            var error = Math.Sqrt(logits.Zip(expected[length - 1], (a, e) => (a - e) * (a - e)).Sum() / expected[length - 1].Sum(e => e * e));
            Assert.That(error, Is.LessThan(1e-5), $"{length} tokens");
        }
    }

    internal static int[][] Write(Decoder decoder, IReadOnlyList<int[]> prompts, GenerationOptions options, int rows, IReadOnlyList<int>? ends = null)
    {
        List<Sequence> sequences = [.. prompts.Select(prompt => new Sequence(prompt, options.Seed, options.MaxNewTokens))];
        var written = sequences.ToDictionary(sequence => sequence, _ => new List<int>());
        foreach (var (sequence, token) in new SequenceWriter(decoder, options, ends ?? []).Write(sequences, rows))
        {
            if (token >= 0)
                written[sequence].Add(token);
        }

        return [.. sequences.Select(sequence => written[sequence].ToArray())];
    }
}
