using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>Layer and RMS norms with their gradients (Ba, Kiros and Hinton, 2016; Zhang and Sennrich, 2019).</summary>
internal static class NormCases
{
    private static readonly (int Rows, int Width)[] Sizes = [(1, 1), (3, 5), (7, 64), (2, 257), (33, 768)];

    private static readonly bool[] Flags = [false, true];

    public static IEnumerable<OpCase> Of(string op, DType type) => Sizes.SelectMany((size, i) => Flags.Select(more =>
        // The gradient for a row of one is the difference of nearly equal numbers: a row has at least four.
        op.EndsWith("backward", StringComparison.Ordinal)
            ? Backward(op, size.Rows, Math.Max(size.Width, 4), more, type, new CaseRandom(300 + i))
            : Forward(op, size.Rows, size.Width, more, type, new CaseRandom(300 + i))));

    private static (double Mean, double Rstd) Moments(ReadOnlySpan<double> row, bool centred, double epsilon)
    {
        double sum = 0, squares = 0;
        foreach (var value in row)
            sum += value;
        var mean = centred ? sum / row.Length : 0;
        foreach (var value in row)
            squares += (value - mean) * (value - mean);
        return (mean, 1 / Math.Sqrt((squares / row.Length) + epsilon));
    }

    private static OpCase Forward(string op, int rows, int width, bool residual, DType type, CaseRandom random)
    {
        var isLayer = op == "layer_norm";
        const double Epsilon = 1e-5;
        var (x, added) = (random.Normal(rows * width, type, 2, 0.5), random.Normal(rows * width, type));
        var (weight, bias) = (random.Normal(width, type, 0.5, 1), random.Normal(width, type));
        var (y, sum, mean, rstd) = (new double[x.Length], new double[x.Length], new double[rows], new double[rows]);
        for (var i = 0; i < x.Length; i++)
            sum[i] = residual ? CaseRandom.Round(x[i] + added[i], type) : x[i];
        for (var r = 0; r < rows; r++)
        {
            (mean[r], rstd[r]) = Moments(sum.AsSpan(r * width, width), isLayer, Epsilon);
            for (var c = 0; c < width; c++)
                y[(r * width) + c] = ((sum[(r * width) + c] - mean[r]) * rstd[r] * weight[c]) + (isLayer ? bias[c] : 0);
        }

        var result = new OpCase(op, type, $"N={rows},C={width}{(residual ? " with residual" : "")}")
            .In("x", x, type, rows, width).In("weight", weight, type, width).Out("y", y, type, rows, width)
            .Out("rstd", rstd, DType.F32, rows).With(new OpAttribute("epsilon", Epsilon));
        if (isLayer)
            result.In("bias", bias, type, width).Out("mean", mean, DType.F32, rows);
        return residual ? result.In("residual", added, type, rows, width).Out("sum", sum, type, rows, width) : result;
    }

    private static OpCase Backward(string op, int rows, int width, bool more, DType type, CaseRandom random)
    {
        var isLayer = op == "layer_norm_backward";
        var (x, dy, dsum) = (random.Normal(rows * width, type, 2, 0.5), random.Normal(rows * width, type), random.Normal(rows * width,
            type));
        var weight = random.Normal(width, type, 0.5, 1);
        double[] before = random.Normal(width, DType.F32), biasBefore = random.Normal(width, DType.F32);
        var (mean, rstd, dx) = (new double[rows], new double[rows], new double[x.Length]);
        double[] dweight = more ? [.. before] : new double[width], dbias = more ? [.. biasBefore] : new double[width];
        for (var r = 0; r < rows; r++)
        {
            var row = x.AsSpan(r * width, width);
            (mean[r], rstd[r]) = Moments(row, isLayer, 1e-5);
            (mean[r], rstd[r]) = (CaseRandom.Round(mean[r], DType.F32), CaseRandom.Round(rstd[r], DType.F32));
            double gradients = 0, products = 0;
            for (var c = 0; c < width; c++)
            {
                var normal = (row[c] - mean[r]) * rstd[r];
                var g = dy[(r * width) + c];
                dweight[c] += g * normal;
                dbias[c] += g;
                gradients += g * weight[c] / width;
                products += g * weight[c] * normal / width;
            }

            for (var c = 0; c < width; c++)
            {
                var at = (r * width) + c;
                var normal = (row[c] - mean[r]) * rstd[r];
                dx[at] = (rstd[r] * ((dy[at] * weight[c]) - (isLayer ? gradients : 0) - (normal * products))) + (more ? dsum[at] : 0);
            }
        }

        var result = new OpCase(op, type, $"N={rows},C={width}{(more ? " with dsum, accumulate=1" : "")}")
            .In("dy", dy, type, rows, width).In("x", x, type, rows, width).In("weight", weight, type, width).In("rstd", rstd, DType.F32,
                rows)
            .Out("dx", dx, type, rows, width).InOut("dweight", before, dweight, DType.F32, width).With(new OpAttribute("accumulate", more));
        if (isLayer)
            result.In("mean", mean, DType.F32, rows).InOut("dbias", biasBefore, dbias, DType.F32, width);
        return more ? result.In("dsum", dsum, type, rows, width) : result;
    }
}
