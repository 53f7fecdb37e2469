using Ingot.Bindings;
using Ingot.Graphs;

namespace Ingot.Lab.Cases;

/// <summary>An operand of a case.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its dtype.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Values">What it holds before the call, in row-major order; null for an output.</param>
/// <param name="Expected">What it must hold afterwards, in double precision; null for what is only read.</param>
/// <param name="RowGap">Elements that nobody owns behind each row of the last dimension but one; 0 for a dense tensor.</param>
/// <param name="IsTransposed">Whether the first dimension is the dense one.</param>
public sealed record CaseOperand(
    string Name, DType Type, long[] Shape, double[]? Values, double[]? Expected, long RowGap = 0, bool IsTransposed = false)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, length) => product * length);

    /// <summary>Elements from one index to the next in each dimension.</summary>
    public long[] Strides
    {
        get
        {
            if (IsTransposed)
                return [1, Shape[0] + RowGap];
            var strides = new long[Shape.Length];
            var stride = 1L;
            for (var i = Shape.Length - 1; i >= 0; i--)
            {
                strides[i] = stride;
                // Rows of heads [.., T, H, D] lie apart as a whole: the gap is behind the two last dimensions.
                var isRowEnd = Shape.Length <= 2 ? i == Shape.Length - 1 : i == Shape.Length - 2;
                stride = (stride * Shape[i]) + (isRowEnd ? RowGap : 0);
            }

            return strides;
        }
    }
}

/// <summary>A call of an op with known operands, and what must come of it, computed in double precision.</summary>
public sealed class OpCase(string op, DType type, string sizes)
{
    private readonly List<CaseOperand> _operands = [];
    private readonly List<OpAttribute> _attributes = [];

    /// <summary>The op.</summary>
    public string Op { get; } = op;

    /// <summary>dtype of the computation, from which the tolerance comes.</summary>
    public DType Type { get; } = type;

    /// <summary>Sizes and attributes, for people.</summary>
    public string Sizes { get; } = sizes;

    /// <summary>The operands that are present.</summary>
    public IReadOnlyList<CaseOperand> Operands => _operands;

    /// <summary>The attributes.</summary>
    public IReadOnlyList<OpAttribute> Attributes => _attributes;

    /// <summary>Adds an operand that is read; its values are those that the dtype can hold.</summary>
    public OpCase In(string name, double[] values, DType type, params long[] shape) => Add(new CaseOperand(name, type, shape, values,
        null));

    /// <summary>Adds an output.</summary>
    public OpCase Out(string name, double[] expected, DType type, params long[] shape) => Add(new CaseOperand(name, type, shape, null,
        expected));

    /// <summary>Adds an operand that is read and written.</summary>
    public OpCase InOut(string name, double[] values, double[] expected, DType type, params long[] shape) =>
        Add(new CaseOperand(name, type, shape, values, expected));

    /// <summary>Adds any operand.</summary>
    public OpCase Add(CaseOperand operand)
    {
        _operands.Add(operand);
        return this;
    }

    /// <summary>Sets an attribute.</summary>
    public OpCase With(OpAttribute attribute)
    {
        _attributes.Add(attribute);
        return this;
    }

    /// <summary>Largest relative error by norm that a kernel may have: 1e-5 in fp32, 1e-2 in bf16.</summary>
    public double Tolerance => Type == DType.Bf16 ? 1e-2 : 1e-5;

    /// <inheritdoc/>
    public override string ToString() => $"{Op} {(Type == DType.Bf16 ? "bf16" : "fp32")} {Sizes}";
}

/// <summary>Random numbers for cases: the same in every run, and numbers that the dtype can hold.</summary>
public sealed class CaseRandom(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>Normally distributed numbers.</summary>
    public double[] Normal(long count, DType type, double deviation = 1, double mean = 0) => Make(count, type, () =>
        mean + (deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble())));

    /// <summary>Uniformly distributed numbers.</summary>
    public double[] Uniform(long count, DType type, double low, double high) => Make(count, type, () => low
        + ((high - low) * _random.NextDouble()));

    /// <summary>Whole numbers from 0 to <paramref name="end"/> - 1.</summary>
    public double[] Integers(long count, long end) => Make(count, DType.I32, () => _random.NextInt64(end));

    /// <summary>The nearest number of a dtype.</summary>
    public static double Round(double value, DType type) => type switch
    {
        DType.F32 => (float)value,
        DType.Bf16 => Bf16.Widen(Bf16.Round((float)value)),
        _ => value,
    };

    private static double[] Make(long count, DType type, Func<double> next)
    {
        var values = new double[count];
        foreach (ref var value in values.AsSpan())
            value = Round(next(), type);
        return values;
    }
}
