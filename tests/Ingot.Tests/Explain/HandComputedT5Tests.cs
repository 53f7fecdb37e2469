using Ingot.Bindings;
using Ingot.Explain;
using Ingot.Graphs;
using Ingot.Models.T5;
using NUnit.Framework;

namespace Ingot.Tests.Explain;

/// <summary>
/// A T5 of one layer in each stack, width 2 and one head whose numbers can be worked out by hand. A token's embedding is (e, −e), of which
/// an RMSNorm makes (u, −u) with u the sign of e. Queries are (u, u), keys ln 3 / 2 · (u, u): a score is ln 3 where the signs are alike,
/// −ln 3 where they are not, and nothing is divided by √2. What attention gives is zero, and so is the feed-forward layer.
/// </summary>
public sealed class HandComputedT5Tests
{
    private static readonly float[] E = [1, -2, 0.5f];

    [Test]
    public void AttentionAndLensAreThoseOfPaper()
    {
        // Of 4 buckets the encoder has one each for 0, for all that is before, for none, and for all that is behind; the decoder one each
        // for 0, 1, 2 and for 3 and more tokens before.
        var model = new T5Config
        {
            VocabSize = 3,
            ModelWidth = 2,
            HeadSize = 2,
            Inner = 2,
            EncoderLayers = 1,
            DecoderLayers = 1,
            Heads = 1,
            Buckets = 4,
            MaxDistance = 3,
            Positions = 4,
            LayerNormEpsilon = 1e-12,
        };
        using var store = new ParameterStore(Device.Cpu, model.DeclareParameters(), DType.F32, training: false);
        var c = (float)Math.Log(3) / 2;
        store.Write("shared.weight", [.. E.SelectMany(e => new[] { e, -e })]);
        foreach (var (stack, layers, attentions) in new[] { ("encoder", 2, new[] { "0.SelfAttention" }), ("decoder", 3, ["0.SelfAttention", "1.EncDecAttention"]) })
        {
            for (var layer = 0; layer < layers; layer++)
                store.Write($"{stack}.block.0.layer.{layer}.layer_norm.weight", [1, 1]);
            store.Write($"{stack}.final_layer_norm.weight", [1, 1]);
            foreach (var attention in attentions)
            {
                store.Write($"{stack}.block.0.layer.{attention}.q.weight", [1, 0, 1, 0]);
                store.Write($"{stack}.block.0.layer.{attention}.k.weight", [c, 0, c, 0]);
            }
        }

        float[] Logs(params float[] values) => Array.ConvertAll(values, MathF.Log);
        store.Write("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", Logs(1, 2, 1000, 5));
        store.Write("decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", Logs(2, 9, 4, 7));

        var reading = ForwardReader.Read(model, store, new ModelInput([0, 1, 1, 1], [0, 1, 2]), _ => true);

        Assert.That(reading.Attention.Select(map => map.Part), Is.EqualTo(new[] { AttentionPart.Encoder, AttentionPart.Decoder, AttentionPart.Cross }));
        // Signs + − +; 3 or 1/3, times 2 for what is before and 5 for what is behind.
        AssertRows(reading.Attention[0], [3, 5 / 3.0, 15], [2 / 3.0, 3, 5 / 3.0], [6, 2 / 3.0, 3]);
        // Signs + − − −, by the distances 0, 1, 2 and 3.
        AssertRows(reading.Attention[1], [1, 0, 0, 0], [9 / 3.0, 3 * 2, 0, 0], [4 / 3.0, 3 * 9, 3 * 2, 0], [7 / 3.0, 3 * 4, 3 * 9, 3 * 2]);
        // Distances do not count.
        AssertRows(reading.Attention[2], [3, 1 / 3.0, 3], [1 / 3.0, 3, 1 / 3.0], [1 / 3.0, 3, 1 / 3.0], [1 / 3.0, 3, 1 / 3.0]);
        Assert.That(ModelExplainer.Alignment(reading.Attention), Is.EqualTo(reading.Attention[2].Probabilities).Within(1e-7), "of one head");

        foreach (var states in reading.HiddenStates)
            Assert.That(states, Is.EqualTo(new[] { 1.0, -1, -2, 2, -2, 2, -2, 2 }).Within(1e-6));
        // (−1, 1) behind the norm, divided by √2 before the table that is the head, too: logits −√2 · (1, −2, 0.5).
        var lens = LogitLens.Read(model, store, [.. reading.HiddenStates.Select(states => (ReadOnlyMemory<float>)states.AsMemory(2, 2))], [0, 2], 3);
        double[] weights = [.. E.Select(e => Math.Exp(-Math.Sqrt(2) * e))];
        foreach (var read in lens)
        {
            Assert.That(read.Top.Select(p => p.Id), Is.EqualTo(new[] { 1, 2, 0 }));
            Assert.That(read.Top.Select(p => p.Probability), Is.EqualTo(read.Top.Select(p => weights[p.Id] / weights.Sum())).Within(1e-6));
        }

        Assert.That((lens[0].Rank, lens[1].Rank), Is.EqualTo((2, 1)));
    }

    private static void AssertRows(AttentionMap map, params double[][] weights)
    {
        for (var query = 0; query < map.Queries; query++)
            Assert.That(map.Row(0, query).ToArray(), Is.EqualTo(weights[query].Select(weight => weight / weights[query].Sum())).Within(1e-6), $"{map.Part}, {query}");
    }
}
