using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>Matrix products with all that they do besides: y = activation(a b + bias), its gradient, sums into y.</summary>
internal static class MatMulCases
{
    private static readonly (int M, int K, int N)[] Sizes = [(1, 1, 1), (1, 64, 33), (5, 7, 3), (16, 48, 32), (65, 129, 67), (130, 64,
        200), (7, 300, 17)];

    private static readonly string[] Kinds = ["plain", "transposed", "bias", "accumulate", "fp32 y", .. Activations.Names, "backward"];

    public static IEnumerable<OpCase> Of(DType type)
    {
        foreach (var (i, (m, k, n)) in Sizes.Index())
        {
            foreach (var kind in Kinds)
                yield return Make(m, k, n, kind, type, new CaseRandom(200 + i));
        }
    }

    private static OpCase Make(int m, int k, int n, string kind, DType type, CaseRandom random)
    {
        var a = random.Normal(m * k, type);
        var b = random.Normal(k * n, type, 1 / Math.Sqrt(k));
        var bias = random.Normal(n, type);
        var before = random.Normal(m * n, type);
        var activation = Activations.Names.Contains(kind) ? kind : kind == "backward" ? "gelu_tanh" : "none";
        var hasBias = kind == "bias" || Activations.Names.Contains(kind);
        var yType = kind is "fp32 y" or "accumulate" ? DType.F32 : type;
        var (y, aux) = (new double[m * n], new double[m * n]);
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var sum = hasBias ? bias[j] : 0;
                for (var l = 0; l < k; l++)
                    sum += a[(i * k) + l] * b[(l * n) + j];
                var at = (i * n) + j;
                aux[at] = sum;
                y[at] = kind == "accumulate" ? before[at] + sum
                    : kind == "backward" ? sum * Activations.SlopeOf(activation, before[at])
                    : Activations.Of(activation, sum);
            }
        }

        var c = new OpCase("matmul", type, $"M={m},K={k},N={n} {kind}")
            .Add(new CaseOperand("a", type, [m, k], a, null, IsTransposed: kind == "transposed"))
            .Add(new CaseOperand("b", type, [k, n], b, null, RowGap: kind == "transposed" ? 5 : 0, IsTransposed: kind == "transposed"))
            .With(new OpAttribute("activation", activation)).With(new OpAttribute("backward", kind == "backward"))
            .With(new OpAttribute("accumulate", kind == "accumulate"));
        if (hasBias)
            c.In("bias", bias, type, n);
        if (kind == "backward")
            c.In("aux", before, type, m, n);
        else if (activation != "none")
            c.Out("aux", aux, type, m, n);
        return kind == "accumulate" ? c.InOut("y", before, y, yType, m, n) : c.Out("y", y, yType, m, n);
    }
}
