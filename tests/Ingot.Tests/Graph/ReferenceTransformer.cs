using Ingot.Models.Transformer;

namespace Ingot.Tests.Graphs;

/// <summary>
/// Marian and M2M-100 in plain double precision, one pair at a time and without padding, written from the papers, sharing nothing with
/// the library: the check.
/// </summary>
internal sealed class ReferenceTransformer(TransformerConfig c, IReadOnlyDictionary<string, double[]> parameters) : ReferenceEncoderDecoder
{
    private bool IsMarian => c is MarianConfig;

    /// <inheritdoc/>
    public override double[][] Logits(int[] source, int[] tokens)
    {
        var states = Encode(source);
        var x = Embed(tokens, Embeddings?.Tokens);
        for (var layer = 0; layer < c.DecoderLayers; layer++)
        {
            var name = $"model.decoder.layers.{layer}.";
            x = Block(x, name + "self_attn_layer_norm", y => Attention(y, y, name + "self_attn.", c.DecoderHeads, causal: true));
            x = Block(x, name + "encoder_attn_layer_norm", y => Attention(y, states, name + "encoder_attn.", c.DecoderHeads, causal: false));
            x = Block(x, name + "final_layer_norm", y => FeedForward(y, name));
        }

        if (!IsMarian)
            x = LayerNorm(x, "model.decoder.layer_norm");
        var table = parameters["model.shared.weight"];
        var bias = parameters.GetValueOrDefault("final_logits_bias");
        return [.. x.Select(row => Enumerable.Range(0, c.VocabSize)
            .Select(v => row.Select((value, i) => value * table[(v * c.ModelWidth) + i]).Sum() + (bias?[v] ?? 0)).ToArray())];
    }

    private double[][] Encode(int[] source)
    {
        var x = Embed(source, Embeddings?.Source);
        for (var layer = 0; layer < c.EncoderLayers; layer++)
        {
            var name = $"model.encoder.layers.{layer}.";
            x = Block(x, name + "self_attn_layer_norm", y => Attention(y, y, name + "self_attn.", c.EncoderHeads, causal: false));
            x = Block(x, name + "final_layer_norm", y => FeedForward(y, name));
        }

        return IsMarian ? x : LayerNorm(x, "model.encoder.layer_norm");
    }

    private double[][] Embed(int[] tokens, double[][]? rows)
    {
        var (d, table) = (c.ModelWidth, parameters["model.shared.weight"]);
        var half = d / 2;
        return [.. tokens.Select((token, t) => Enumerable.Range(0, d).Select(i =>
        {
            var j = i % half;
            // Marian: position t, wavelengths 2π · 10000^(2j/d). fairseq: positions from 2 on (behind padding's 1), half − 1 steps.
            var angle = IsMarian ? t / Math.Pow(10000, 2.0 * j / d) : (t + 2) / Math.Pow(10000, (double)j / (half - 1));
            var position = i < half ? Math.Sin(angle) : Math.Cos(angle);
            return ((rows?[t][i] ?? table[(token * d) + i]) * (c.ScaleEmbedding ? Math.Sqrt(d) : 1)) + position;
        }).ToArray())];
    }

    private double[][] Block(double[][] x, string norm, Func<double[][], double[][]> compute) => IsMarian
        ? LayerNorm(Sum(x, compute(x)), norm)
        : Sum(x, compute(LayerNorm(x, norm)));

    private double[][] Attention(double[][] queries, double[][] keys, string name, int heads, bool causal)
    {
        var (q, k, v) = (Linear(queries, name + "q_proj"), Linear(keys, name + "k_proj"), Linear(keys, name + "v_proj"));
        var size = c.ModelWidth / heads;
        var y = q.Select(row => new double[row.Length]).ToArray();
        Attentions.Add([.. Enumerable.Range(0, heads).Select(_ => new double[y.Length][])]);
        for (var t = 0; t < q.Length; t++)
        {
            for (var head = 0; head < heads; head++)
            {
                var seen = causal ? t + 1 : k.Length;
                var weights = Enumerable.Range(0, seen).Select(s => Math.Exp(Enumerable.Range(head * size, size)
                    .Sum(i => q[t][i] * k[s][i]) / Math.Sqrt(size))).ToArray();
                var total = weights.Sum();
                Attentions[^1][head][t] = [.. weights.Select(w => w / total)];
                for (var s = 0; s < seen; s++)
                {
                    for (var i = head * size; i < (head + 1) * size; i++)
                        y[t][i] += weights[s] / total * v[s][i];
                }
            }
        }

        return Linear(y, name + "out_proj");
    }

    private double[][] FeedForward(double[][] x, string name)
    {
        var hidden = Linear(x, name + "fc1");
        return Linear([.. hidden.Select(row => row.Select(Activate).ToArray())], name + "fc2");
    }

    private double Activate(double x) => c.ActivationFunction switch
    {
        "relu" => Math.Max(0, x),
        "swish" => x / (1 + Math.Exp(-x)),
        var other => throw new ArgumentException(other),
    };

    private double[][] LayerNorm(double[][] x, string name)
    {
        var (weight, bias) = (parameters[name + ".weight"], parameters[name + ".bias"]);
        return [.. x.Select(row =>
        {
            var mean = row.Average();
            var deviation = Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + 1e-5);
            return row.Select((v, i) => ((v - mean) / deviation * weight[i]) + bias[i]).ToArray();
        })];
    }

    private double[][] Linear(double[][] x, string name)
    {
        var (weight, bias) = (parameters[name + ".weight"], parameters[name + ".bias"]);
        return [.. x.Select(row => bias.Select((b, o) => b + row.Select((v, i) => v * weight[(o * row.Length) + i]).Sum()).ToArray())];
    }

    private static double[][] Sum(double[][] a, double[][] b) =>
        [.. a.Zip(b, (x, y) => x.Zip(y, (v, w) => v + w).ToArray())];
}
