using System.Buffers.Binary;
using System.Text;

namespace Ingot.Tokenizers.Files;

/// <summary>
/// The fields of a Protocol Buffers message, one after another (protobuf.dev, "Encoding"). Lengths and numbers are checked against what is
/// there, and nothing is allocated before it is. Groups, which nobody writes any more, are errors.
/// </summary>
/// <param name="bytes">The message.</param>
/// <param name="place">Where it stands in the file, for errors.</param>
internal ref struct ProtoReader(ReadOnlySpan<byte> bytes, long place = 0)
{
    private const int LargestField = (1 << 29) - 1;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;
    private Wire _wire;
    private int _start; // Of the field's content.
    private int _end;
    private ulong _number;

    private enum Wire
    {
        Varint = 0,
        Eight = 1,
        Bytes = 2,
        Four = 5,
    }

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="InvalidDataException">The message is cut short, or no message.</exception>
    public bool Next(out int field)
    {
        field = 0;
        if (_at == _bytes.Length)
        {
            return false;
        }

        var tag = ReadVarint();
        _wire = (Wire)(tag & 7);
        if (tag >> 3 is 0 or > LargestField)
        {
            throw Error($"the field number {tag >> 3} is not one of Protocol Buffers");
        }

        field = (int)(tag >> 3);
        _start = _at;
        switch (_wire)
        {
            case Wire.Varint:
                _number = ReadVarint();
                break;
            case Wire.Four or Wire.Eight:
                Take(_wire == Wire.Four ? 4u : 8u);
                break;
            case Wire.Bytes:
                var length = ReadVarint();
                _start = _at;
                Take(length);
                break;
            default:
                throw Error($"field {field} has the wire type {tag & 7}, which is not supported");
        }

        _end = _at;
        return true;
    }

    /// <summary>The field as a number. Numbers of more than 32 bits are errors; negative ones have 64.</summary>
    public readonly int AsInt32() =>
        Require(Wire.Varint, "a number") && (long)_number is >= int.MinValue and <= int.MaxValue
            ? (int)(long)_number
            : throw Error($"the number {(long)_number} has more than 32 bits");

    public readonly bool AsFlag() => Require(Wire.Varint, "a flag") && _number != 0;

    public readonly float AsFloat()
    {
        Require(Wire.Four, "a float");
        return BinaryPrimitives.ReadSingleLittleEndian(_bytes[_start.._end]);
    }

    public readonly ReadOnlySpan<byte> AsBytes()
    {
        Require(Wire.Bytes, "bytes");
        return _bytes[_start.._end];
    }

    /// <summary>The field as a message of its own.</summary>
    public readonly ProtoReader AsMessage() => new(AsBytes(), place + _start);

    public readonly string AsText() =>
        System.Text.Unicode.Utf8.IsValid(AsBytes()) ? Encoding.UTF8.GetString(AsBytes()) : throw Error("a text is not UTF-8");

    /// <summary>An error at this place.</summary>
    public readonly InvalidDataException Error(string what) => new($"At byte {place + _at:N0}: {what}.");

    private readonly bool Require(Wire wire, string name) =>
        _wire == wire ? true : throw Error($"a field with the wire type {(int)_wire} stands where {name} should be");

    private void Take(ulong length)
    {
        if (length > (ulong)(_bytes.Length - _at))
        {
            throw Error($"{length:N0} bytes should follow, but there are {_bytes.Length - _at:N0}");
        }

        _at += (int)length;
    }

    private ulong ReadVarint()
    {
        var value = 0UL;
        for (var shift = 0; shift < 70; shift += 7)
        {
            if (_at == _bytes.Length)
            {
                throw Error("the message ends inside a number");
            }

            var b = _bytes[_at++];
            value |= shift < 64 ? (ulong)(b & 0x7F) << shift : 0;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Error("a number has more than ten bytes");
    }
}
