using System.Diagnostics.CodeAnalysis;
using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>A symbolic tensor of a graph: a shape and strides over a storage. It has no values until a program runs.</summary>
public sealed class Tensor
{
    internal Tensor(Graph graph, Storage storage, DType dtype, long[] shape, long[] strides, long offset)
    {
        Graph = graph;
        Storage = storage;
        DType = dtype;
        Shape = shape;
        Strides = strides;
        Offset = offset;
    }

    /// <summary>The graph that it belongs to.</summary>
    public Graph Graph { get; }

    /// <summary>The memory that it is a view of.</summary>
    public Storage Storage { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Length of each dimension, outermost first.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Elements from one index to the next in each dimension.</summary>
    public IReadOnlyList<long> Strides { get; }

    /// <summary>Elements from the storage's start to the first element.</summary>
    public long Offset { get; }

    /// <summary>The call that writes it; null for parameters, inputs and constants.</summary>
    public Call? Producer { get; internal set; }

    /// <summary>Whether a gradient can flow to it.</summary>
    public bool RequiresGradient { get; internal set; }

    /// <summary>Number of dimensions.</summary>
    public int Rank => Shape.Count;

    /// <summary>Number of elements.</summary>
    public long Elements => Product(Shape);

    /// <summary>Whether the elements lie dense in row-major order.</summary>
    public bool IsContiguous => Strides.SequenceEqual(Dense(Shape)) || Elements <= 1;

    /// <summary>Shape as text: [2, 3].</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>Sum, element by element; both must have the same shape.</summary>
    public static Tensor operator +(Tensor left, Tensor right) => Ops.Elementwise.Add(left, right);

    /// <summary>Product, element by element; both must have the same shape.</summary>
    public static Tensor operator *(Tensor left, Tensor right) => Ops.Elementwise.Multiply(left, right);

    /// <summary>Same as the operator +.</summary>
    public static Tensor Add(Tensor left, Tensor right) => left + right;

    /// <summary>Same as the operator *.</summary>
    public static Tensor Multiply(Tensor left, Tensor right) => left * right;

    /// <inheritdoc/>
    public override string ToString() => $"{Storage.Name}{ShapeText}:{DType}";

    /// <summary>Another view of the same memory, outside the graph's record: gradients flow through it to parameters only.</summary>
    internal Tensor Alias(long[] shape, long[] strides, long offset) => new(Graph, Storage, DType, shape, strides, offset)
    {
        RequiresGradient = RequiresGradient && Storage.Kind == StorageKind.Parameter,
    };

    /// <summary>The same tensor, through which no gradient flows (an alias).</summary>
    internal Tensor Detached() => new(Graph, Storage, DType, [.. Shape], [.. Strides], Offset);

    /// <summary>The matrix with its two dimensions exchanged (an alias).</summary>
    internal Tensor Transposed() => Alias([Shape[1], Shape[0]], [Strides[1], Strides[0]], Offset);

    /// <summary>Rows begin to begin + count - 1 (an alias).</summary>
    internal Tensor Rows(long begin, long count)
    {
        var shape = Shape.ToArray();
        shape[0] = count;
        return Alias(shape, [.. Strides], Offset + (begin * Strides[0]));
    }

    /// <summary>Columns begin to begin + count - 1 of the last dimension (an alias).</summary>
    internal Tensor Columns(long begin, long count)
    {
        var shape = Shape.ToArray();
        shape[^1] = count;
        return Alias(shape, [.. Strides], Offset + (begin * Strides[^1]));
    }

    /// <summary>The same elements in another shape without moving them, where the strides allow it.</summary>
    internal bool TryReshapeAlias(IReadOnlyList<long> shape, [NotNullWhen(true)] out Tensor? view)
    {
        view = null;
        var strides = new long[shape.Count];
        if (Product(shape) != Elements)
            return false;

        // Walk both shapes from the inside; a group of old dimensions that is dense in itself can be cut as one likes.
        int old = Rank - 1, now = shape.Count - 1;
        while (old >= 0 || now >= 0)
        {
            var oldSize = old >= 0 ? Shape[old] : 1;
            var stride = old >= 0 ? Strides[old] : 1;
            var next = old - 1;
            while (next >= 0 && (oldSize == 1 || Shape[next] == 1 || Strides[next] == stride * oldSize) && now >= 0)
            {
                if (oldSize == 1)
                    stride = Strides[next];
                oldSize *= Shape[next--];
            }

            var newSize = 1L;
            while (now >= 0 && newSize * shape[now] <= oldSize)
            {
                strides[now] = newSize * stride;
                newSize *= shape[now--];
                if (newSize == oldSize && (now < 0 || shape[now] != 1))
                    break;
            }

            if (newSize != oldSize)
                return false;
            old = next;
        }

        view = Alias([.. shape], strides, Offset);
        return true;
    }

    internal bool SamePlace(Tensor other) => Storage == other.Storage && Offset == other.Offset
        && Shape.SequenceEqual(other.Shape) && Strides.SequenceEqual(other.Strides);

    internal static long Product(IEnumerable<long> shape)
    {
        var n = 1L;
        foreach (var d in shape)
            n = checked(n * d);
        return n;
    }

    internal static long[] Dense(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        var n = 1L;
        for (var i = shape.Count - 1; i >= 0; i--)
        {
            strides[i] = n;
            n = checked(n * shape[i]);
        }

        return strides;
    }
}
