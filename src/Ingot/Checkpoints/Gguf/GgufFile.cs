using System.Text;

namespace Ingot.Checkpoints.Gguf;

/// <summary>
/// A GGUF file (version 3, ggml's docs/gguf.md) as it is put together: named values, then tensors, then their data, each tensor at a
/// multiple of 32 bytes.
/// </summary>
internal sealed class GgufFile
{
    private const uint Version = 3;
    private const int Alignment = 32;

    private readonly List<KeyValuePair<string, object>> _values = [];
    private readonly List<GgufTensor> _tensors = [];

    public IReadOnlyList<GgufTensor> Tensors => _tensors;

    /// <summary>Bytes of all tensors' data, with what aligns them.</summary>
    public long DataLength => _tensors.Sum(t => Aligned(t.Bytes));

    /// <summary>Adds a value: a string, bool, uint, float, or an array of string, int or float.</summary>
    public void Add(string key, object value) => _values.Add(new(key, value));

    public void Add(GgufTensor tensor) => _tensors.Add(tensor);

    /// <summary>Writes the file; <paramref name="progress"/> hears of each tensor's bytes.</summary>
    public void Write(Stream stream, Action<long> progress)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((long)_tensors.Count);
        writer.Write((long)_values.Count);
        foreach (var (key, value) in _values)
        {
            WriteText(writer, key);
            writer.Write(TypeOf(value));
            WriteValue(writer, value);
        }

        var offset = 0L;
        foreach (var tensor in _tensors)
        {
            WriteText(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Length);
            foreach (var dimension in tensor.Shape.Reverse())
                writer.Write(dimension);
            writer.Write((uint)tensor.Type);
            writer.Write(offset);
            offset += Aligned(tensor.Bytes);
        }

        writer.Flush();
        Pad(writer, stream.Position);
        foreach (var tensor in _tensors)
        {
            WriteData(writer, tensor, progress);
            Pad(writer, tensor.Bytes);
        }
    }

    private static void WriteData(BinaryWriter writer, GgufTensor tensor, Action<long> progress)
    {
        var atOnce = Math.Clamp(TensorFloats.Chunk / tensor.Width, 1, tensor.Rows);
        var values = new float[checked(atOnce * tensor.Width)];
        var bytes = new byte[tensor.Type.BytesFor(values.Length)];
        for (var row = 0L; row < tensor.Rows; row += atOnce)
        {
            var part = values.AsSpan(0, (int)(Math.Min(atOnce, tensor.Rows - row) * tensor.Width));
            tensor.Read(row, part);
            if (tensor.Type == GgufType.F16)
                ModelExport.RequireRange(tensor.Name, part);
            var data = bytes.AsSpan(0, (int)tensor.Type.BytesFor(part.Length));
            tensor.Type.Write(part, data);
            writer.Write(data);
            progress(data.Length);
        }
    }

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case string text:
                WriteText(writer, text);
                break;
            case bool flag:
                writer.Write(flag);
                break;
            case uint number:
                writer.Write(number);
                break;
            case int number:
                writer.Write(number);
                break;
            case float number:
                writer.Write(number);
                break;
            case Array array:
                writer.Write(TypeOf(array.GetType().GetElementType()!));
                writer.Write((long)array.Length);
                foreach (var element in array)
                    WriteValue(writer, element!);
                break;
            default:
                throw new NotSupportedException(value.GetType().Name);
        }
    }

    private static uint TypeOf(object value) => value is Array ? 9 : TypeOf(value.GetType());

    private static uint TypeOf(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.UInt32 => 4,
        TypeCode.Int32 => 5,
        TypeCode.Single => 6,
        TypeCode.Boolean => 7,
        TypeCode.String => 8,
        _ => throw new NotSupportedException(type.Name),
    };

    private static void WriteText(BinaryWriter writer, string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        writer.Write((long)utf8.Length);
        writer.Write(utf8);
    }

    private static void Pad(BinaryWriter writer, long length) => writer.Write(new byte[Aligned(length) - length]);

    private static long Aligned(long length) => checked((length + Alignment - 1) / Alignment * Alignment);
}
