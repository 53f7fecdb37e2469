namespace Ingot.Bindings;

/// <summary>A tensor in a buffer, as an op call sees it; <c>default</c> is an optional operand that is absent.</summary>
/// <param name="Buffer">The buffer that holds it.</param>
/// <param name="Offset">Where its first element lies in the buffer, in bytes; a multiple of the element's size.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Length of each dimension, outermost first; at most <see cref="MaxRank"/> of them.</param>
/// <param name="Strides">Elements from one index to the next in each dimension, 0 or more.</param>
public readonly record struct Operand(DeviceBuffer Buffer, long Offset, DType DType, IReadOnlyList<long> Shape, IReadOnlyList<long> Strides)
{
    /// <summary>Most dimensions that a tensor can have.</summary>
    public const int MaxRank = NativeConstants.MaxRank;

    /// <summary>A tensor whose elements lie one after the other, the last dimension's nearest.</summary>
    public Operand(DeviceBuffer buffer, long offset, DType dtype, params IReadOnlyList<long> shape)
        : this(buffer, offset, dtype, shape, RowMajorStrides(shape))
    {
    }

    /// <summary>Strides of a tensor whose elements lie one after the other.</summary>
    public static long[] RowMajorStrides(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        long stride = 1;
        for (int i = shape.Count - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride = checked(stride * shape[i]);
        }

        return strides;
    }
}

/// <summary>A named constant of an op call.</summary>
public readonly record struct OpAttribute
{
    /// <summary>An integer.</summary>
    public OpAttribute(string name, long value) => (Name, Kind, Integer) = (name, AttributeKind.Integer, value);

    /// <summary>A flag.</summary>
    public OpAttribute(string name, bool value)
        : this(name, value ? 1L : 0L)
    {
    }

    /// <summary>A number.</summary>
    public OpAttribute(string name, double value) => (Name, Kind, Number) = (name, AttributeKind.Number, value);

    /// <summary>The name of a choice.</summary>
    public OpAttribute(string name, string value) => (Name, Kind, Text) = (name, AttributeKind.Text, value);

    /// <summary>Name of the attribute.</summary>
    public string Name { get; }

    /// <summary>Which of the three values counts.</summary>
    public AttributeKind Kind { get; }

    /// <summary>Value of an integer attribute or a flag.</summary>
    public long Integer { get; }

    /// <summary>Value of a number attribute.</summary>
    public double Number { get; }

    /// <summary>Value of a text attribute.</summary>
    public string? Text { get; }
}

/// <summary>One op call of a program.</summary>
/// <param name="Op">Name of the op.</param>
/// <param name="Operands">The op's operands in its order; trailing absent ones may be left out.</param>
public sealed record OpCall(string Op, IReadOnlyList<Operand> Operands)
{
    /// <summary>The attributes, in any order; those left out have the op's default.</summary>
    public IReadOnlyList<OpAttribute> Attributes { get; init; } = [];

    /// <summary>Variant of the kernel, or null for the best one that supports the call.</summary>
    public string? Kernel { get; init; }

    /// <summary>A name for errors and timings, for example "h.3.attn".</summary>
    public string? Label { get; init; }
}
