using System.Buffers;
using System.Buffers.Binary;

namespace Ingot.Reports;

/// <summary>The few protobuf encodings that event files need; its buffer is used again after <see cref="Clear"/>.</summary>
internal sealed class ProtoWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(256);

    private enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        LengthDelimited = 2,
    }

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public void Clear() => _buffer.ResetWrittenCount();

    public void Varint(int field, long value)
    {
        Key(field, WireType.Varint);
        Raw((ulong)value);
    }

    public void Double(int field, double value)
    {
        Key(field, WireType.Fixed64);
        BinaryPrimitives.WriteDoubleLittleEndian(_buffer.GetSpan(8), value);
        _buffer.Advance(8);
    }

    public void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Key(field, WireType.LengthDelimited);
        Raw((ulong)bytes.Length);
        _buffer.Write(bytes);
    }

    public void Message(int field, ProtoWriter message) => Bytes(field, message.Written);

    private void Key(int field, WireType type) => Raw(((ulong)field << 3) | (ulong)type);

    private void Raw(ulong value)
    {
        var span = _buffer.GetSpan(10);
        var count = 0;
        for (; value >= 0x80; value >>= 7)
            span[count++] = (byte)(value | 0x80);
        span[count++] = (byte)value;
        _buffer.Advance(count);
    }
}
