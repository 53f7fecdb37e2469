using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>Attention and its gradient by the definition: softmax over the keys that a query sees, in double precision.</summary>
internal static class AttentionCases
{
    private sealed record Sizes(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int Size, bool Causal = true, int Window = 0,
        bool Segments = false, bool Lengths = false, long Gap = 0, int Distances = 0)
    {
        public override string ToString() => $"B={Batch},T={Queries},S={Keys},H={Heads},KV={KeyHeads},D={Size}"
            + (Causal ? ",causal=1" : "") + (Window > 0 ? $",window={Window}" : "") + (Segments ? " with segments" : "")
            + (Lengths ? " with kv_lengths" : "") + (Gap > 0 ? $" rows {Gap} apart" : "")
            + (Distances > 0 ? $" with a bias of {Distances} distances" : "");
    }

    private static readonly Sizes[] Forward =
    [
        new(1, 1, 1, 1, 1, 8), new(2, 5, 5, 3, 3, 16), new(1, 67, 67, 2, 1, 64), new(1, 33, 33, 4, 2, 32, Causal: false),
        new(1, 130, 130, 1, 1, 64, Window: 17), new(2, 40, 40, 2, 2, 24, Segments: true), new(2, 1, 70, 4, 2, 64, Causal: false,
            Lengths: true),
        new(3, 3, 65, 2, 1, 128, Lengths: true), new(1, 70, 70, 2, 2, 80, Gap: 96), new(1, 9, 9, 2, 2, 5),
        new(2, 37, 37, 3, 3, 16, Causal: false, Distances: 21), new(2, 1, 70, 4, 2, 64, Lengths: true, Distances: 33),
    ];

    private static readonly Sizes[] Backward =
    [
        new(1, 1, 1, 1, 1, 8), new(2, 5, 5, 3, 3, 16), new(1, 67, 67, 2, 1, 64), new(1, 33, 33, 4, 2, 32, Causal: false),
        new(1, 130, 130, 1, 1, 64, Window: 17), new(2, 40, 40, 2, 2, 24, Segments: true), new(1, 70, 70, 2, 2, 80, Gap: 96),
        new(2, 37, 37, 3, 3, 16, Causal: false, Distances: 21), new(1, 67, 67, 2, 1, 64, Distances: 33),
    ];

    public static IEnumerable<OpCase> Of(string op, DType type) =>
        (op == "attention" ? Forward : Backward).Select((sizes, i) => Make(sizes, op, type, new CaseRandom(100 + i)));

