namespace Ingot.Bindings;

/// <summary>What a program is and needs.</summary>
/// <param name="CallCount">Number of calls.</param>
/// <param name="WorkspaceBytes">Memory that the kernels work in, shared by all calls.</param>
/// <param name="RunCount">Runs so far.</param>
/// <param name="Flops">Floating-point operations of one run, as far as the kernels tell.</param>
/// <param name="Bytes">Bytes moved by one run, as far as the kernels tell.</param>
public readonly record struct ProgramInfo(long CallCount, long WorkspaceBytes, long RunCount, double Flops, double Bytes);

/// <summary>One call of a program.</summary>
/// <param name="Op">Name of the op.</param>
/// <param name="Kernel">Variant of the kernel that was chosen.</param>
/// <param name="Label">The label given at creation, or "".</param>
/// <param name="Flops">Floating-point operations of one run; 0 if the kernel does not tell.</param>
/// <param name="Bytes">Bytes read and written by one run; 0 if the kernel does not tell.</param>
/// <param name="Start">Seconds from the beginning of the latest run to that of this call; 0 unless the program is timed.</param>
/// <param name="Seconds">Seconds in the latest run; 0 unless the program is timed.</param>
/// <param name="TotalSeconds">Seconds in all runs together; 0 unless the program is timed.</param>
public sealed record CallInfo(
    string Op, string Kernel, string Label, double Flops, double Bytes, double Start, double Seconds, double TotalSeconds);

/// <summary>A checked and prepared list of op calls.</summary>
public sealed unsafe class NativeProgram : IDisposable
{
    private readonly SafeProgramHandle _handle;

    /// <summary>
    /// Checks every call (dtypes, shapes, strides, bounds of every operand, attributes), chooses its kernel, prepares it and
    /// allocates what the kernels need to work in. The program keeps the buffers' memory alive.
    /// </summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="calls">The calls, in order.</param>
    /// <param name="timed">Measure the time of each call, for <see cref="GetCalls"/>.</param>
    /// <param name="isChecked">
    /// Run each kernel on copies of its operands between guard zones: one that writes outside of its outputs is then an error that names
    /// it, and nothing of what it wrote reaches the operands. Slow.
    /// </param>
    /// <exception cref="IngotException">A call does not pass; the message names the first one.</exception>
    public NativeProgram(Device device, IReadOnlyList<OpCall> calls, bool timed = false, bool isChecked = false)
    {
        Device = device;
        _handle = new(Create(device, calls, timed, isChecked));
    }

    /// <summary>The device that it runs on.</summary>
    public Device Device { get; }

    /// <summary>Runs all calls in order. On the CPU the work is done on return; on a GPU it is in the stream.</summary>
    public void Run(NativeStream? stream = null)
    {
        using NativeHandle.Use program = _handle.Borrow();
        using NativeHandle.Use queue = NativeStream.Borrow(stream);
        IngotException.ThrowIfFailed(NativeMethods.ProgramRun(new(program.Value), new(queue.Value)));
    }

    /// <summary>What the program is and needs.</summary>
    public ProgramInfo GetInfo()
    {
        using NativeHandle.Use program = _handle.Borrow();
        NativeProgramInfo info;
        IngotException.ThrowIfFailed(NativeMethods.GetProgramInfo(new(program.Value), &info));
        return new(info.CallCount, (long)info.WorkspaceBytes, (long)info.RunCount, info.Flops, info.Bytes);
    }

    /// <summary>The calls with the kernels that were chosen and, if the program is timed, their times.</summary>
    public IReadOnlyList<CallInfo> GetCalls()
    {
        var calls = new CallInfo[GetInfo().CallCount];
        using NativeHandle.Use program = _handle.Borrow();
        for (int i = 0; i < calls.Length; i++)
        {
            NativeCallInfo info;
            IngotException.ThrowIfFailed(NativeMethods.GetCallInfo(new(program.Value), i, &info));
            calls[i] = new(NativeText.ToString(info.Op), NativeText.ToString(info.Kernel), NativeText.ToString(info.Label), info.Flops,
                info.Bytes, info.Start, info.Seconds, info.TotalSeconds);
        }

        return calls;
    }

    /// <summary>Frees the program; one that is running is freed when it ends.</summary>
    public void Dispose() => _handle.Dispose();

    private static ProgramHandle Create(Device device, IReadOnlyList<OpCall> calls, bool timed, bool isChecked)
    {
        ProgramHandle program = default;
        uint flags = (timed ? NativeConstants.ProgramTimed : 0u) | (isChecked ? NativeConstants.ProgramChecked : 0u);
        NativeCalls.Use(calls, call =>
        {
            ProgramHandle made;
            IngotException.ThrowIfFailed(NativeMethods.ProgramCreate(device.Index, call, calls.Count, flags, &made));
            program = made;
        });
        return program;
    }
}
