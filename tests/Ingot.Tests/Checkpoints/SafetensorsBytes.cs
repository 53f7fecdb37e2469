using System.Buffers.Binary;
using System.Text.Json;

namespace Ingot.Tests.Checkpoints;

/// <summary>A safetensors file read by hand, from the format's description, for tests of what the library writes.</summary>
internal static class SafetensorsBytes
{
    /// <summary>dtype, shape and bytes of every tensor by name, and the metadata.</summary>
    public static (Dictionary<string, (string Dtype, long[] Shape, byte[] Data)> Tensors, Dictionary<string, string> Metadata) Read(
        string path)
    {
        var bytes = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(8, length));
        var tensors = new Dictionary<string, (string, long[], byte[])>();
        var metadata = new Dictionary<string, string>();
        foreach (var entry in header.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__")
            {
                foreach (var pair in entry.Value.EnumerateObject())
                    metadata.Add(pair.Name, pair.Value.GetString()!);
                continue;
            }

            var offsets = entry.Value.GetProperty("data_offsets");
            tensors.Add(entry.Name, (
                entry.Value.GetProperty("dtype").GetString()!,
                [.. entry.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())],
                bytes[(8 + length + offsets[0].GetInt32())..(8 + length + offsets[1].GetInt32())]));
        }

        return (tensors, metadata);
    }
}
