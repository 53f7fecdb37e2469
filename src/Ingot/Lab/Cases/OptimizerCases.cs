using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>Sums, the decision about an update, and AdamW (Loshchilov and Hutter, 2019, as torch.optim.AdamW has it).</summary>
internal static class OptimizerCases
{
    private static readonly int[] Counts = [1, 17, 1000, 40003];

    private static readonly (int, int)[] Sizes = [(1, 1), (5, 3), (70, 257)];
    private static readonly bool[] Flags = [false, true];

    public static IEnumerable<OpCase> Of(string op, DType type) => op switch
    {
        "sum_rows" => Sizes.SelectMany((size, i) => Flags.Select(accumulate =>
            SumRows(size.Item1, size.Item2, accumulate, type, new CaseRandom(600 + i)))),
        // The others take fp32 alone.
        _ when type != DType.F32 => [],
        "adamw" => Counts.SelectMany((count, i) => Flags.Select(more => AdamW(count, more, new CaseRandom(620 + i)))),
        "update_guard" => [Guard(4, 1, 1, 100, 100), Guard(0.25, 1, 1, 100, 100), Guard(4, 1, 0, 100, 100), Guard(4, 9, 1, 5, 100),
            Guard(16, 1, 1, 100, 3), Guard(double.PositiveInfinity, 1, 1, 100, 100)],
        _ => Counts.SelectMany((count, i) => Flags.Select(accumulate => Sum(op, count, accumulate, new CaseRandom(640 + i)))),
    };

    private static OpCase Sum(string op, int count, bool accumulate, CaseRandom random)
    {
        var x = random.Normal(count, DType.F32, 1, 0.5);
        var before = accumulate ? 3.25 : 0;
        var sum = op == "sum_squares" ? x.Sum(v => v * v) : 0.5 * x.Sum();
        var c = new OpCase(op, DType.F32, $"N={count}{(accumulate ? ",accumulate=1" : "")}").In("x", x, DType.F32, count)
            .InOut("y", [3.25], [before + sum], DType.F32, 1).With(new OpAttribute("accumulate", accumulate));
        return op == "reduce_sum" ? c.In("scale", [0.5], DType.F32, 1) : c;
    }

    private static OpCase SumRows(int rows, int width, bool accumulate, DType type, CaseRandom random)
    {
        var x = random.Normal(rows * width, type);
        var before = random.Normal(width, DType.F32);
        double[] after = accumulate ? [.. before] : new double[width];
        for (var i = 0; i < x.Length; i++)
            after[i % width] += x[i];
        return new OpCase("sum_rows", type, $"N={rows},C={width}{(accumulate ? ",accumulate=1" : "")}")
            .Add(new CaseOperand("x", type, [rows, width], x, null, RowGap: 5)).InOut("y", before, after, DType.F32, width)
            .With(new OpAttribute("accumulate", accumulate));
    }

    private static OpCase Guard(double squares, double loss, double maxNorm, double lossLimit, double normLimit)
    {
        var norm = Math.Sqrt(squares);
        var applies = double.IsFinite(norm) && loss <= lossLimit && norm <= normLimit;
        return new OpCase("update_guard", DType.F32,
            FormattableString.Invariant($"squares {squares}, loss {loss}, limits {lossLimit} and {normLimit}, max_norm={maxNorm}"))
            .In("squares", [squares], DType.F32, 1).In("loss", [loss], DType.F32, 1).In("limits", [lossLimit, normLimit], DType.F32, 2)
            .Out("norm", [norm], DType.F32, 1)
            .Out("control", [!applies ? 0 : maxNorm == 0 ? 1 : Math.Min(1, maxNorm / norm), applies ? 1 : 0], DType.F32, 2)
            .With(new OpAttribute("max_norm", maxNorm));
    }

    private static OpCase AdamW(int count, bool more, CaseRandom random)
    {
        const double Rate = 0.0078125, Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, Decay = 0.1, Scale = 0.5;
        double[] p = random.Normal(count, DType.F32), g = random.Normal(count, DType.F32, 0.1), m = random.Normal(count, DType.F32, 0.1);
        double[] v = random.Uniform(count, DType.F32, 0, 0.02);
        // What bias correction divides by at step 3.
        double[] schedule = [Rate, CaseRandom.Round(1 - Math.Pow(Beta1, 3), DType.F32), CaseRandom.Round(1 - Math.Pow(Beta2, 3),
            DType.F32)];
        double[] pAfter = [.. p], mAfter = [.. m], vAfter = [.. v];
        for (var i = 0; i < count; i++)
        {
            var gradient = (more ? Scale : 1) * g[i];
            mAfter[i] = (Beta1 * m[i]) + ((1 - Beta1) * gradient);
            vAfter[i] = (Beta2 * v[i]) + ((1 - Beta2) * gradient * gradient);
            pAfter[i] = (p[i] * (1 - (Rate * Decay))) - (Rate * (mAfter[i] / schedule[1]) / (Math.Sqrt(vAfter[i] / schedule[2]) + Epsilon));
        }

        var c = new OpCase("adamw", DType.F32, $"N={count}{(more ? " with control" : "")}")
            .InOut("parameter", p, pAfter, DType.F32, count).In("gradient", g, DType.F32, count).InOut("m", m, mAfter, DType.F32, count)
            .InOut("v", v, vAfter, DType.F32, count).In("schedule", schedule, DType.F32, 3).With(new OpAttribute("beta1", Beta1))
            .With(new OpAttribute("beta2", Beta2)).With(new OpAttribute("epsilon", Epsilon)).With(new OpAttribute("weight_decay", Decay));
        return more ? c.In("control", [Scale, 1], DType.F32, 2) : c;
    }
}
