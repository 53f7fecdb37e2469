using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>Ops that go over elements or rows one by one: sums, products, activations, dropout, copies, rotary positions.</summary>
internal static class PointwiseCases
{
    private static readonly (int Rows, int Width)[] Sizes = [(1, 1), (3, 5), (1, 257), (37, 333), (4, 4096)];

    /// <summary>The ops that are here.</summary>
    public static IReadOnlyList<string> Ops { get; } =
    [
        "accumulate", "activation", "activation_backward", "add", "add_bias", "cast", "copy", "dropout", "fill", "multiply", "rotary",
            "scale",
        "swiglu", "swiglu_backward", "write_rows",
    ];

    public static IEnumerable<OpCase> Of(string op, DType type) => op switch
    {
        "rotary" => Enumerable.Range(0, 4).Select(way => Rotary(way, type)),
        "write_rows" => [WriteRows(1, 1, 1, 1, 3, type), WriteRows(3, 4, 2, 5, 9, type)],
        "activation" or "activation_backward" =>
            Activations.Names.SelectMany(kind => Sizes.Select((size, i) => Activation(op, kind, size.Rows, size.Width, type,
                new CaseRandom(400 + i)))),
        _ => Sizes.Select((size, i) => Simple(op, size.Rows, size.Width, type, new CaseRandom(400 + i))),
    };

    private static double[] Map(double[] a, Func<double, double> f) => [.. a.Select(f)];

    private static double[] Map(double[] a, double[] b, Func<double, double, double> f) => [.. a.Zip(b, f)];

    private static OpCase Activation(string op, string kind, int rows, int width, DType type, CaseRandom random)
    {
        var (x, dy) = (random.Normal(rows * width, type, 3), random.Normal(rows * width, type));
        var c = new OpCase(op, type, $"N={rows},C={width},kind={kind}").With(new OpAttribute("kind", kind)).In("x", x, type, rows, width);
        return op == "activation" ? c.Out("y", Map(x, v => Activations.Of(kind, v)), type, rows, width)
            : c.In("dy", dy, type, rows, width).Out("dx", Map(x, dy, (v, g) => g * Activations.SlopeOf(kind, v)), type, rows, width);
    }

    private static OpCase Simple(string op, int rows, int width, DType type, CaseRandom random)
    {
        long[] shape = [rows, width];
        var (a, b, sums) = (random.Normal(rows * width, type), random.Normal(rows * width, type), random.Normal(rows * width, DType.F32));
        var c = new OpCase(op, type, $"N={rows},C={width}");
        double Silu(double v) => Activations.Of("silu", v);
        switch (op)
        {
            case "add":
                return c.In("a", a, type, shape).In("b", b, type, shape).Out("y", Map(a, b, (v, w) => v + w), type, shape);
            case "multiply":
                return c.In("a", a, type, shape).In("b", b, type, shape).Out("y", Map(a, b, (v, w) => v * w), type, shape);
            case "add_bias":
                double[] bias = b[..width];
                return c.In("x", a, type, shape).In("bias", bias, type, width).Out("y", [.. a.Select((v, i) => v + bias[i % width])], type,
                    shape);
            case "scale":
                return c.In("x", a, type, shape).In("factor_at_run_time", [0.5], DType.F32, 1).With(new OpAttribute("factor", -1.75))
                    .Out("y", Map(a, v => v * -0.875), type, shape);
            case "cast":
                var other = type == DType.F32 ? DType.Bf16 : DType.F32;
                return c.In("x", a, type, shape).Out("y", Map(a, v => CaseRandom.Round(v, other)), other, shape);
            case "accumulate":
                return c.In("x", a, type, shape).InOut("y", sums, Map(a, sums, (v, w) => v + w), DType.F32, shape);
            case "fill":
                return c.With(new OpAttribute("value", -2.5)).Out("y", Map(a, _ => -2.5), type, shape);
            case "copy":
                return c.Add(new CaseOperand("x", type, shape, a, null, RowGap: 3)).Add(new CaseOperand("y", type, shape, null, a,
                    RowGap: 7));
            case "dropout":
                return Dropout(c, a, shape, type);
            case "swiglu":
                return c.Add(new CaseOperand("gate", type, shape, a, null, RowGap: width)).Add(new CaseOperand("up", type, shape, b, null,
                    RowGap: width))
                    .Out("y", Map(a, b, (g, u) => Silu(g) * u), type, shape);
            default:
                var dy = random.Normal(rows * width, type);
                return c.In("gate", a, type, shape).In("up", b, type, shape).In("dy", dy, type, shape)
                    .Out("dgate", [.. a.Select((g, i) => dy[i] * b[i] * Activations.SlopeOf("silu", g))], type, shape)
                    .Out("dup", [.. a.Select((g, i) => dy[i] * Silu(g))], type, shape);
        }
    }

