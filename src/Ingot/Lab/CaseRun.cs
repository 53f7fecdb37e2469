using System.Buffers.Binary;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Lab.Cases;

namespace Ingot.Lab;

/// <summary>How far a kernel was off in one case.</summary>
/// <param name="Operand">The output that was furthest off.</param>
/// <param name="Error">Its relative error by norm; infinite where a number is not finite, or an index differs.</param>
/// <param name="Worst">Words for its worst element.</param>
public readonly record struct CaseError(string Operand, double Error, string Worst);

/// <summary>Runs cases: one call as a program of its own, on operands in buffers of their own, between guard zones.</summary>
public static class CaseRun
{
    /// <summary>Whether a kernel can compute a case; empty if it can, else why not.</summary>
    public static string Refusal(OpCase c, Device device, string variant) =>
        KernelSupport.Of(device, Call(c, variant, _ => null!), variant).Reason;

    /// <summary>Runs a case by a kernel and compares.</summary>
    /// <exception cref="IngotException">The kernel failed, threw, or wrote outside of its outputs.</exception>
    public static CaseError Run(OpCase c, Device device, string variant)
    {
        var buffers = new Dictionary<string, DeviceBuffer>();
        try
        {
            foreach (var operand in c.Operands)
                buffers.Add(operand.Name, Write(operand, device));
            using var program = new NativeProgram(device, [Call(c, variant, operand => buffers[operand.Name])], isChecked: true);
            program.Run();
            return c.Operands.Where(o => o.Expected is not null).Select(o => Compare(o, Read(o, buffers[o.Name]))).MaxBy(e => e.Error);
        }
        finally
        {
            foreach (var buffer in buffers.Values)
                buffer.Dispose();
        }
    }

    private static OpCall Call(OpCase c, string variant, Func<CaseOperand, DeviceBuffer> bufferOf)
    {
        var present = c.Operands.ToDictionary(o => o.Name);
        return new OpCall(c.Op, [.. OpSignature.Find(c.Op).Operands.Select(spec =>
            present.TryGetValue(spec.Name, out var o) ? new Operand(bufferOf(o), 0, o.Type, o.Shape, o.Strides) : default)])
        {
            Attributes = c.Attributes,
            Kernel = variant,
        };
    }

    private static IEnumerable<long> Places(CaseOperand operand)
    {
        var (shape, strides) = (operand.Shape, operand.Strides);
        for (var i = 0L; i < operand.Count; i++)
        {
            var (rest, at) = (i, 0L);
            for (var d = shape.Length - 1; d >= 0; d--)
            {
                at += rest % shape[d] * strides[d];
                rest /= shape[d];
            }

            yield return at;
        }
    }

    private static DeviceBuffer Write(CaseOperand operand, Device device)
    {
        var size = (int)operand.Type.Size();
        long[] places = [.. Places(operand)];
        var bytes = new byte[(places.Max() + 1) * size];
        // What an output holds before is not a number.
        Array.Fill(bytes, (byte)0xff);
        for (var i = 0; i < places.Length && operand.Values is not null; i++)
        {
            var to = bytes.AsSpan((int)places[i] * size, size);
            var value = operand.Values[i];
            switch (operand.Type)
            {
                case DType.F32:
                    BinaryPrimitives.WriteSingleLittleEndian(to, (float)value);
                    break;
                case DType.Bf16:
                    BinaryPrimitives.WriteUInt16LittleEndian(to, Bf16.Round((float)value));
                    break;
                case DType.I32:
                    BinaryPrimitives.WriteInt32LittleEndian(to, (int)value);
                    break;
                case DType.I64:
                    BinaryPrimitives.WriteInt64LittleEndian(to, (long)value);
                    break;
                default:
                    to[0] = (byte)value;
                    break;
            }
        }

        var buffer = new DeviceBuffer(device, bytes.Length);
        buffer.Write<byte>(bytes, 0);
        return buffer;
    }

    private static double[] Read(CaseOperand operand, DeviceBuffer buffer)
    {
        var size = (int)operand.Type.Size();
        var bytes = new byte[buffer.Bytes];
        buffer.Read<byte>(bytes, 0);
        return [.. Places(operand).Select(at =>
        {
            var from = bytes.AsSpan((int)at * size, size);
            return operand.Type switch
            {
                DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(from),
                DType.Bf16 => Bf16.Widen(BinaryPrimitives.ReadUInt16LittleEndian(from)),
                DType.I32 => BinaryPrimitives.ReadInt32LittleEndian(from),
                DType.I64 => BinaryPrimitives.ReadInt64LittleEndian(from),
                _ => from[0],
            };
        })];
    }

    // Equal infinities are equal, any NaN is infinitely far off, and so is a wrong index.
    private static CaseError Compare(CaseOperand operand, double[] got)
    {
        var want = operand.Expected!;
        var isIndex = operand.Type is DType.I32 or DType.I64 or DType.U8;
        double difference = 0, norm = 0, most = -1;
        var worst = 0;
        for (var i = 0; i < want.Length; i++)
        {
            var off = got[i].Equals(want[i]) ? 0
                : isIndex || !double.IsFinite(got[i]) || !double.IsFinite(want[i]) ? double.PositiveInfinity : Math.Abs(got[i] - want[i]);
            if (off > most)
                (most, worst) = (off, i);
            difference += off * off;
            norm += double.IsFinite(want[i]) ? want[i] * want[i] : 0;
        }

        return new CaseError(operand.Name, norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference),
            FormattableString.Invariant($"element {worst} of {want.Length} is {got[worst]:g9}, expected {want[worst]:g9}"));
    }
}
