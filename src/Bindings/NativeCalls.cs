using System.Buffers;

namespace Ingot.Bindings;

/// <summary>Op calls as the native library takes them.</summary>
internal static unsafe class NativeCalls
{
    /// <summary>What is done with the calls while they stay where they are.</summary>
    public delegate void Body(NativeCall* calls);

    /// <summary>Lays the calls out for the native library while <paramref name="body"/> runs, and keeps their buffers alive.</summary>
    /// <exception cref="ArgumentException">An operand's dimensions, strides or offset are out of range.</exception>
    public static void Use(IReadOnlyList<OpCall> calls, Body body)
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

            body(call);
            GC.KeepAlive(calls); // and with them the buffers
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

        // Without a buffer when kernels are only asked about a call.
        if (operand.Buffer is not null)
        {
            using NativeHandle.Use buffer = operand.Buffer.Borrow();
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

    // The calls' texts, each once, one after the other.
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
