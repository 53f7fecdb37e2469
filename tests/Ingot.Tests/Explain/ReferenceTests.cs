using Ingot.Bindings;
using Ingot.Explain;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Explain;

/// <summary>What is read off all families against the references in double precision.</summary>
public sealed class ReferenceTests
{
    private const int Length = 7;

    private static readonly int[] Text = [3, 9, 4, 4, 17, 0, 11];

    private static readonly int[] Source = [5, 9, 2, 17, 3, 8, 1, 4, 4];

    private static IEnumerable<ModelConfig> OneStack => [.. ModelGradientTests.Models, .. ModelGradientTests.Encoders];

    private static IEnumerable<ModelConfig> Classless => OneStack.Where(model => !model.Task.IsClassification());

    private static EncoderDecoderConfig[] EncoderDecoders => EncoderDecoderGradientTests.Models;

    [TestCaseSource(nameof(OneStack))]
    public void AttentionIsTheReference(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var reference = new ReferenceModel(model, ModelGradientTests.Values(store), 1, Length);
        reference.Loss(Text, Unlabelled(model), out _);

        var maps = ForwardReader.Read(model, store, new ModelInput(Text), _ => true).Attention;

        AssertMaps(maps, reference.Attentions, model.Task == ModelTask.CausalLm ? AttentionPart.Decoder : AttentionPart.Encoder);
        Assert.That(maps.Select(map => map.Layer), Is.EqualTo(Enumerable.Range(0, model.Layers)));
    }

    [TestCaseSource(nameof(EncoderDecoders))]
    public void AttentionOfEncoderDecodersIsTheReference(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var reference = ReferenceEncoderDecoder.Of(model, ModelGradientTests.Values(store));
        reference.Logits(Source, Text);
        var (encoder, decoder) = (reference.Attentions[..model.EncoderBlocks], reference.Attentions[model.EncoderBlocks..]);

        var maps = ForwardReader.Read(model, store, new ModelInput(Text, Source), _ => true).Attention;

        AssertMaps([.. maps.Where(m => m.Part == AttentionPart.Encoder)], encoder, AttentionPart.Encoder);
        AssertMaps([.. maps.Where(m => m.Part == AttentionPart.Decoder)], [.. decoder.Where((_, i) => i % 2 == 0)], AttentionPart.Decoder);
        AssertMaps([.. maps.Where(m => m.Part == AttentionPart.Cross)], [.. decoder.Where((_, i) => i % 2 == 1)], AttentionPart.Cross);
    }

    [Test]
    public void LayersThatAreNotWantedAreNotRead()
    {
        var model = ModelGradientTests.Models[0];
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var all = ForwardReader.Read(model, store, new ModelInput(Text), _ => true);
        var one = ForwardReader.Read(model, store, new ModelInput(Text), layer => layer == 1);
        Assert.That(one.Attention.Select(map => map.Layer), Is.EqualTo(new[] { 1 }));
        Assert.That(one.Attention[0].Probabilities, Is.EqualTo(all.Attention[1].Probabilities));
    }

    [TestCaseSource(nameof(OneStack))]
    public void TheLastLayersLensIsTheModelsPrediction(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        new ReferenceModel(model, ModelGradientTests.Values(store), 1, Length).Loss(Text, Unlabelled(model), out var logits);
        AssertLens(model, store, new ModelInput(Text), logits);
    }

    [TestCaseSource(nameof(EncoderDecoders))]
    public void TheLastLayersLensIsTheModelsPrediction(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        AssertLens(model, store, new ModelInput(Text, Source),
            ReferenceEncoderDecoder.Of(model, ModelGradientTests.Values(store)).Logits(Source, Text));
    }

    [TestCaseSource(nameof(OneStack))]
    public void GradientTimesInputIsThatOfCentralDifferences(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var values = ModelGradientTests.Values(store);
        var (position, target) = (model.Task == ModelTask.SequenceClassification ? 0 : 4, 2);
        double LogProbability(double[][] embeddings)
        {
            new ReferenceModel(model, values, 1, Length) { Embeddings = embeddings }.Loss(Text, Unlabelled(model), out var logits);
            return LogSoftmax(logits[position], target);
        }

        using var program = new AttributionProgram(model, store, new ModelInput(Text));
        var attribution = program.Attribute(position, target, AttributionMethod.GradientTimesInput);

        var rows = Rows(values[model.TokenTableName], Text, model.Width);
        Assert.That(attribution.LogProbability, Is.EqualTo(LogProbability(rows)).Within(1e-5));
        Assert.That(attribution.Baseline, Is.EqualTo(LogProbability(Scaled(rows, -1, 0))).Within(1e-5));
        AssertProducts(attribution.Tokens, rows, LogProbability);
        if (model.Task == ModelTask.CausalLm)
            Assert.That(attribution.Tokens.Skip(position + 1), Is.All.Zero, "what comes later is not seen");
    }

