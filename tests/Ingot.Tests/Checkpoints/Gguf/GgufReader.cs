using System.Text;

namespace Ingot.Tests.Checkpoints.Gguf;

/// <summary>A GGUF file read from the format's description: values, and tensors with their numbers widened to fp32.</summary>
internal sealed class GgufReader
{
    private readonly BinaryReader _reader;

    public GgufReader(string path)
    {
        _reader = new BinaryReader(new MemoryStream(File.ReadAllBytes(path)));
        if (Encoding.ASCII.GetString(_reader.ReadBytes(4)) != "GGUF" || _reader.ReadUInt32() != 3)
            throw new InvalidDataException("no GGUF file of version 3");
        var tensors = _reader.ReadInt64();
        var values = _reader.ReadInt64();
        for (var i = 0L; i < values; i++)
            Values.Add(Text(), Value(_reader.ReadUInt32()));
        var infos = new List<(string Name, long[] Shape, uint Type, long Offset)>();
        for (var i = 0L; i < tensors; i++)
        {
            var name = Text();
            var shape = new long[_reader.ReadUInt32()];
            for (var d = shape.Length - 1; d >= 0; d--)
                shape[d] = _reader.ReadInt64();
            infos.Add((name, shape, _reader.ReadUInt32(), _reader.ReadInt64()));
        }

        var start = (_reader.BaseStream.Position + 31) / 32 * 32;
        foreach (var (name, shape, type, offset) in infos)
        {
            if (offset % 32 != 0)
                throw new InvalidDataException($"{name} is not aligned");
            _reader.BaseStream.Position = start + offset;
            Tensors.Add(name, (shape, type, Numbers(type, shape.Aggregate(1L, (a, b) => a * b))));
        }

        Length = _reader.BaseStream.Position;
        FileLength = _reader.BaseStream.Length;
    }

    public Dictionary<string, object> Values { get; } = [];

    /// <summary>Shape (outermost first), type's number, and values.</summary>
    public Dictionary<string, (long[] Shape, uint Type, float[] Values)> Tensors { get; } = [];

    /// <summary>Where the last tensor ends.</summary>
    public long Length { get; }

    public long FileLength { get; }

    private float[] Numbers(uint type, long count)
    {
        var values = new float[count];
        for (var i = 0; i < count;)
        {
            switch (type)
            {
                case 0:
                    values[i++] = _reader.ReadSingle();
                    break;
                case 1:
                    values[i++] = (float)_reader.ReadHalf();
                    break;
                case 30:
                    values[i++] = BitConverter.UInt32BitsToSingle((uint)_reader.ReadUInt16() << 16);
                    break;
                case 8:
                    var scale = (float)_reader.ReadHalf();
                    for (var end = i + 32; i < end; i++)
                        values[i] = scale * _reader.ReadSByte();
                    break;
                default:
                    throw new InvalidDataException($"type {type}");
            }
        }

        return values;
    }

    private object Value(uint type) => type switch
    {
        4 => _reader.ReadUInt32(),
        5 => _reader.ReadInt32(),
        6 => _reader.ReadSingle(),
        7 => _reader.ReadByte() == 1,
        8 => Text(),
        9 => Array(),
        _ => throw new InvalidDataException($"value of type {type}"),
    };

    private object[] Array()
    {
        var type = _reader.ReadUInt32();
        return [.. Enumerable.Range(0, (int)_reader.ReadInt64()).Select(_ => Value(type))];
    }

    private string Text() => Encoding.UTF8.GetString(_reader.ReadBytes((int)_reader.ReadInt64()));
}
