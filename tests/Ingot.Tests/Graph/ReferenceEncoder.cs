using Ingot.Models;
using Ingot.Models.Bert;

namespace Ingot.Tests.Graphs;

/// <summary>BERT and RoBERTa in plain double precision, written from the papers, sharing nothing with the library.</summary>
internal sealed class ReferenceEncoder(BertConfig config, IReadOnlyDictionary<string, double[]> parameters, int length)
{
    private readonly string _body = config.Head == ModelTask.FeatureExtraction ? "" : config.Flavor == BertFlavor.Bert ? "bert." : "roberta.";

    /// <summary>What the tokens' rows of the token table are replaced with; null for these.</summary>
    public double[][]? Embeddings { get; init; }

    /// <summary>Attention of the sequences so far: probabilities of a layer by head, query and key.</summary>
    public List<double[][][]> Attentions { get; init; } = [];

    private bool IsBert => config.Flavor == BertFlavor.Bert;

    /// <summary>What the last layer of the head reads: a row for each token, or for each sequence.</summary>
    /// <param name="tokens">Sequences behind one another, each of the same length.</param>
    /// <param name="types">Kind of each token; null for 0.</param>
    /// <param name="lengths">Tokens of each sequence that are no padding; null for all.</param>
    public double[][] BeforeHead(int[] tokens, int[]? types, int[]? lengths)
    {
        var x = Hidden(tokens, types, lengths);
        if (config.Head == ModelTask.MaskedLm)
        {
            var (dense, norm) = IsBert ? ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm")
                : ("lm_head.dense", "lm_head.layer_norm");
            return Norm(Activate(Linear(x, dense), IsBert ? config.HiddenAct : "gelu"), norm);
        }

        if (config.Head != ModelTask.SequenceClassification)
            return x;
        var first = x.Where((_, n) => n % length == 0).ToArray();
        return [.. Linear(first, IsBert ? "bert.pooler.dense" : "classifier.dense").Select(row => row.Select(Math.Tanh).ToArray())];
    }

    /// <summary>The last layer of the head.</summary>
    public double[][] Logits(double[][] x) => config.Head switch
    {
        ModelTask.MaskedLm => Linear(x, P(config.TieWordEmbeddings ? _body + "embeddings.word_embeddings.weight"
            : IsBert ? "cls.predictions.decoder.weight" : "lm_head.decoder.weight"), P(IsBert ? "cls.predictions.bias" : "lm_head.bias")),
        ModelTask.SequenceClassification => Linear(x, IsBert ? "classifier" : "classifier.out_proj"),
        _ => Linear(x, "classifier"),
    };

    /// <summary>Hidden states of every token behind the last block.</summary>
    public double[][] Hidden(int[] tokens, int[]? types, int[]? lengths)
    {
        var w = config.HiddenSize;
        double[] Row(string table, int row) => P($"{_body}embeddings.{table}_embeddings.weight")[(row * w)..((row + 1) * w)];
        var firstPosition = IsBert ? 0 : config.PadTokenId + 1;
        var x = Norm([.. tokens.Select((t, n) => Sum(Sum(Embeddings?[n] ?? Row("word", t), Row("position", firstPosition + (n % length))),
            Row("token_type", types?[n] ?? 0)))], _body + "embeddings.LayerNorm");
        for (var l = 0; l < config.LayerCount; l++)
        {
            var h = $"{_body}encoder.layer.{l}.";
            var y = Attention(Linear(x, h + "attention.self.query"), Linear(x, h + "attention.self.key"), Linear(x, h + "attention.self.value"),
                lengths);
            x = Norm(Sum(x, Linear(y, h + "attention.output.dense")), h + "attention.output.LayerNorm");
            var inner = Activate(Linear(x, h + "intermediate.dense"), config.HiddenAct);
            x = Norm(Sum(x, Linear(inner, h + "output.dense")), h + "output.LayerNorm");
        }

        return x;
    }

    private double[][] Attention(double[][] q, double[][] k, double[][] v, int[]? lengths)
    {
        var d = config.HiddenSize / config.Heads;
        var y = new double[q.Length][];
        Attentions.Add([.. Enumerable.Range(0, config.Heads).Select(_ => new double[y.Length][])]);
        for (var n = 0; n < q.Length; n++)
        {
            y[n] = new double[config.HiddenSize];
            var (row, start) = (n / length, n / length * length);
            var keys = Enumerable.Range(start, lengths?[row] ?? length).ToArray();
            for (var head = 0; head < config.Heads; head++)
            {
                var at = head * d;
                var scores = keys.Select(m => Enumerable.Range(at, d).Sum(i => q[n][i] * k[m][i]) / Math.Sqrt(d)).ToArray();
                var most = scores.Max();
                var weights = scores.Select(s => Math.Exp(s - most)).ToArray();
                Attentions[^1][head][n] = [.. weights.Select(w => w / weights.Sum())];
                for (var m = 0; m < keys.Length; m++)
                {
                    for (var i = at; i < at + d; i++)
                        y[n][i] += weights[m] / weights.Sum() * v[keys[m]][i];
                }
            }
        }

        return y;
    }

    private static double[][] Activate(double[][] x, string kind) => [.. x.Select(row => row.Select(v => kind == "gelu"
        ? v * 0.5 * (1 + Erf(v / Math.Sqrt(2)))
        : 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + (0.044715 * v * v * v))))).ToArray())];

    /// <summary>The error function by its power series, which is exact to rounding for the arguments of small models.</summary>
    private static double Erf(double x)
    {
        if (Math.Abs(x) > 5.5)
            return Math.Sign(x);
        var (sum, term) = (x, x);
        for (var n = 1; n < 200; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }

        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private double[][] Norm(double[][] x, string name) => [.. x.Select(row =>
    {
        var mean = row.Average();
        var deviation = Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + config.LayerNormEpsilon);
        return row.Select((v, i) => ((v - mean) / deviation * P(name + ".weight")[i]) + P(name + ".bias")[i]).ToArray();
    })];

    private double[][] Linear(double[][] x, string name) => Linear(x, P(name + ".weight"), P(name + ".bias"));

    private static double[][] Linear(double[][] x, double[] weight, double[] bias) => [.. x.Select(row =>
        bias.Select((b, o) => b + row.Select((v, i) => v * weight[(o * row.Length) + i]).Sum()).ToArray())];

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (p, q) => p + q)];

    private static double[][] Sum(double[][] a, double[][] b) => [.. a.Zip(b, Sum)];

    private double[] P(string name) => parameters[name];
}
