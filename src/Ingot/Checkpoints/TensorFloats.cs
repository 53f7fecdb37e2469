using System.Runtime.InteropServices;
using Ingot.Graphs;

namespace Ingot.Checkpoints;

/// <summary>Weights as fp32, whatever floating-point type a file keeps them in; and back, rounded to nearest, ties to even.</summary>
internal static class TensorFloats
{
    /// <summary>Elements that are worked on at a time.</summary>
    public const int Chunk = 1 << 20;

    /// <summary>Whether weights of this type can be read and written.</summary>
    public static bool Supports(SafetensorsDtype dtype) => dtype is SafetensorsDtype.F32 or SafetensorsDtype.F16 or SafetensorsDtype.BF16;

    /// <summary>Elements of a tensor.</summary>
    public static long ElementsOf(SafetensorsTensor tensor) => tensor.Length * 8 / tensor.Dtype.Bits();

    /// <summary>Reads elements of a tensor, from the given one on.</summary>
    public static void Read(SafetensorsTensor tensor, long element, Span<float> destination)
    {
        if (tensor.Dtype == SafetensorsDtype.F32)
        {
            tensor.CopyTo(element * 4, MemoryMarshal.AsBytes(destination));
            return;
        }

        // The narrow values go to the upper half of the destination and are widened from the front, ahead of which no value is lost.
        var halves = MemoryMarshal.Cast<float, ushort>(destination)[destination.Length..];
        tensor.CopyTo(element * 2, MemoryMarshal.AsBytes(halves));
        if (tensor.Dtype == SafetensorsDtype.BF16)
        {
            for (var i = 0; i < destination.Length; i++)
                destination[i] = Bf16.Widen(halves[i]);
        }
        else
        {
            for (var i = 0; i < destination.Length; i++)
                destination[i] = (float)BitConverter.UInt16BitsToHalf(halves[i]);
        }
    }

    /// <summary>Writes fp32 values as another type.</summary>
    public static void Write(ReadOnlySpan<float> values, SafetensorsDtype dtype, Span<byte> destination)
    {
        switch (dtype)
        {
            case SafetensorsDtype.F32:
                MemoryMarshal.AsBytes(values).CopyTo(destination);
                break;
            case SafetensorsDtype.BF16:
                var bits = MemoryMarshal.Cast<byte, ushort>(destination);
                for (var i = 0; i < values.Length; i++)
                    bits[i] = Bf16.Round(values[i]);
                break;
            case SafetensorsDtype.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(destination);
                for (var i = 0; i < values.Length; i++)
                    halves[i] = (Half)values[i];
                break;
            default:
                throw new NotSupportedException($"weights cannot be written as {dtype.FileName()}");
        }
    }
}
