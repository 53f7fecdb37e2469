using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;
using ManagedCuda;
using ManagedCuda.BasicTypes;
using ManagedCuda.CudaBlas;
using Blas = ManagedCuda.CudaBlas.CudaBlas;
using Math = System.Math;

namespace Ingot.Profiling.ManagedCuda;

/// <summary>Median milliseconds of the same product computed in three ways.</summary>
/// <param name="Own">By the kernel that was loaded.</param>
/// <param name="Blas">By cuBLAS, through ManagedCuda.</param>
/// <param name="Ingot">By the kernel that Ingot takes.</param>
/// <param name="Error">Relative difference by norm of the first from the second.</param>
internal sealed record MatmulTimes(double Own, double Blas, double Ingot, double Error);

/// <summary>
/// Multiplies the operands of a program's matmul calls, where they lie, by a kernel of a module that is loaded at run time, by cuBLAS and
/// by Ingot, and times each with CUDA events. All three work in the GPU's primary context, which is the one that Ingot uses.
/// </summary>
internal sealed class MatmulBench : IDisposable
{
    private const int Rounds = 20;

    private readonly Device _device;
    private readonly PrimaryContext _context;
    private readonly CUmodule _module;
    private readonly string _kernel;
    private readonly uint _block;
    private readonly Blas _blas;
    private readonly CudaEvent _begin;
    private readonly CudaEvent _end;

    public MatmulBench(Device device, string module, string kernel, int block)
    {
        (_device, _kernel, _block) = (device, kernel, (uint)block);
        _context = new PrimaryContext(device.Index - 1);
        _context.SetCurrent();
        _module = _context.LoadModulePTX(File.ReadAllBytes(module));
        _blas = new Blas();
        (_begin, _end) = (new CudaEvent(), new CudaEvent());
    }

    /// <summary>Sizes and dtypes of a matmul call, as a row of a table begins with them.</summary>
    public static string ShapeOf(OpCall call)
    {
        Operand a = call.Operands[0], b = call.Operands[1], y = call.Operands[4];
        string transposed = (IsTransposed(a) ? "T" : "N") + (IsTransposed(b) ? "T" : "N");
        return $"{a.Shape[0],8}{b.Shape[1],8}{a.Shape[1],8}  {Name(a.DType)}{(y.DType == a.DType ? "" : "_f32")} {transposed}";
    }

    /// <summary>Computes the product of a call's a and b in three ways, each into memory of its own.</summary>
    public MatmulTimes Measure(OpCall call)
    {
        Operand a = call.Operands[0], b = call.Operands[1];
        DType type = call.Operands[4].DType;
        long m = a.Shape[0], n = b.Shape[1], k = a.Shape[1];
        using var own = new DeviceBuffer(_device, m * n * type.Size());
        using var blas = new DeviceBuffer(_device, m * n * type.Size());
        using var ingot = new DeviceBuffer(_device, m * n * type.Size());
        using var program = new NativeProgram(_device, [new OpCall("matmul", [a, b, default, default, new Operand(ingot, 0, type, m, n)])]);

        var kernel = new CudaKernel($"{_kernel}_{Name(a.DType)}{(type == a.DType ? "" : "_f32")}", _module)
        {
            BlockDimensions = new(_block, _block, 1),
            GridDimensions = new((uint)((n + _block - 1) / _block), (uint)((m + _block - 1) / _block), 1),
        };
        object[] arguments =
        [
            Pointer(a), Pointer(b), new CUdeviceptr(own.DeviceAddress), (int)m, (int)n, (int)k, a.Strides[0], a.Strides[1], b.Strides[0],
                b.Strides[1],
        ];
        double ownTime = Median(() => kernel.RunAsync(CUstream.NullStream, arguments));
        double blasTime = Median(() => Multiply(a, b, type, blas));
        return new MatmulTimes(ownTime, blasTime, Median(program), Difference(own, blas, type, m * n));
    }

    public void Dispose()
    {
        _begin.Dispose();
        _end.Dispose();
        _blas.Dispose();
        _context.UnloadModule(_module);
        _context.Dispose();
    }

    private static string Name(DType type) => type == DType.Bf16 ? "bf16" : "f32";

    // Whether the first dimension is the dense one.
    private static bool IsTransposed(Operand x) => x.Strides[0] == 1 && x.Shape[0] > 1;

    private static CUdeviceptr Pointer(Operand x) => new(x.Buffer.DeviceAddress + (ulong)x.Offset);

    private static cudaDataType Type(DType type) => type == DType.Bf16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_32F;

    // cuBLAS counts by columns: what lies in memory as y [M, N] is to it the transpose, which is that of b times that of a.
    private unsafe void Multiply(Operand a, Operand b, DType type, DeviceBuffer y)
    {
        float one = 1, zero = 0;
        var (m, n, k) = ((int)a.Shape[0], (int)b.Shape[1], (int)a.Shape[1]);
        Operation Op(Operand x) => IsTransposed(x) ? Operation.Transpose : Operation.NonTranspose;
        int Leading(Operand x) => (int)Math.Max(1, IsTransposed(x) ? x.Strides[1] : x.Strides[0]);
        CublasStatus status = CudaBlasNativeMethods.cublasGemmEx(_blas.CublasHandle, Op(b), Op(a), n, m, k, (nint)(&one), Pointer(b),
            Type(b.DType),
            Leading(b), Pointer(a), Type(a.DType), Leading(a), (nint)(&zero), new CUdeviceptr(y.DeviceAddress), Type(type), n,
                ComputeType.Compute32F,
            GemmAlgo.Default);
        if (status != CublasStatus.Success)
        {
            throw new CudaBlasException(status);
        }
    }

    private double Median(Action launch)
    {
        launch();
        _context.Synchronize();
        var times = new double[Rounds];
        foreach (ref double time in times.AsSpan())
        {
            _begin.Record();
            launch();
            _end.Record();
            _end.Synchronize();
            time = CudaEvent.ElapsedTime(_begin, _end);
        }

        Array.Sort(times);
        return times[Rounds / 2];
    }

    private double Median(NativeProgram program)
    {
        using var begin = new NativeEvent(_device);
        using var end = new NativeEvent(_device);
        var times = new double[Rounds];
        // The first chooses, the second records.
        program.Run();
        program.Run();
        foreach (ref double time in times.AsSpan())
        {
            begin.Record();
            program.Run();
            end.Record();
            end.Synchronize();
            time = 1e3 * begin.SecondsTo(end);
        }

        Array.Sort(times);
        return times[Rounds / 2];
    }

    private static double Difference(DeviceBuffer first, DeviceBuffer second, DType type, long count)
    {
        float[] x = Read(first, type, count), y = Read(second, type, count);
        double difference = 0, norm = 0;
        for (int i = 0; i < x.Length; i++)
        {
            difference += Math.Pow(x[i] - y[i], 2);
            norm += Math.Pow(y[i], 2);
        }

        return norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference);
    }

    private static float[] Read(DeviceBuffer buffer, DType type, long count)
    {
        byte[] bytes = new byte[buffer.Bytes];
        buffer.Read<byte>(bytes);
        return type == DType.Bf16 ? [.. MemoryMarshal.Cast<byte, ushort>(bytes)[..(int)count].ToArray().Select(Bf16.Widen)]
            : MemoryMarshal.Cast<byte, float>(bytes)[..(int)count].ToArray();
    }
}
