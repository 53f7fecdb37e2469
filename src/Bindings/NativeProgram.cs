using System.Buffers;

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
/// <param name="Seconds">Seconds in the latest run; 0 unless the program is timed.</param>
/// <param name="TotalSeconds">Seconds in all runs together; 0 unless the program is timed.</param>
public sealed record CallInfo(string Op, string Kernel, string Label, double Flops, double Bytes, double Seconds, double TotalSeconds);

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
    /// <exception cref="IngotException">A call does not pass; the message names the first one.</exception>
    public NativeProgram(Device device, IReadOnlyList<OpCall> calls, bool timed = false)
    {
        Device = device;
        _handle = new(Create(device, calls, timed));
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
                info.Bytes, info.Seconds, info.TotalSeconds);
        }

        return calls;
    }

    /// <summary>Frees the program; one that is running is freed when it ends.</summary>
    public void Dispose() => _handle.Dispose();

    private static ProgramHandle Create(Device device, IReadOnlyList<OpCall> calls, bool timed)
    {
        var texts = new TextTable();
        foreach (OpCall call in calls)
        {
            texts.Add(call.Op);
            texts.Add(call.Kernel);
            texts.Add(call.Label);
            foreach (OpAttribute attribute in call.Attributes)
            {
                texts.Add(attribute.Name);
                texts.Add(attribute.Text);
            }
        }

        var nativeCalls = new NativeCall[calls.Count];
        var operands = new NativeOperand[calls.Sum(call => call.Operands.Count)];
        var attributes = new NativeAttribute[calls.Sum(call => call.Attributes.Count)];
        fixed (byte* text = texts.Bytes)
        fixed (NativeCall* call = nativeCalls)
        fixed (NativeOperand* operand = operands)
        fixed (NativeAttribute* attribute = attributes)
        {
            NativeOperand* nextOperand = operand;
            NativeAttribute* nextAttribute = attribute;
            for (int i = 0; i < nativeCalls.Length; i++)
            {
                OpCall source = calls[i];
                call[i] = new()
                {
                    Op = texts.Find(source.Op, text),
                    Kernel = texts.Find(source.Kernel, text),
                    Label = texts.Find(source.Label, text),
                    Operands = nextOperand,
                    Attributes = nextAttribute,
                    OperandCount = source.Operands.Count,
                    AttributeCount = source.Attributes.Count,
                };
                foreach (Operand item in source.Operands)
                {
                    Convert(item, nextOperand++, source);
                }

                foreach (OpAttribute item in source.Attributes)
                {
                    *nextAttribute++ = new()
                    {
                        Name = texts.Find(item.Name, text),
                        Kind = (int)item.Kind,
                        Integer = item.Integer,
                        Number = item.Number,
                        Text = texts.Find(item.Text, text),
                    };
                }
            }

            ProgramHandle program;
            uint flags = timed ? NativeConstants.ProgramTimed : 0u;
            IngotException.ThrowIfFailed(NativeMethods.ProgramCreate(device.Index, call, nativeCalls.Length, flags, &program));
            GC.KeepAlive(calls); // and with them the buffers
            return program;
        }
    }

    private static void Convert(Operand operand, NativeOperand* native, OpCall call)
    {
        if (operand.DType == DType.None)
        {
            return;
        }

        if (operand.Shape.Count > Operand.MaxRank || operand.Strides.Count != operand.Shape.Count || operand.Offset < 0)
        {
            throw new ArgumentException(
                $"{call.Label ?? call.Op}: an operand has {operand.Shape.Count} dimensions, {operand.Strides.Count} strides and offset "
                + $"{operand.Offset}; there must be at most {Operand.MaxRank} dimensions, as many strides, and an offset of 0 or more.",
                nameof(operand));
        }

        using (NativeHandle.Use buffer = operand.Buffer.Borrow())
        {
            native->Buffer = new(buffer.Value);
        }

        native->Offset = (ulong)operand.Offset;
        native->Dtype = (int)operand.DType;
        native->Rank = operand.Shape.Count;
        for (int i = 0; i < operand.Shape.Count; i++)
        {
            native->Shape[i] = operand.Shape[i];
            native->Strides[i] = operand.Strides[i];
        }
    }

    // The program's texts, each once, one after the other.
    private sealed class TextTable
    {
        private readonly Dictionary<string, int> _offsets = [];
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

        public void Add(string? text)
        {
            if (text is not null && _offsets.TryAdd(text, _bytes.WrittenCount))
            {
                _bytes.Write(NativeText.ToBytes(text));
            }
        }

        public byte* Find(string? text, byte* start) => text is null ? null : start + _offsets[text];
    }
}