    // Element i is kept if number i of the stream is at least rate · 2^32.
    private static OpCase Dropout(OpCase c, double[] x, long[] shape, DType type)
    {
        const double Rate = 0.3;
        const ulong Seed = 0x123456789ab, Step = 7;
        double factor = CaseRandom.Round(1 / (1 - Rate), DType.F32);
        double[] y = [.. x.Select((v, i) => Philox.Block(Seed, Step, 5, (ulong)(i / 4))[i % 4] >= Math.Ceiling(Rate * 4294967296.0)
            ? v * factor : 0)];
        return c.In("x", x, type, shape).In("seed", [Seed, Step], DType.I64, 2).Out("y", y, type, shape)
            .With(new OpAttribute("rate", Rate)).With(new OpAttribute("stream", 5));
    }

    private static OpCase WriteRows(int batch, int length, int heads, int size, int rows, DType type)
    {
        var random = new CaseRandom(450);
        var row = heads * size;
        var (x, cache) = (random.Normal(batch * length * row, type), random.Normal(batch * rows * row, type));
        double[] positions = [.. Enumerable.Range(0, batch * length).Select(i => (double)((i % length * 2) + (i / length % 2)))];
        double[] after = [.. cache];
        for (var i = 0; i < positions.Length; i++)
            Array.Copy(x, i * row, after, ((i / length * rows) + (int)positions[i]) * row, row);
        return new OpCase("write_rows", type, $"B={batch},T={length},H={heads},D={size},S={rows}")
            .In("x", x, type, batch, length, heads, size).In("positions", positions, DType.I32, batch, length)
            .InOut("cache", cache, after, type, batch, rows, heads, size);
    }

    // Su et al., 2021; pairs are neighbours (interleaved) or half a rotated part apart.
    private static OpCase Rotary(int way, DType type)
    {
        const int Batch = 2, Length = 7, Heads = 3, Width = 24, Pairs = 8, Known = 20;
        var (inverse, interleaved) = ((way & 1) != 0, (way & 2) != 0);
        var random = new CaseRandom(460);
        var x = random.Normal(Batch * Length * Heads * Width, type);
        var positions = random.Integers(Batch * Length, Known);
        double[] Table(Func<double, double> f) => [.. Enumerable.Range(0, Known * Pairs).Select(i =>
            CaseRandom.Round(f(i / Pairs * Math.Pow(10000, -(i % Pairs) / (double)Pairs)), DType.F32))];
        var (cos, sin) = (Table(Math.Cos), Table(Math.Sin));
        double[] y = [.. x];
        for (var head = 0; head < Batch * Length * Heads; head++)
        {
            for (var r = 0; r < Pairs; r++)
            {
                var angle = ((int)positions[head / Heads] * Pairs) + r;
                var (a, b) = ((head * Width) + (interleaved ? 2 * r : r), (head * Width) + (interleaved ? (2 * r) + 1 : r + Pairs));
                var s = inverse ? -sin[angle] : sin[angle];
                (y[a], y[b]) = ((x[a] * cos[angle]) - (x[b] * s), (x[b] * cos[angle]) + (x[a] * s));
            }
        }

        return new OpCase("rotary", type,
            $"B={Batch},T={Length},H={Heads},D={Width},R={Pairs}{(inverse ? ",inverse=1" : "")}{(interleaved ? ",interleaved=1" : "")}")
            .Add(new CaseOperand("x", type, [Batch, Length, Heads, Width], x, null, RowGap: 48)).In("positions", positions, DType.I32,
                Batch, Length)
            .In("cos", cos, DType.F32, Known, Pairs).In("sin", sin, DType.F32, Known, Pairs).Out("y", y, type, Batch, Length, Heads, Width)
            .With(new OpAttribute("inverse", inverse)).With(new OpAttribute("interleaved", interleaved));
    }
}
