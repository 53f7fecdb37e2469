using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Ingot.Checkpoints;

/// <summary>
/// The head of a safetensors file: <c>u64 length</c>, then that many bytes of JSON that name every tensor's dtype, shape and place in
/// the data that follows. Parsing believes nothing: files come from strangers.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Longest JSON that the format allows.</summary>
    public const int MaximumLength = 100_000_000;

    private const string MetadataKey = "__metadata__";

    public required IReadOnlyList<Entry> Entries { get; init; }

    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>A tensor's row in the header; Begin and End are byte offsets in the data part.</summary>
    public sealed record Entry(string Name, SafetensorsDtype Dtype, long[] Shape, long Begin, long End);

    /// <summary>Reads the header's JSON.</summary>
    /// <param name="json">The JSON bytes, without the length before them.</param>
    /// <param name="dataLength">Bytes that follow the JSON in the file.</param>
    /// <param name="file">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">The header breaks a rule of the format.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataLength, string file)
    {
        if (!Utf8.IsValid(json))
            throw Bad(file, "its header is not valid UTF-8");

        var entries = new List<Entry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        Dictionary<string, string>? metadata = null;
        var reader = new Utf8JsonReader(json);
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw Bad(file, "its header is not a JSON object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                if (name == MetadataKey)
                {
                    if (metadata is not null)
                        throw Bad(file, $"its header has the key '{MetadataKey}' twice");
                    metadata = ParseMetadata(ref reader, file);
                    continue;
                }

                if (!names.Add(name))
                    throw Bad(file, $"its header has the tensor '{name}' twice");
                entries.Add(ParseEntry(ref reader, name, file));
            }

            reader.Read(); // Only white space may follow; anything else makes the reader throw.
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{file}' is not a usable safetensors file: its header is not valid JSON ({e.Message})", e);
        }

        CheckTiling(entries, dataLength, file);
        return new SafetensorsHeader { Entries = entries, Metadata = metadata ?? [] };
    }

    /// <summary>
    /// Lays tensors out as the format's own writer does, by dtype from the widest down and then by name, and returns the head of the file:
    /// length, JSON and the spaces that make the data start at a multiple of 8.
    /// </summary>
    public static byte[] Build(IReadOnlyList<SafetensorsSource> ordered, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        // The escaping of the format's own writer: only quotes, backslashes and control characters.
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject(MetadataKey);
                foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var tensor in ordered)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Dtype.FileName());
                json.WriteStartArray("shape");
                foreach (var dimension in tensor.Shape)
                    json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Length);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        var padded = (buffer.WrittenCount + 7) / 8 * 8;
        if (padded > MaximumLength)
        {
            throw new ArgumentException(
                $"The header of {ordered.Count:N0} tensors takes {padded:N0} bytes; safetensors allows {MaximumLength:N0}.");
        }

        var head = new byte[8 + padded];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)padded);
        buffer.WrittenSpan.CopyTo(head.AsSpan(8));
        head.AsSpan(8 + buffer.WrittenCount).Fill((byte)' ');
        return head;
    }

    /// <summary>Checks what is to be written and puts it in the order of the file.</summary>
    public static List<SafetensorsSource> Order(IReadOnlyList<SafetensorsSource> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (tensor.Name == MetadataKey)
                throw new ArgumentException($"A tensor cannot be named '{MetadataKey}': safetensors reserves that name.");
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"Two tensors are named '{tensor.Name}'.");
        }

        return [.. tensors.OrderByDescending(tensor => tensor.Dtype).ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];
    }

    internal static InvalidDataException Bad(string file, string problem) =>
        new($"'{file}' is not a usable safetensors file: {problem}.");

    private static Dictionary<string, string> ParseMetadata(ref Utf8JsonReader reader, string file)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Bad(file, $"'{MetadataKey}' is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Bad(file, $"'{MetadataKey}.{key}' is not a string");
            if (!metadata.TryAdd(key, reader.GetString()!))
                throw Bad(file, $"'{MetadataKey}' has the key '{key}' twice");
        }

        return metadata;
    }

    private static Entry ParseEntry(ref Utf8JsonReader reader, string name, string file)
    {
        SafetensorsDtype? dtype = null;
        long[]? shape = null;
        long[]? offsets = null;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Bad(file, $"the entry of tensor '{name}' is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when dtype is null:
                    var text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
                    if (!SafetensorsDtypes.TryParse(text, out var parsed))
                        throw Bad(file, $"tensor '{name}' has the unknown dtype '{text}'");
                    dtype = parsed;
                    break;
                case "shape" when shape is null:
                    shape = ParseNumbers(ref reader, name, key, file);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ParseNumbers(ref reader, name, key, file);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Bad(file, $"tensor '{name}' has the key '{key}' twice");
                default:
                    reader.Skip(); // A later version of the format may say more about a tensor.
                    break;
            }
        }

        if (dtype is null || shape is null || offsets is null)
            throw Bad(file, $"tensor '{name}' lacks {(dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets")}");
        if (offsets.Length != 2)
            throw Bad(file, $"data_offsets of tensor '{name}' has {offsets.Length} numbers instead of 2");
        if (!SafetensorsDtypes.TryByteLength(dtype.Value, shape, out var bytes, out var problem))
            throw Bad(file, $"tensor '{name}': {problem}");
        if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != bytes)
        {
            throw Bad(file, $"tensor '{name}' ({dtype.Value.FileName()} [{string.Join(", ", shape)}]) needs {bytes:N0} bytes, "
                + $"its data_offsets [{offsets[0]}, {offsets[1]}] give {(Int128)offsets[1] - offsets[0]:N0}");
        }

        return new Entry(name, dtype.Value, shape, offsets[0], offsets[1]);
    }

    private static long[] ParseNumbers(ref Utf8JsonReader reader, string name, string key, string file)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Bad(file, $"{key} of tensor '{name}' is not an array");
        var numbers = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetUInt64(out var number))
                throw Bad(file, $"{key} of tensor '{name}' holds something that is not a whole number of at most 64 bits");
            if (number > long.MaxValue)
                throw Bad(file, $"{key} of tensor '{name}' holds {number}, which overflows 63 bits");
            numbers.Add((long)number);
        }

        return [.. numbers];
    }

    /// <summary>The tensors must cover the data from its first byte to its last, without holes and without overlaps.</summary>
    private static void CheckTiling(List<Entry> entries, long dataLength, string file)
    {
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long end = 0;
        foreach (var entry in entries)
        {
            if (entry.Begin != end)
            {
                throw Bad(file, $"tensor '{entry.Name}' begins at byte {entry.Begin:N0} of the data, "
                    + $"{(entry.Begin < end ? "inside the tensor before it, which ends" : "after a hole that starts")} at {end:N0}");
            }

            end = entry.End;
        }

        if (end > dataLength)
            throw Bad(file, $"it is cut short: its tensors need {end:N0} bytes of data, the file has {dataLength:N0}");
        if (end < dataLength)
            throw Bad(file, $"{dataLength - end:N0} bytes follow the last tensor");
    }
}
