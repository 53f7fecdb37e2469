using System.Text.Json;

namespace Ingot.Data;

/// <summary>The texts of JSON Lines: the field "text" of each record. Everything else in a record is passed over.</summary>
internal static class JsonLinesText
{
    private const int LargestRecord = 64 << 20;

    /// <summary>Whether a file is JSON Lines, by its name.</summary>
    public static bool IsMeant(string path)
    {
        if (path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            path = path[..^3];
        return path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".ndjson", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Reads the texts, as UTF-8, in order.</summary>
    /// <exception cref="InvalidDataException">
    /// A line is no JSON object with a text, or the file is damaged; the message names the line.
    /// </exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(string path, CancellationToken ct)
    {
        using var reader = new TextFileReader(path);
        var buffer = new byte[2 * TextFileReader.BlockSize];
        var (count, line, isOpen) = (0, 0L, true);
        while (isOpen)
        {
            ct.ThrowIfCancellationRequested();
            isOpen = reader.Append(ref buffer, ref count);
            var start = 0;
            while (start < count)
            {
                var length = buffer.AsSpan(start, count - start).IndexOf((byte)'\n');
                if (length < 0 && isOpen)
                    break;
                length = length < 0 ? count - start : length;
                line++;
                if (!buffer.AsSpan(start, length).Trim(" \t\r"u8).IsEmpty)
                    yield return TextOf(buffer.AsSpan(start, length), path, line);
                start += length + 1;
            }

            start = Math.Min(start, count);
            buffer.AsSpan(start, count - start).CopyTo(buffer);
            count -= start;
            if (count > LargestRecord)
                throw new InvalidDataException($"{path}:{line + 1}: a line of more than {LargestRecord >> 20} MiB is no record of text.");
        }
    }

    private static byte[] TextOf(ReadOnlySpan<byte> record, string path, long line)
    {
        try
        {
            var json = new Utf8JsonReader(record);
            byte[]? text = null;
            while (json.Read())
            {
                if (json.CurrentDepth == 0 && json.TokenType is not (JsonTokenType.StartObject or JsonTokenType.EndObject))
                    break;
                if (json.TokenType != JsonTokenType.PropertyName || json.CurrentDepth != 1 || !json.ValueTextEquals("text"u8))
                    continue;
                json.Read();
                if (json.TokenType != JsonTokenType.String)
                    break;
                text = new byte[json.HasValueSequence ? json.ValueSequence.Length : json.ValueSpan.Length];
                text = text[..json.CopyString(text)];
            }

            return text ?? throw new InvalidDataException(
                $"{path}:{line}: the record has no field \"text\" with a text in it. `ingot data prepare --textFields NAME` makes it of "
                + "another field.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{line}: not JSON: {e.Message.Split(" LineNumber:")[0]}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{path}:{line}: the text holds half a surrogate pair (\\uD800 … \\uDFFF).", e);
        }
    }
}
