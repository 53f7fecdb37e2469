namespace Ingot.Checkpoints.Gguf;

/// <summary>Gives rows of a tensor.</summary>
/// <param name="row">The first row.</param>
/// <param name="values">Where whole rows go, one behind the other.</param>
internal delegate void ReadRows(long row, Span<float> values);

/// <summary>A tensor of a GGUF file: rows of numbers that are made while the file is written.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Shape">Dimensions, outermost first; the file has them the other way round.</param>
/// <param name="Read">Gives the rows, called from the first on.</param>
internal sealed record GgufTensor(string Name, long[] Shape, ReadRows Read)
{
    /// <summary>Type in the file.</summary>
    public GgufType Type { get; init; } = GgufType.F32;

    /// <summary>Numbers of a row.</summary>
    public long Width => Shape[^1];

    /// <summary>Number of rows.</summary>
    public long Rows => Shape[..^1].Aggregate(1L, (a, b) => checked(a * b));

    /// <summary>Bytes of the data.</summary>
    public long Bytes => checked(Rows * Type.BytesFor(Width));

    /// <summary>Rows as they lie in a file.</summary>
    public static ReadRows Plain(SafetensorsTensor tensor) => (row, values) =>
        TensorFloats.Read(tensor, row * tensor.Shape[^1], values);

    /// <summary>Columns of a matrix as rows. The matrix is held whole while it is read.</summary>
    public static ReadRows Transposed(SafetensorsTensor tensor)
    {
        float[]? matrix = null;
        var (rows, columns) = (tensor.Shape[0], tensor.Shape[1]);
        return (column, values) =>
        {
            matrix ??= Whole(tensor);
            for (var i = 0; i < values.Length; i++)
                values[i] = matrix[(i % rows * columns) + column + (i / rows)];
            if (column + (values.Length / rows) == columns)
                matrix = null;
        };
    }

    /// <summary>
    /// Rows of each head as llama.cpp has them for Llama: of the two halves of a head, which rotate together, one row of the first and
    /// one of the second in turn.
    /// </summary>
    public static ReadRows Interleaved(SafetensorsTensor tensor, int headSize)
    {
        var width = tensor.Shape.Count == 1 ? 1 : (int)tensor.Shape[1];
        float[]? bias = tensor.Shape.Count == 1 ? Whole(tensor) : null;
        return (row, values) =>
        {
            for (var i = 0; i < values.Length / width; i++)
            {
                var within = (int)((row + i) % headSize);
                var source = row + i - within + (within % 2 * (headSize / 2)) + (within / 2);
                if (bias is not null)
                    values[i] = bias[source];
                else
                    TensorFloats.Read(tensor, source * width, values.Slice(i * width, width));
            }
        };
    }

    /// <summary>Numbers that are there already, as one row.</summary>
    public static GgufTensor Of(string name, float[] values) => new(name, [values.Length], (_, destination) => values.CopyTo(destination));

    private static float[] Whole(SafetensorsTensor tensor)
    {
        var values = new float[TensorFloats.ElementsOf(tensor)];
        TensorFloats.Read(tensor, 0, values);
        return values;
    }
}
