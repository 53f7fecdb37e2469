using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;

namespace Ingot.Tests.Graphs;

/// <summary>GPT-2, Llama and BERT in plain double precision, written from the papers, sharing nothing with the library: the check.</summary>
internal sealed class ReferenceModel(ModelConfig config, IReadOnlyDictionary<string, double[]> parameters, int batch, int length)
{
    /// <summary>What the tokens' rows of the token table are replaced with; null for these.</summary>
    public double[][]? Embeddings { get; init; }

    /// <summary>Attention of the sequences so far: probabilities of a layer by head, query and the keys that it sees.</summary>
    public List<double[][][]> Attentions { get; } = [];

    /// <summary>Mean cross-entropy of the targets, and, on the side, the logits.</summary>
    public double Loss(int[] tokens, int[] targets, out double[][] logits)
    {
        var x = config switch
        {
            Gpt2Config c => Gpt2(c, tokens),
            LlamaConfig c => Llama(c, tokens),
            BertConfig c => new ReferenceEncoder(c, parameters, length) { Embeddings = Embeddings, Attentions = Attentions }.BeforeHead(tokens, null, null),
            _ => throw new NotSupportedException(),
        };
        if (config is BertConfig bert)
        {
            logits = new ReferenceEncoder(bert, parameters, length).Logits(x);
            // A label of a whole sequence stands at its first token.
            return MeanLoss(logits, bert.Head == ModelTask.SequenceClassification ? [.. targets.Where((_, n) => n % length == 0)] : targets);
        }

        var head = config is LlamaConfig { TieWordEmbeddings: false } or Gpt2Config { TieWordEmbeddings: false } ? P("lm_head.weight")
            : config is LlamaConfig ? P("model.embed_tokens.weight") : P("transformer.wte.weight");
        logits = Linear(x, head, config.VocabularySize, null);
        return MeanLoss(logits, targets);
    }

    private static double MeanLoss(double[][] logits, int[] targets)
    {
        double sum = 0;
        var counted = 0;
        for (var n = 0; n < targets.Length; n++)
        {
            if (targets[n] < 0)
                continue;
            var max = logits[n].Max();
            sum += max + Math.Log(logits[n].Sum(l => Math.Exp(l - max))) - logits[n][targets[n]];
            counted++;
        }

        return sum / counted;
    }

    private double[][] Gpt2(Gpt2Config c, int[] tokens)
    {
        var x = tokens.Select((t, n) => Sum(Token("transformer.wte.weight", t, n), Row("transformer.wpe.weight", n % length, c.Width)))
            .ToArray();
        for (var l = 0; l < c.LayerCount; l++)
        {
            var h = $"transformer.h.{l}.";
            var qkv = Conv1D(LayerNorm(x, h + "ln_1", c), h + "attn.c_attn", 3 * c.Width);
            var d = c.Width / c.Heads;
            double[] Part(double[] row, int part, int head) => row[((part * c.Width) + (head * d))..((part * c.Width) + ((head + 1) * d))];
            var y = Attention((n, head) => Part(qkv[n], 0, head), (n, head) => Part(qkv[n], 1, head), (n, head) => Part(qkv[n], 2, head),
                c.Heads, c.Heads, d);
            x = Sum(x, Conv1D(y, h + "attn.c_proj", c.Width));
            var hidden = Conv1D(LayerNorm(x, h + "ln_2", c), h + "mlp.c_fc", c.Inner ?? (4 * c.Width));
            foreach (var row in hidden)
            {
                for (var i = 0; i < row.Length; i++)
                    row[i] = 0.5 * row[i] * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (row[i] + (0.044715 * Math.Pow(row[i], 3)))));
            }

