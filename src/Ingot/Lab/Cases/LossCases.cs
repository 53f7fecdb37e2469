using System.Globalization;
using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>Cross-entropy with its gradient, draws of tokens, and the embedding table with its gradient.</summary>
internal static class LossCases
{
    public static IEnumerable<OpCase> Of(string op, DType type) => op switch
    {
        "cross_entropy" => Rows.SelectMany((size, i) =>
            Smoothings.Select(smoothing => CrossEntropy(size.Item1, size.Item2, smoothing, i % 2 == 0, type, new CaseRandom(500 + i)))),
        "sample" => Settings.SelectMany((settings, i) => Draws.Select(size =>
            Sample(size.Item1, size.Item2, settings, type, new CaseRandom(520 + i)))),
        _ => Tables.SelectMany((size, i) => Flags.Select(accumulate =>
            Embedding(op, size.Item1, size.Item2, size.Item3, accumulate, type, new CaseRandom(540 + i)))),
    };

    private static readonly (int, int)[] Rows = [(4, 2), (3, 65), (9, 1000), (2, 10007)];
    private static readonly (int, int)[] Draws = [(1, 1), (3, 37), (2, 5000)];
    private static readonly (int, int, int)[] Tables = [(1, 1, 1), (5, 3, 7), (33, 100, 64), (70, 11, 257)];
    private static readonly bool[] Flags = [false, true];
    private static readonly double[] Smoothings = [0, 0.1];

    // Temperature, top-k, top-p, min-p.
    private static readonly double[][] Settings = [[0, 0, 1, 0], [1, 0, 1, 0], [0.7, 5, 1, 0], [1, 0, 0.8, 0], [1.5, 0, 1, 0.25]];

    private static OpCase CrossEntropy(int rows, int vocabulary, double smoothing, bool gradient, DType type, CaseRandom random)
    {
        const int Ignored = -100;
        const double Scale = 0.125;
        var logits = random.Normal(rows * vocabulary, type, 4);
        var targets = random.Integers(rows, vocabulary);
        if (rows > 1)
            targets[1] = Ignored;
        double[] losses = new double[rows], after = [.. logits];
        for (var r = 0; r < rows; r++)
        {
            var row = logits.AsSpan(r * vocabulary, vocabulary).ToArray();
            var max = row.Max();
            var log = max + Math.Log(row.Sum(x => Math.Exp(x - max)));
            var counts = targets[r] != Ignored;
            losses[r] = counts ? log - ((1 - smoothing) * row[(int)targets[r]]) - (smoothing * row.Average()) : 0;
            for (var v = 0; gradient && v < vocabulary; v++)
            {
                var wanted = (v == (int)targets[r] ? 1 - smoothing : 0) + (smoothing / vocabulary);
                after[(r * vocabulary) + v] = counts ? Scale * (Math.Exp(row[v] - log) - wanted) : 0;
            }
        }

        return new OpCase("cross_entropy", type, $"N={rows},V={vocabulary},label_smoothing={smoothing}{(gradient ? ",gradient=1" : "")}")
            .Add(new CaseOperand("logits", type, [rows, vocabulary], logits, after, RowGap: 7)).In("targets", targets, DType.I32, rows)
            .In("scale", [Scale], DType.F32, 1).Out("losses", losses, DType.F32, rows).With(new OpAttribute("gradient", gradient))
            .With(new OpAttribute("label_smoothing", smoothing));
    }

    private static OpCase Sample(int rows, int vocabulary, double[] settings, DType type, CaseRandom random)
    {
        var logits = random.Normal(rows * vocabulary, type, 3);
        double[] rounded = [.. settings.Select(value => CaseRandom.Round(value, DType.F32))];
        double[] seeds = [.. Enumerable.Range(0, rows).SelectMany(r => new double[] { 77 + r, 3 })];
        double[] ids = [.. Enumerable.Range(0, rows).Select(r =>
            Drawn(logits.AsSpan(r * vocabulary, vocabulary).ToArray(), rounded, (ulong)seeds[2 * r], (ulong)seeds[(2 * r) + 1]))];
        return new OpCase("sample", type,
            string.Create(CultureInfo.InvariantCulture, $"B={rows},V={vocabulary} temperature {settings[0]}, top-k {settings[1]}, "
                + $"top-p {settings[2]}, min-p {settings[3]}"))
            .In("logits", logits, type, rows, vocabulary).In("settings", rounded, DType.F32, 4).In("random", seeds, DType.I64, rows, 2)
            .Out("ids", ids, DType.I32, rows);
    }

    // The rules by a full sort; the draw goes over the tokens that are left in the order of their ids.
    private static double Drawn(double[] logits, double[] settings, ulong seed, ulong step)
    {
        int[] order = [.. Enumerable.Range(0, logits.Length).OrderByDescending(v => logits[v]).ThenBy(v => v)];
        if (settings[0] == 0)
            return order[0];
        double Weight(int v) => Math.Exp((logits[v] - logits[order[0]]) / settings[0]);
        IReadOnlyList<int> left = settings[1] > 0 ? order[..Math.Min(order.Length, (int)settings[1])] : order;
        if (settings[2] < 1)
        {
            var all = left.Sum(Weight);
            var reached = 0.0;
            left = [.. left.TakeWhile((v, i) =>
            {
                var more = i == 0 || reached < settings[2] * all;
                reached += Weight(v);
                return more;
            })];
        }

        int[] kept = [.. left.Where(v => Weight(v) >= settings[3]).Order()];
        var block = Philox.Block(seed, step, Philox.SampleStream, 0);
        var uniform = ((((ulong)block[0] << 32) | block[1]) >> 11) * Math.Pow(2, -53);
        var (total, sum) = (kept.Sum(Weight), 0.0);
        foreach (var v in kept)
        {
            sum += Weight(v);
            if (sum > uniform * total)
                return v;
        }

        return kept[^1];
    }

    private static OpCase Embedding(string op, int count, int vocabulary, int width, bool accumulate, DType type, CaseRandom random)
    {
        var ids = random.Integers(count, vocabulary);
        var c = new OpCase(op, type, $"N={count},V={vocabulary},C={width}{(accumulate && op != "embedding" ? ",accumulate=1" : "")}")
            .In("ids", ids, DType.I32, count);
        if (op == "embedding")
        {
            var table = random.Normal(vocabulary * width, type);
            return c.Add(new CaseOperand("table", type, [vocabulary, width], table, null, RowGap: accumulate ? 3 : 0))
                .Out("y", [.. ids.SelectMany(id => table.AsSpan((int)id * width, width).ToArray())], type, count, width);
        }

        var dy = random.Normal(count * width, type);
        var before = random.Normal(vocabulary * width, DType.F32);
        double[] after = accumulate ? [.. before] : new double[before.Length];
        for (var i = 0; i < dy.Length; i++)
            after[((int)ids[i / width] * width) + (i % width)] += dy[i];
        return c.In("dy", dy, type, count, width).InOut("dtable", before, after, DType.F32, vocabulary, width)
            .With(new OpAttribute("accumulate", accumulate));
    }
}
