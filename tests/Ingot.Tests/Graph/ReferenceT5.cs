using System.Numerics;
using Ingot.Models.T5;

namespace Ingot.Tests.Graphs;

/// <summary>
/// T5 in plain double precision, one pair at a time and without padding, written from the paper, sharing nothing with the library: the
/// check. Distances become buckets by comparing whole numbers, without a logarithm.
/// </summary>
internal sealed class ReferenceT5(T5Config c, IReadOnlyDictionary<string, double[]> parameters) : ReferenceEncoderDecoder
{
    /// <inheritdoc/>
    public override double[][] Logits(int[] source, int[] tokens)
    {
        var states = Encode(source);
        var x = Embeddings?.Tokens ?? Embed(tokens);
        for (var layer = 0; layer < c.DecoderLayers; layer++)
        {
            var name = $"decoder.block.{layer}.layer.";
            x = Sum(x, Norm(x, name + "0.layer_norm"), y => Attention(y, y, name + "0.SelfAttention.", "decoder"));
            x = Sum(x, Norm(x, name + "1.layer_norm"), y => Attention(y, states, name + "1.EncDecAttention.", null));
            x = Sum(x, Norm(x, name + "2.layer_norm"), y => FeedForward(y, name + "2.DenseReluDense."));
        }

        x = Norm(x, "decoder.final_layer_norm");
        var head = parameters[c.TieWordEmbeddings ? "shared.weight" : "lm_head.weight"];
        var factor = c.TieWordEmbeddings ? 1 / Math.Sqrt(c.ModelWidth) : 1;
        return [.. Linear(x, head).Select(row => row.Select(v => factor * v).ToArray())];
    }

    /// <summary>The bucket of a key so far behind its query.</summary>
    public static int Bucket(int distance, bool decoder, int all, int most)
    {
        var (count, first) = (all, 0);
        if (!decoder)
            (count, first) = (all / 2, distance > 0 ? all / 2 : 0);
        else if (distance > 0)
            distance = 0;
        var (far, exact) = (Math.Abs(distance), count / 2);
        if (far < exact)
            return first + far;
        // The most steps k with (most / exact)^k ≤ (far / exact)^steps, of as many steps as there are wide buckets.
        var steps = count - exact;
        var k = 0;
        while (k < steps - 1 && BigInteger.Pow(most, k + 1) * BigInteger.Pow(exact, steps) <= BigInteger.Pow(far, steps) * BigInteger.Pow(exact, k + 1))
            k++;
        return first + exact + k;
    }

    private double[][] Encode(int[] source)
    {
        var x = Embeddings?.Source ?? Embed(source);
        for (var layer = 0; layer < c.EncoderLayers; layer++)
        {
            var name = $"encoder.block.{layer}.layer.";
            x = Sum(x, Norm(x, name + "0.layer_norm"), y => Attention(y, y, name + "0.SelfAttention.", "encoder"));
            x = Sum(x, Norm(x, name + "1.layer_norm"), y => FeedForward(y, name + "1.DenseReluDense."));
        }

        return Norm(x, "encoder.final_layer_norm");
    }

    private double[][] Embed(int[] tokens) =>
        [.. tokens.Select(token => parameters["shared.weight"].AsSpan(token * c.ModelWidth, c.ModelWidth).ToArray())];

    /// <summary>stack: whose table of distances counts, null for cross-attention, which has none.</summary>
    private double[][] Attention(double[][] queries, double[][] keys, string name, string? stack)
    {
        var (q, k, v) = (Linear(queries, name + "q"), Linear(keys, name + "k"), Linear(keys, name + "v"));
        var table = stack is null ? null : parameters[$"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"];
        var y = q.Select(row => new double[row.Length]).ToArray();
        Attentions.Add([.. Enumerable.Range(0, c.Heads).Select(_ => new double[y.Length][])]);
        for (var t = 0; t < q.Length; t++)
        {
            for (var head = 0; head < c.Heads; head++)
            {
                var seen = stack == "decoder" ? t + 1 : k.Length;
                var weights = Enumerable.Range(0, seen).Select(s =>
                {
                    var score = Enumerable.Range(head * c.HeadSize, c.HeadSize).Sum(i => q[t][i] * k[s][i]);
                    if (table is not null)
                        score += table[(Bucket(s - t, stack == "decoder", c.Buckets, c.MaxDistance) * c.Heads) + head];
                    return Math.Exp(score);
                }).ToArray();
                var total = weights.Sum();
                Attentions[^1][head][t] = [.. weights.Select(w => w / total)];
                for (var s = 0; s < seen; s++)
                {
                    for (var i = head * c.HeadSize; i < (head + 1) * c.HeadSize; i++)
                        y[t][i] += weights[s] / total * v[s][i];
                }
            }
        }

        return Linear(y, name + "o");
    }

    private double[][] FeedForward(double[][] x, string name)
    {
        if (c.FeedForwardProjection == "relu")
            return Linear([.. Linear(x, name + "wi").Select(row => row.Select(v => Math.Max(0, v)).ToArray())], name + "wo");
        // gated-gelu, GELU by its tanh formula.
        var hidden = Linear(x, name + "wi_0").Zip(Linear(x, name + "wi_1"), (gate, up) => gate.Zip(up, (v, u) =>
            u * 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + (0.044715 * v * v * v))))).ToArray());
        return Linear([.. hidden], name + "wo");
    }

    private double[][] Norm(double[][] x, string name)
    {
        var weight = parameters[name + ".weight"];
        return [.. x.Select(row =>
        {
            var size = Math.Sqrt(row.Average(v => v * v) + c.LayerNormEpsilon);
            return row.Select((v, i) => v / size * weight[i]).ToArray();
        })];
    }

    private double[][] Linear(double[][] x, string name) => Linear(x, parameters[name + ".weight"]);

    private static double[][] Linear(double[][] x, double[] weight) => [.. x.Select(row => Enumerable.Range(0, weight.Length / row.Length)
        .Select(o => row.Select((v, i) => v * weight[(o * row.Length) + i]).Sum()).ToArray())];

    private static double[][] Sum(double[][] x, double[][] read, Func<double[][], double[][]> compute) =>
        [.. x.Zip(compute(read), (a, b) => a.Zip(b, (v, w) => v + w).ToArray())];
}