    private static OpCase Make(Sizes s, string op, DType type, CaseRandom random)
    {
        long[] queries = [s.Batch, s.Queries, s.Heads, s.Size], keys = [s.Batch, s.Keys, s.KeyHeads, s.Size];
        var q = random.Normal(Product(queries), type);
        var k = random.Normal(Product(keys), type);
        var v = random.Normal(Product(keys), type);
        // Documents one behind the other; the last row of keys is padding.
        double[] Segments(int length) => [.. Enumerable.Range(0, s.Batch * length).Select(i => i % length >= length - 1 ? -1.0
            : i % length / 7)];
        var (querySegments, keySegments) = (Segments(s.Queries), Segments(s.Keys));
        double[] lengths = [.. Enumerable.Range(0, s.Batch).Select(b => Math.Max(s.Queries, s.Keys - (11.0 * b)))];

        var bias = random.Normal(s.Distances * s.Heads, type);

        // The bias of a pair: by the key's distance from the query, the ends of the table for all that is farther.
        int Bias(int b, int h, int i, int j)
        {
            var own = s.Causal ? i + (s.Lengths ? (int)lengths[b] : s.Keys) - s.Queries : i;
            return ((Math.Clamp(j - own, -(s.Distances / 2), s.Distances / 2) + (s.Distances / 2)) * s.Heads) + h;
        }

        bool Sees(int b, int i, int j)
        {
            var length = s.Lengths ? (int)lengths[b] : s.Keys;
            // Queries are the last of the keys.
            var own = i + length - s.Queries;
            return j < length && (!s.Causal || j <= own) && (s.Window == 0 || j > own - s.Window)
                && (!s.Segments || (keySegments[(b * s.Keys) + j] >= 0 && keySegments[(b * s.Keys) + j] == querySegments[(b * s.Queries)
                    + i]));
        }

        int Query(int b, int i, int h) => ((((b * s.Queries) + i) * s.Heads) + h) * s.Size;
        int Key(int b, int j, int h) => ((((b * s.Keys) + j) * s.KeyHeads) + (h / (s.Heads / s.KeyHeads))) * s.Size;
        double Dot(double[] x, int at, double[] y, int other)
        {
            var sum = 0.0;
            for (var d = 0; d < s.Size; d++)
                sum += x[at + d] * y[other + d];
            return sum;
        }

        var scale = 1 / Math.Sqrt(s.Size);
        var y = new double[q.Length];
        var lse = new double[s.Batch * s.Heads * s.Queries];
        var dy = random.Normal(q.Length, type);
        var (dq, dk, dv, dbias) = (new double[q.Length], new double[k.Length], new double[v.Length], new double[bias.Length]);
        for (var b = 0; b < s.Batch; b++)
        {
            for (var h = 0; h < s.Heads; h++)
            {
                for (var i = 0; i < s.Queries; i++)
                {
                    var row = Query(b, i, h);
                    int[] seen = [.. Enumerable.Range(0, s.Keys).Where(j => Sees(b, i, j))];
                    double[] scores = [.. seen.Select(j => (scale * Dot(q, row, k, Key(b, j, h)))
                        + (s.Distances > 0 ? bias[Bias(b, h, i, j)] : 0))];
                    var max = scores.Length == 0 ? double.NegativeInfinity : scores.Max();
                    var total = scores.Sum(score => Math.Exp(score - max));
                    lse[(((b * s.Heads) + h) * s.Queries) + i] = scores.Length == 0 ? double.NegativeInfinity : max + Math.Log(total);
                    double[] weights = [.. scores.Select(score => Math.Exp(score - max) / total)];
                    for (var n = 0; n < seen.Length; n++)
                    {
                        for (var d = 0; d < s.Size; d++)
                            y[row + d] += weights[n] * v[Key(b, seen[n], h) + d];
                    }

                    if (op == "attention")
                        continue;
                    var mean = Dot(dy, row, y, row);
                    for (var n = 0; n < seen.Length; n++)
                    {
                        var key = Key(b, seen[n], h);
                        var change = weights[n] * (Dot(dy, row, v, key) - mean);
                        var derivative = change * scale;
                        if (s.Distances > 0)
                            dbias[Bias(b, h, i, seen[n])] += change;
                        for (var d = 0; d < s.Size; d++)
                        {
                            dq[row + d] += derivative * k[key + d];
                            dk[key + d] += derivative * q[row + d];
                            dv[key + d] += weights[n] * dy[row + d];
                        }
                    }
                }
            }
        }

        var c = new OpCase(op, type, s.ToString())
            .Add(new CaseOperand("q", type, queries, q, null, s.Gap)).Add(new CaseOperand("k", type, keys, k, null, s.Gap))
            .Add(new CaseOperand("v", type, keys, v, null, s.Gap)).With(new OpAttribute("causal", s.Causal));
        if (s.Window > 0)
            c.With(new OpAttribute("window", s.Window));
        if (s.Segments)
            c.In("query_segments", querySegments, DType.I32, s.Batch, s.Queries).In("key_segments", keySegments, DType.I32, s.Batch,
                s.Keys);
        if (s.Lengths)
            c.In("kv_lengths", lengths, DType.I32, s.Batch);
        if (s.Distances > 0)
            c.In("bias", bias, type, s.Distances, s.Heads);
        if (op == "attention")
            return c.Out("y", y, type, queries).Out("lse", lse, DType.F32, s.Batch, s.Heads, s.Queries);
        double[] rounded = [.. y.Select(value => CaseRandom.Round(value, type))];
        c.In("y", rounded, type, queries).In("lse", [.. lse.Select(value => CaseRandom.Round(value, DType.F32))], DType.F32,
            s.Batch, s.Heads, s.Queries)
            .In("dy", dy, type, queries).Add(new CaseOperand("dq", type, queries, null, dq, s.Gap))
            .Add(new CaseOperand("dk", type, keys, null, dk, s.Gap)).Add(new CaseOperand("dv", type, keys, null, dv, s.Gap));
        return s.Distances > 0 ? c.Out("dbias", dbias, DType.F32, s.Distances, s.Heads) : c;
    }

    private static long Product(long[] shape) => shape.Aggregate(1L, (product, length) => product * length);
}