    [TestCaseSource(nameof(EncoderDecoders))]
    public void GradientTimesInputOfEncoderDecodersIsThatOfCentralDifferences(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        var values = ModelGradientTests.Values(store);
        var table = values[model.TokenTableName];
        var (source, text) = (Rows(table, Source, model.Width), Rows(table, Text, model.Width));
        double LogProbability(double[][] sourceRows, double[][] textRows) => EncoderDecoderLogProbability(model, values, sourceRows, textRows);

        using var program = new AttributionProgram(model, store, new ModelInput(Text, Source));
        var attribution = program.Attribute(4, 2, AttributionMethod.GradientTimesInput);

        Assert.That(attribution.LogProbability, Is.EqualTo(LogProbability(source, text)).Within(1e-5));
        AssertProducts(attribution.Tokens, text, rows => LogProbability(source, rows));
        AssertProducts(attribution.Source!, source, rows => LogProbability(rows, text));
    }

    [TestCaseSource(nameof(Classless))]
    public void IntegratedGradientsAddUpToTheDifference(ModelConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var program = new AttributionProgram(model, store, new ModelInput(Text));
        var values = ModelGradientTests.Values(store);
        var mean = MeanRow(values[model.TokenTableName], model.Width);
        new ReferenceModel(model, values, 1, Length) { Embeddings = [.. Text.Select(_ => mean)] }.Loss(Text, Unlabelled(model), out var logits);
        AssertComplete(program, LogSoftmax(logits[4], 2));
    }

    [TestCaseSource(nameof(EncoderDecoders))]
    public void IntegratedGradientsOfEncoderDecodersAddUpToTheDifference(EncoderDecoderConfig model)
    {
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using var program = new AttributionProgram(model, store, new ModelInput(Text, Source));
        var values = ModelGradientTests.Values(store);
        var mean = MeanRow(values[model.TokenTableName], model.Width);
        var baseline = EncoderDecoderLogProbability(model, values, [.. Source.Select(_ => mean)], [.. Text.Select(_ => mean)]);
        AssertComplete(program, baseline);
    }

    [Test]
    public void Bf16IsCloseToFp32()
    {
        var model = ModelGradientTests.Models[1];
        var attributions = new List<Attribution>();
        var readings = new List<ForwardReading>();
        foreach (var dtype in new[] { DType.F32, DType.Bf16 })
        {
            using var store = ModelGradientTests.Store(model, dtype, training: false);
            using var program = new AttributionProgram(model, store, new ModelInput(Text));
            attributions.Add(program.Attribute(4, 2, AttributionMethod.GradientTimesInput));
            readings.Add(ForwardReader.Read(model, store, new ModelInput(Text), _ => true));
        }

        // bf16 has 8 bits: 0.4 % for each rounding, some dozens of them in a row.
        // A token's share is a sum of 24 products that cancel: up to √24 times as much.
        Assert.That(RelativeError(attributions[1].Tokens, attributions[0].Tokens), Is.GreaterThan(0).And.LessThan(0.05 * Math.Sqrt(model.Width)));
        for (var layer = 0; layer < model.Layers; layer++)
        {
            Assert.That(RelativeError([.. readings[1].Attention[layer].Probabilities], [.. readings[0].Attention[layer].Probabilities]),
                Is.GreaterThan(0).And.LessThan(0.05));
        }
    }

    /// <summary>Integrated gradients of target 2 at 4 start from the mean embeddings, and add up.</summary>
    private static void AssertComplete(AttributionProgram program, double baseline)
    {
        double Error(int steps)
        {
            var attribution = program.Attribute(4, 2, AttributionMethod.IntegratedGradients, steps);
            Assert.That(attribution.Baseline, Is.EqualTo(baseline).Within(1e-5));
            return Math.Abs(attribution.Sum - (attribution.LogProbability - attribution.Baseline));
        }

        // The midpoint rule's error falls with the square of the steps.
        Assert.That(Error(400), Is.LessThan(0.01));
        Assert.That(Error(400), Is.LessThan(Error(10)));
    }

