using System.Buffers.Binary;
using System.Text;

namespace Ingot.Tests.Reports;

/// <summary>
/// A strict reader of TensorBoard event files that shares nothing with the writer: a table CRC, a protobuf parser that refuses fields it
/// does not know, and every length checked.
/// </summary>
internal static class EventFileReader
{
    private static readonly uint[] CrcTable = [.. Enumerable.Range(0, 256).Select(i =>
    {
        var crc = (uint)i;
        for (var bit = 0; bit < 8; bit++)
            crc = (crc & 1) == 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
        return crc;
    })];

    /// <summary>An event; Text and Scalar are null where the event has none.</summary>
    public sealed record Event(
        double WallTime,
        long Step,
        string? FileVersion,
        long? SessionStatus,
        string? Tag,
        string? Plugin,
        float? Scalar,
        string? Text);

    public static List<Event> Read(string path) => [.. Records(File.ReadAllBytes(path)).Select(Parse)];

    public static IEnumerable<byte[]> Records(byte[] file)
    {
        for (var at = 0; at < file.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at, 8));
            Expect(BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)) == Masked(file.AsSpan(at, 8)), "CRC of the length");
            var data = file.AsSpan(at + 12, length);
            Expect(BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)) == Masked(data), "CRC of the data");
            yield return file[(at + 12)..(at + 12 + length)];
            at += 16 + length;
        }
    }

    public static uint Crc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data)
            crc = (crc >> 8) ^ CrcTable[(byte)crc ^ b];
        return ~crc;
    }

    public static uint Masked(ReadOnlySpan<byte> data)
    {
        var crc = Crc(data);
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    private static Event Parse(byte[] record)
    {
        double? wallTime = null;
        long step = 0;
        string? version = null;
        long? status = null;
        (string Tag, string Plugin, float? Scalar, string? Text)? value = null;
        foreach (var (field, number, bytes) in Fields(record))
        {
            switch (field)
            {
                case 1: wallTime = BitConverter.Int64BitsToDouble(number); break;
                case 2: step = number; break;
                case 3: version = Encoding.UTF8.GetString(bytes); break;
                case 5: value = Value(Only(bytes, 1)); break;
                case 7: status = Fields(bytes).Single(part => part.Field == 1).Number; break;
                default: throw new InvalidDataException($"field {field} of Event");
            }
        }

        Expect(wallTime is not null, "wall_time");
        return new Event(wallTime!.Value, step, version, status, value?.Tag, value?.Plugin, value?.Scalar, value?.Text);
    }

    private static (string Tag, string Plugin, float? Scalar, string? Text) Value(byte[] message)
    {
        var fields = Fields(message).ToDictionary(part => part.Field);
        Expect(fields.Keys.Order().SequenceEqual([1, 8, 9]), "fields of Value");
        var plugin = Encoding.UTF8.GetString(Only(Only(fields[9].Bytes, 1), 1));
        var tensor = Fields(fields[8].Bytes).ToDictionary(part => part.Field);
        Expect(tensor[2].Bytes.Length == 0, "the tensor is a scalar");
        float? scalar = tensor[1].Number == 1 ? BinaryPrimitives.ReadSingleLittleEndian(tensor[4].Bytes) : null;
        var text = tensor[1].Number == 7 ? Encoding.UTF8.GetString(tensor[8].Bytes) : null;
        return (Encoding.UTF8.GetString(fields[1].Bytes), plugin, scalar, text);
    }

    private static byte[] Only(byte[] message, int field)
    {
        var part = Fields(message).Single();
        Expect(part.Field == field, $"field {field}");
        return part.Bytes;
    }

    private static IEnumerable<(int Field, long Number, byte[] Bytes)> Fields(byte[] message)
    {
        for (var at = 0; at < message.Length;)
        {
            var key = Varint(message, ref at);
            switch (key & 7)
            {
                case 0:
                    yield return ((int)(key >> 3), (long)Varint(message, ref at), []);
                    break;
                case 1:
                    yield return ((int)(key >> 3), BinaryPrimitives.ReadInt64LittleEndian(message.AsSpan(at, 8)), []);
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    yield return ((int)(key >> 3), 0, message[at..(at + length)]);
                    at += length;
                    break;
                default:
                    throw new InvalidDataException($"wire type {key & 7}");
            }
        }
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = message[at++];
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
                return value;
        }
    }

    private static void Expect(bool condition, string what)
    {
        if (!condition)
            throw new InvalidDataException($"Wrong: {what}.");
    }
}
