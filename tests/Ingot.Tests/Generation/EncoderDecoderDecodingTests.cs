using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.T5;
using Ingot.Models.Transformer;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>
/// Decoding of encoder-decoders with cached keys of text and source, against the reference in double precision, which reads everything
/// anew for every token.
/// </summary>
public sealed class EncoderDecoderDecodingTests
{
    private const int Most = 7;

    private static readonly int[][] Sources = [[5, 9, 2, 17, 3, 8, 1, 4, 4], [11], [6, 6, 20, 13], [3, 1, 4, 1, 5]];

    private static EncoderDecoderConfig[] Models => EncoderDecoderGradientTests.Models;

    [TestCaseSource(nameof(Models))]
    public void TokenByTokenIsTheReference(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var reference = ReferenceEncoderDecoder.Of(model, ModelGradientTests.Values(store));
        int[] tokens = [model.DecoderStart, 7, 4, 20, 9, 1];
        using var decoder = new Decoder(model, store);
        foreach (var source in Sources)
        {
            var expected = reference.Logits(source, tokens);
            AssertLogits(decoder.Logits(tokens, source), expected[^1], "all at once");
            decoder.Logits(tokens[..1], source);
            for (var length = 2; length <= tokens.Length; length++)
                AssertLogits(decoder.Logits(tokens[..length], cached: length - 1), expected[length - 1], $"{length} one by one");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void GreedyTextsAreThoseOfTheReferenceInAnyRows(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var reference = ReferenceEncoderDecoder.Of(model, ModelGradientTests.Values(store));
        var expected = Sources.Select(source => Greedy(reference, model, source)).ToArray();
        // Not all the same, or else a source that another row has would not show.
        Assert.That(expected.Distinct(SequenceComparer.Instance).Count(), Is.GreaterThan(2));
        var options = new GenerationOptions { DoSample = false, MaxNewTokens = Most };
        // Fewer rows than sources: they take each other's rows, and the last ones move to others.
        foreach (var rows in new[] { 1, 2, 3, 4 })
        {
            using var decoder = new Decoder(model, store);
            var sequences = Sources.Select((source, i) => new Sequence([model.DecoderStart], 0, Most - (i % 3)) { Source = source }).ToList();
            foreach (var _ in new SequenceWriter(decoder, options, []).Write(sequences, rows))
            {
            }

            for (var i = 0; i < sequences.Count; i++)
                Assert.That(sequences[i].Tokens.Skip(1), Is.EqualTo(expected[i][..(Most - (i % 3))]), $"{rows} rows, source {i}");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void BeamsFindWhatAnExhaustiveSearchFinds(EncoderDecoderConfig model)
    {
        // So few tokens that all texts can be counted.
        model = model switch
        {
            TransformerConfig c => c with { VocabSize = 5, DecoderStart = 4, Padding = 1 },
            T5Config c => c with { VocabSize = 5, DecoderStart = 4, Padding = 1 },
            _ => throw new ArgumentException(model.ModelType),
        };
        const int End = 0, Length = 3;
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var reference = ReferenceEncoderDecoder.Of(model, ModelGradientTests.Values(store));
        using var decoder = new Decoder(model, store);
        foreach (var source in new int[][] { [1, 2, 3, 2], [3] })
        {
            var all = new List<(int[] Tokens, double Score)>();
            void Extend(int[] text, double log)
            {
                var logits = reference.Logits(source, [model.DecoderStart, .. text])[^1];
                var total = Math.Log(logits.Sum(Math.Exp));
                for (var token = 0; token < logits.Length; token++)
                {
                    var (next, score) = ((int[])[.. text, token], log + logits[token] - total);
                    if (token == End || next.Length == Length)
                        all.Add((token == End ? text : next, score / Math.Pow(next.Length, 1.5)));
                    else
                        Extend(next, score);
                }
            }

            Extend([], 0);
            var options = new GenerationOptions
            {
                NumBeams = 64,
                NumReturnSequences = 10,
                MaxNewTokens = Length,
                LengthPenalty = 1.5,
                EarlyStopping = EarlyStopping.Never,
            };
            var found = new BeamSearch(decoder, options, [End], _ => false)
                .Search([new Sequence([model.DecoderStart], 0, Length) { Source = source }], 1, default).Single().Texts;
            var best = all.OrderByDescending(text => text.Score).Take(10).ToList();
            Assert.That(found.Select(text => text.Tokens), Is.EqualTo(best.Select(text => text.Tokens)));
            Assert.That(found.Select(text => text.Score), Is.EqualTo(best.Select(text => text.Score)).Within(1e-4));
        }
    }

    [TestCaseSource(nameof(Models))]
    public void BeamsOfSeveralSourcesAreThoseOfEachByItself(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var decoder = new Decoder(model, store);
        var options = new GenerationOptions { NumBeams = 3, NumReturnSequences = 3 };
        Sequence[] sequences = [.. Sources.Select((source, i) => new Sequence([model.DecoderStart], 0, Most - (3 * i % 4)) { Source = source })];
        IReadOnlyList<BeamText>[] alone = [.. sequences
            .Select(sequence => new BeamSearch(decoder, options, [1], _ => false).Search([sequence], 1, default).Single().Texts)];
        Assert.That(alone.Select(texts => texts[0].Tokens).Distinct(SequenceComparer.Instance).Count(), Is.GreaterThan(2));
        foreach (var rows in new[] { 6, 9, 100 })
        {
            foreach (var (number, texts) in new BeamSearch(decoder, options, [1], _ => false).Search(sequences, rows, default))
                Assert.That(texts.Select(text => text.Tokens), Is.EqualTo(alone[number].Select(text => text.Tokens)), $"{rows} rows, source {number}");
        }
    }

    [Test]
    public void TextsGoThroughTheFolder([Values(1, 3)] int beams)
    {
        using var temporary = new TemporaryDirectory();
        using var generator = TextGenerator.Load(WriteTranslator(temporary.FullPath));
        var options = generator.Options with { MaxNewTokens = 12, NumBeams = beams, SourceLanguage = "en", TargetLanguage = "de" };
        string[] texts = ["a house", "the sea is deep", "b"];

        var all = generator.Generate(texts, options, batchSize: 2).ToDictionary(text => text.Prompt);

        for (var i = 0; i < texts.Length; i++)
        {
            Assert.That(all[i].Tokens[0], Is.EqualTo(generator.Tokenizer.TokenToId("__de__")), "the language's token is forced");
            Assert.That(all[i].Text, Does.Not.Contain("__de__"));
            Assert.That(string.Concat(generator.Stream(texts[i], options)), Is.EqualTo(all[i].Text), "one by itself");
            // The language, one token a character, and the end.
            Assert.That(all[i].PromptTokens, Is.EqualTo(texts[i].Length + 2));
        }

        var french = generator.Generate(texts[..1], options with { TargetLanguage = "fr" }).Single();
        Assert.That(french.Tokens[0], Is.EqualTo(generator.Tokenizer.TokenToId("__fr__")));
    }

    [Test]
    public void LanguagesMustBeKnown()
    {
        using var temporary = new TemporaryDirectory();
        using var generator = TextGenerator.Load(WriteTranslator(temporary.FullPath));
        var options = generator.Options with { SourceLanguage = "en", TargetLanguage = "xx" };
        Assert.That(() => generator.Generate(["a"], options).ToList(),
            Throws.ArgumentException.With.Message.Contains("'xx' is not one of the model's: de, en, fr"));
        Assert.That(() => generator.Generate(["a"], generator.Options).ToList(),
            Throws.ArgumentException.With.Message.Contains("sourceLanguage and targetLanguage must be given, of de, en, fr"));
    }

    [Test]
    public void ALongSourceIsTruncatedOnlyWhenAsked()
    {
        using var temporary = new TemporaryDirectory();
        using var generator = TextGenerator.Load(WriteTranslator(temporary.FullPath));
        var options = generator.Options with { SourceLanguage = "en", TargetLanguage = "de", MaxNewTokens = 50 };
        var text = new string('a', 40);
        Assert.That(() => generator.Generate([text], options).ToList(),
            Throws.ArgumentException.With.Message.Contains("the text has 42 tokens, and the model reads 24 at most"));
        var cut = generator.Generate([text], options with { TruncatePrompt = true }).Single();
        Assert.That(cut.PromptTokens, Is.EqualTo(24));
        Assert.That(cut.Text, Is.EqualTo(generator.Generate([text[..22]], options).Single().Text), "what is left is its beginning");
        // It ends with the context, and does not go on without its beginning.
        Assert.That(cut.Tokens, Has.Count.LessThanOrEqualTo(23));
    }

    /// <summary>A folder of an M2M-100 with random weights, whose tokens are the characters of ASCII, and three languages.</summary>
    internal static string WriteTranslator(string folder)
    {
        var tokenizer = RandomModel.Characters()
            .WithRoles(new SpecialTokenRoles { Eos = "</s>", Pad = "<pad>" }).WithSpecialTokens("__en__", "__de__", "__fr__");
        RandomModel.Write(folder, tokenizer, new M2M100Config
        {
            VocabSize = tokenizer.VocabularySize,
            ModelWidth = 16,
            EncoderLayers = 1,
            DecoderLayers = 2,
            EncoderHeads = 2,
            DecoderHeads = 4,
            EncoderInner = 24,
            DecoderInner = 24,
            Positions = 24,
            InitStd = 0.3,
            DecoderStart = tokenizer.EosId!.Value,
            Padding = tokenizer.PadId,
            EndOfText = [tokenizer.EosId!.Value],
        });
        File.WriteAllText(Path.Combine(folder, GenerationConfig.FileName), """{"num_beams": 2, "decoder_start_token_id": 97}""");
        return folder;
    }

    private static int[] Greedy(ReferenceEncoderDecoder reference, EncoderDecoderConfig model, int[] source)
    {
        List<int> tokens = [model.DecoderStart];
        for (var i = 0; i < Most; i++)
        {
            var logits = reference.Logits(source, [.. tokens])[^1];
            tokens.Add(Array.IndexOf(logits, logits.Max()));
        }

        return [.. tokens.Skip(1)];
    }

    private static void AssertLogits(float[] actual, double[] expected, string what)
    {
        var error = Math.Sqrt(actual.Zip(expected, (a, e) => (a - e) * (a - e)).Sum() / expected.Sum(e => e * e));
        Assert.That(error, Is.LessThan(1e-5), what);
    }

    private sealed class SequenceComparer : IEqualityComparer<IReadOnlyList<int>>
    {
        public static SequenceComparer Instance { get; } = new();

        public bool Equals(IReadOnlyList<int>? x, IReadOnlyList<int>? y) => x!.SequenceEqual(y!);

        public int GetHashCode(IReadOnlyList<int> obj) => obj.Aggregate(0, HashCode.Combine);
    }
}