            x = Sum(x, Conv1D(hidden, h + "mlp.c_proj", c.Width));
        }

        return LayerNorm(x, "transformer.ln_f", c);
    }

    private double[][] Llama(LlamaConfig c, int[] tokens)
    {
        var (d, kv) = (c.HeadDim ?? (c.HiddenSize / c.Heads), c.KeyValueHeads ?? c.Heads);
        var x = tokens.Select((t, n) => Token("model.embed_tokens.weight", t, n)).ToArray();
        for (var l = 0; l < c.LayerCount; l++)
        {
            var h = $"model.layers.{l}.";
            var a = RmsNorm(x, h + "input_layernorm.weight", c.RmsNormEpsilon);
            var q = Heads(a, "q", c.Heads);
            var k = Heads(a, "k", kv);
            var v = Heads(a, "v", kv);
            var y = Attention((n, i) => q[n][i], (n, i) => k[n][i], (n, i) => v[n][i], c.Heads, kv, d);
            x = Sum(x, Linear(y, P(h + "self_attn.o_proj.weight"), c.HiddenSize, Find(h + "self_attn.o_proj.bias")));
            var b = RmsNorm(x, h + "post_attention_layernorm.weight", c.RmsNormEpsilon);
            var gate = Linear(b, P(h + "mlp.gate_proj.weight"), c.IntermediateSize, null);
            var up = Linear(b, P(h + "mlp.up_proj.weight"), c.IntermediateSize, null);
            for (var n = 0; n < gate.Length; n++)
            {
                for (var i = 0; i < gate[n].Length; i++)
                    gate[n][i] *= up[n][i] / (1 + Math.Exp(-gate[n][i]));
            }

            x = Sum(x, Linear(gate, P(h + "mlp.down_proj.weight"), c.HiddenSize, null));

            double[][][] Heads(double[][] input, string name, int heads)
            {
                var rows = Linear(input, P($"{h}self_attn.{name}_proj.weight"), heads * d, Find($"{h}self_attn.{name}_proj.bias"));
                return [.. rows.Select((row, n) => Enumerable.Range(0, heads).Select(i =>
                {
                    var head = row[(i * d)..((i + 1) * d)];
                    if (name != "v" && Find($"{h}self_attn.{name}_norm.weight") is not null)
                        head = RmsNorm([head], $"{h}self_attn.{name}_norm.weight", c.RmsNormEpsilon)[0];
                    return name == "v" ? head : Rotate(head, n % length, c);
                }).ToArray())];
            }
        }

        return RmsNorm(x, "model.norm.weight", c.RmsNormEpsilon);
    }

    private static double[] Rotate(double[] x, int position, LlamaConfig c)
    {
        var half = x.Length / 2;
        var y = new double[x.Length];
        for (var r = 0; r < half; r++)
        {
            var (wavelength, amplitude) = Wave(r, x.Length, c);
            var (sin, cos) = Math.SinCos(position * 2 * Math.PI / wavelength);
            y[r] = amplitude * ((x[r] * cos) - (x[r + half] * sin));
            y[r + half] = amplitude * ((x[r + half] * cos) + (x[r] * sin));
        }

        return y;
    }

    /// <summary>Positions of a full turn, and what is multiplied with the result.</summary>
    private static (double Wavelength, double Amplitude) Wave(int r, int d, LlamaConfig c)
    {
        var wavelength = 2 * Math.PI * Math.Pow(c.RopeTheta, 2.0 * r / d);
        switch (c.RopeScaling)
        {
            case RopeScaling.Linear s:
                return (wavelength * s.Factor, 1);
            case RopeScaling.Llama3 s:
                var (longest, shortest) = (s.OriginalPositions / s.LowFrequencyFactor, s.OriginalPositions / s.HighFrequencyFactor);
                if (wavelength > longest)
                    return (wavelength * s.Factor, 1);
                if (wavelength < shortest)
                    return (wavelength, 1);
                var kept = ((s.OriginalPositions / wavelength) - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor);
                return (1 / (((1 - kept) / (s.Factor * wavelength)) + (kept / wavelength)), 1);
            case RopeScaling.Yarn s:
                double Dimension(double turns) => d / 2.0 * Math.Log(s.OriginalPositions / (2 * Math.PI * turns), c.RopeTheta);
                var (low, high) = (Math.Max(0, Math.Floor(Dimension(s.BetaFast))), Math.Min(d - 1, Math.Ceiling(Dimension(s.BetaSlow))));
                var ramp = r <= low ? 0 : r >= high ? 1 : (r - low) / (high - low);
                var amplitude = s.AttentionFactor ?? (1 + (Math.Log(s.Factor) / 10));
                return (1 / ((ramp / (s.Factor * wavelength)) + ((1 - ramp) / wavelength)), amplitude);
            default:
                return (wavelength, 1);
        }
    }

    private double[][] Attention(Func<int, int, double[]> q, Func<int, int, double[]> k, Func<int, int, double[]> v, int heads, int kv, int d)
    {
        var y = new double[batch * length][];
        Attentions.Add([.. Enumerable.Range(0, heads).Select(_ => new double[y.Length][])]);
        for (var n = 0; n < y.Length; n++)
        {
            y[n] = new double[heads * d];
            var start = n / length * length;
            for (var head = 0; head < heads; head++)
            {
                var group = head * kv / heads;
                var query = q(n, head);
                var scores = Enumerable.Range(start, n - start + 1)
                    .Select(m => query.Zip(k(m, group), (a, b) => a * b).Sum() / Math.Sqrt(d)).ToArray();
                var max = scores.Max();
                var weights = scores.Select(s => Math.Exp(s - max)).ToArray();
                var total = weights.Sum();
                Attentions[^1][head][n] = [.. weights.Select(w => w / total)];
                for (var m = 0; m < weights.Length; m++)
                {
                    var value = v(start + m, group);
                    for (var i = 0; i < d; i++)
                        y[n][(head * d) + i] += weights[m] / total * value[i];
                }
            }
        }

        return y;
    }

    private double[][] LayerNorm(double[][] x, string name, Gpt2Config c)
    {
        var (weight, bias) = (P(name + ".weight"), P(name + ".bias"));
        return [.. x.Select(row =>
        {
            var mean = row.Average();
            var rstd = 1 / Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + c.LayerNormEpsilon);
            return row.Select((v, i) => ((v - mean) * rstd * weight[i]) + bias[i]).ToArray();
        })];
    }

    private double[][] RmsNorm(double[][] x, string name, double epsilon)
    {
        var weight = P(name);
        return [.. x.Select(row =>
        {
            var rstd = 1 / Math.Sqrt(row.Average(v => v * v) + epsilon);
            return row.Select((v, i) => v * rstd * weight[i]).ToArray();
        })];
    }

    private double[][] Conv1D(double[][] x, string name, int outputs)
    {
        var (weight, bias) = (P(name + ".weight"), P(name + ".bias"));
        return [.. x.Select(row =>
        {
            var y = bias.ToArray();
            for (var i = 0; i < row.Length; i++)
            {
                for (var o = 0; o < outputs; o++)
                    y[o] += row[i] * weight[(i * outputs) + o];
            }

            return y;
        })];
    }

    private static double[][] Linear(double[][] x, double[] weight, int outputs, double[]? bias) =>
        [.. x.Select(row => Enumerable.Range(0, outputs).Select(o =>
        {
            var sum = bias?[o] ?? 0;
            for (var i = 0; i < row.Length; i++)
                sum += row[i] * weight[(o * row.Length) + i];
            return sum;
        }).ToArray())];

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double[][] Sum(double[][] a, double[][] b) => [.. a.Zip(b, Sum)];

    private double[] Token(string table, int token, int place) => Embeddings?[place] ?? Row(table, token, config.Width);

    private double[] Row(string table, int row, int width) => P(table)[(row * width)..((row + 1) * width)];

    private double[] P(string name) => parameters[name];

    private double[]? Find(string name) => parameters.GetValueOrDefault(name);
}
