namespace Ingot.Checkpoints.Gguf;

/// <summary>Types of numbers in a GGUF file that this library writes; the values are those of the format.</summary>
public enum GgufType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32 = 0,

    /// <summary>IEEE 754 binary16.</summary>
    F16 = 1,

    /// <summary>Blocks of 32 numbers: a binary16 scale and 32 signed bytes.</summary>
    Q8_0 = 8,

    /// <summary>bfloat16.</summary>
    BF16 = 30,
}

/// <summary>Sizes of <see cref="GgufType"/>, and numbers written as one.</summary>
internal static class GgufTypes
{
    /// <summary>Numbers of a block of Q8_0.</summary>
    public const int Block = 32;

    private const int BlockBytes = 2 + Block;

    /// <summary>Bytes of so many numbers: whole blocks.</summary>
    public static long BytesFor(this GgufType type, long elements) => type switch
    {
        GgufType.F32 => checked(elements * 4),
        GgufType.Q8_0 => checked(elements / Block * BlockBytes),
        _ => checked(elements * 2),
    };

    /// <summary>Writes values; for Q8_0 whole blocks.</summary>
    public static void Write(this GgufType type, ReadOnlySpan<float> values, Span<byte> destination)
    {
        switch (type)
        {
            case GgufType.Q8_0:
                for (var block = 0; block * Block < values.Length; block++)
                    WriteBlock(values.Slice(block * Block, Block), destination.Slice(block * BlockBytes, BlockBytes));
                break;
            default:
                TensorFloats.Write(values, type switch
                {
                    GgufType.F16 => SafetensorsDtype.F16,
                    GgufType.BF16 => SafetensorsDtype.BF16,
                    _ => SafetensorsDtype.F32,
                }, destination);
                break;
        }
    }

    /// <summary>The greatest of a block gets ±127, the others the nearest multiple of the same step, halves away from zero.</summary>
    private static void WriteBlock(ReadOnlySpan<float> values, Span<byte> destination)
    {
        var greatest = 0f;
        foreach (var value in values)
            greatest = Math.Max(greatest, Math.Abs(value));
        var step = greatest / 127;
        var inverse = step == 0 ? 0 : 1 / step;
        BitConverter.TryWriteBytes(destination, (Half)step);
        for (var i = 0; i < values.Length; i++)
            destination[2 + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
    }
}