    private static double RelativeError(IReadOnlyList<double> actual, IReadOnlyList<double> expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => (a - e) * (a - e)).Sum() / expected.Sum(e => e * e));

    private static double RelativeError(float[] actual, float[] expected) =>
        RelativeError(Array.ConvertAll(actual, v => (double)v), Array.ConvertAll(expected, v => (double)v));

    private static int[] Unlabelled(ModelConfig model) => model.Task == ModelTask.SequenceClassification
        ? [1, .. Enumerable.Repeat(-100, Length - 1)] : [.. Enumerable.Repeat(1, Length)];

    private static void AssertMaps(IReadOnlyList<AttentionMap> maps, List<double[][][]> expected, AttentionPart part)
    {
        Assert.That(maps, Has.Count.EqualTo(expected.Count).And.Count.GreaterThan(0));
        foreach (var (map, layer) in maps.Zip(expected))
        {
            Assert.That(map.Part, Is.EqualTo(part));
            for (var head = 0; head < map.Heads; head++)
            {
                for (var query = 0; query < map.Queries; query++)
                {
                    var row = map.Row(head, query).ToArray();
                    var seen = layer[head][query];
                    Assert.That(row.Take(seen.Length), Is.EqualTo(seen).Within(1e-5));
                    Assert.That(row.Skip(seen.Length), Is.All.Zero);
                    Assert.That(row.Sum(p => (double)p), Is.EqualTo(1).Within(1e-6));
                    if (part == AttentionPart.Decoder)
                        Assert.That(seen, Has.Length.EqualTo(query + 1));
                }
            }

            Assert.That(map.Mean().Chunk(map.Keys).Select(row => row.Sum()), Is.All.EqualTo(1).Within(1e-6));
        }
    }

    private static void AssertLens(ModelConfig model, ParameterStore store, ModelInput input, double[][] logits)
    {
        var states = ForwardReader.Read(model, store, input, _ => false).HiddenStates;
        Assert.That(states, Has.Count.EqualTo(model.Layers + 1));
        var rows = logits.Select((_, n) => (ReadOnlyMemory<float>)states[^1].AsMemory(n * model.Width, model.Width)).ToList();

        var readings = LogitLens.Read(model, store, rows, [.. rows.Select((_, n) => n == 1 ? null : (int?)(n % 3))], 3);

        foreach (var (reading, n) in readings.Select((reading, n) => (reading, n)))
        {
            var expected = logits[n].Select((_, id) => (Id: id, Log: LogSoftmax(logits[n], id))).OrderByDescending(p => p.Log).ToList();
            Assert.That(reading.Top.Select(p => p.Id), Is.EqualTo(expected.Take(3).Select(p => p.Id)));
            Assert.That(reading.Top.Select(p => Math.Log(p.Probability)), Is.EqualTo(expected.Take(3).Select(p => p.Log)).Within(1e-4));
            Assert.That(reading.Actual?.Id, Is.EqualTo(n == 1 ? null : (int?)(n % 3)));
            if (reading.Actual is { } actual)
            {
                Assert.That(Math.Log(actual.Probability), Is.EqualTo(LogSoftmax(logits[n], actual.Id)).Within(1e-4));
                Assert.That(reading.Rank, Is.EqualTo(expected.FindIndex(p => p.Id == actual.Id)));
            }
        }
    }

    /// <summary>Embedding times gradient: the derivative when a token's embedding is stretched.</summary>
    private static void AssertProducts(IReadOnlyList<double> actual, double[][] rows, Func<double[][], double> logProbability)
    {
        const double H = 1e-5;
        var expected = rows.Select((_, n) => (logProbability(Scaled(rows, n, 1 + H)) - logProbability(Scaled(rows, n, 1 - H))) / (2 * H)).ToArray();
        Assert.That(expected.Any(value => Math.Abs(value) > 1e-3));
        // A product is a sum of terms that cancel: fp32's rounding goes by the size of the largest.
        Assert.That(actual, Is.EqualTo(expected).Within((1e-4 * expected.Max(Math.Abs)) + 1e-6));
    }

    private static double[][] Scaled(double[][] rows, int which, double factor) =>
        [.. rows.Select((row, n) => n == which || which < 0 ? [.. row.Select(v => v * factor)] : row)];

    private static double EncoderDecoderLogProbability(EncoderDecoderConfig model, Dictionary<string, double[]> values, double[][] source,
        double[][] text)
    {
        var reference = ReferenceEncoderDecoder.Of(model, values);
        reference.Embeddings = (source, text);
        return LogSoftmax(reference.Logits(Source, Text)[4], 2);
    }

    private static double[] MeanRow(double[] table, int width) =>
        [.. Enumerable.Range(0, width).Select(i => table.Where((_, at) => at % width == i).Average())];

    private static double[][] Rows(double[] table, int[] ids, int width) => [.. ids.Select(id => table[(id * width)..((id + 1) * width)])];

    private static double LogSoftmax(double[] logits, int id)
    {
        var most = logits.Max();
        return logits[id] - most - Math.Log(logits.Sum(l => Math.Exp(l - most)));
    }
}
