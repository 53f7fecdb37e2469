namespace Ingot.Checkpoints;

/// <summary>
/// Element types of the safetensors format, in the order of its specification: a writer puts tensors of a later type first, which keeps
/// wide types aligned.
/// </summary>
public enum SafetensorsDtype
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>4-bit float, two elements a byte.</summary>
    F4,

    /// <summary>6-bit float, 2 exponent and 3 mantissa bits, packed.</summary>
    F6E2M3,

    /// <summary>6-bit float, 3 exponent and 2 mantissa bits, packed.</summary>
    F6E3M2,

    /// <summary>8-bit unsigned integer.</summary>
    U8,

    /// <summary>8-bit signed integer.</summary>
    I8,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits.</summary>
    F8E5M2,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits.</summary>
    F8E4M3,

    /// <summary>8-bit power of two: a scale.</summary>
    F8E8M0,

    /// <summary>8-bit float without infinities or negative zero, 4 exponent and 3 mantissa bits.</summary>
    F8E4M3Fnuz,

    /// <summary>8-bit float without infinities or negative zero, 5 exponent and 2 mantissa bits.</summary>
    F8E5M2Fnuz,

    /// <summary>16-bit signed integer.</summary>
    I16,

    /// <summary>16-bit unsigned integer.</summary>
    U16,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BF16,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>32-bit unsigned integer.</summary>
    U32,

    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>Complex number of two binary32.</summary>
    C64,

    /// <summary>IEEE 754 binary64.</summary>
    F64,

    /// <summary>64-bit signed integer.</summary>
    I64,

    /// <summary>64-bit unsigned integer.</summary>
    U64,
}

/// <summary>Names and sizes of <see cref="SafetensorsDtype"/>.</summary>
public static class SafetensorsDtypes
{
    private static readonly (string Name, int Bits)[] Table =
    [
        ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32),
        ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64),
    ];

    /// <summary>Size of an element in bits.</summary>
    /// <param name="dtype">The element type.</param>
    /// <returns>4 to 64.</returns>
    public static int Bits(this SafetensorsDtype dtype) => Table[(int)dtype].Bits;

    /// <summary>Name in a file's header, for example "BF16".</summary>
    /// <param name="dtype">The element type.</param>
    /// <returns>The format's own spelling.</returns>
    public static string FileName(this SafetensorsDtype dtype) => Table[(int)dtype].Name;

    internal static bool TryParse(string name, out SafetensorsDtype dtype)
    {
        var index = Array.FindIndex(Table, row => row.Name == name);
        dtype = (SafetensorsDtype)Math.Max(index, 0);
        return index >= 0;
    }

    /// <summary>Bytes of a tensor; false when the count overflows 63 bits or does not fill whole bytes.</summary>
    internal static bool TryByteLength(SafetensorsDtype dtype, ReadOnlySpan<long> shape, out long bytes, out string problem)
    {
        bytes = 0;
        UInt128 bits = (UInt128)dtype.Bits();
        // A zero anywhere makes the tensor empty, but the other dimensions must still multiply without overflow, as upstream has it.
        foreach (var dimension in shape)
        {
            bits *= (UInt128)dimension;
            if (bits > (UInt128)long.MaxValue)
            {
                problem = $"shape [{string.Join(", ", shape.ToArray())}] of {dtype.FileName()} overflows 63 bits";
                return false;
            }
        }

        if (bits % 8 != 0)
        {
            problem = $"shape [{string.Join(", ", shape.ToArray())}] of {dtype.FileName()} does not fill whole bytes";
            return false;
        }

        bytes = (long)(bits / 8);
        problem = "";
        return true;
    }
}
