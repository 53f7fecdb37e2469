using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Ingot.Data.Preparation.Readers;

/// <summary>JSON Lines: an object a line. Empty lines are passed over.</summary>
internal sealed class JsonLinesReader(InputStream input) : RecordReader
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 64 };

    private LineReader? _lines;

    /// <inheritdoc/>
    public override long Position => input.Position;

    /// <inheritdoc/>
    public override bool Read(out RawRecord record)
    {
        _lines ??= new LineReader(input, File.Path);
        while (_lines.Read(out var line))
        {
            if (line.Trim(" \t"u8).IsEmpty)
                continue;
            record = new RawRecord(_lines.Line, line.ToArray(), null);
            return true;
        }

        record = default;
        return false;
    }

    /// <inheritdoc/>
    public override Document Parse(in RawRecord record, RecordFields fields)
    {
        var bytes = record.Bytes!;
        var isRepaired = !Utf8.IsValid(bytes);
        if (isRepaired)
            bytes = Encoding.UTF8.GetBytes(EncodingRepair.Decode(bytes, fields.RepairEncoding, out _));
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(bytes, Options);
        }
        catch (JsonException e)
        {
            throw new BadRecordException($"not JSON: {e.Message.Split(" LineNumber:")[0]} At byte {e.BytePositionInLine} of the line");
        }

        using (json)
        {
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new BadRecordException(
                    $"JSON, but {json.RootElement.ValueKind} in place of an object. The format is one object a line; jq -c '.[]' makes it "
                    + "of an array");
            }

            return Make(json.RootElement, fields, isRepaired || input.IsRecoded);
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => input.Dispose();

    private static Document Make(JsonElement record, RecordFields fields, bool isRepaired)
    {
        var texts = new string?[fields.Text.Count];
        for (var i = 0; i < texts.Length; i++)
        {
            try
            {
                texts[i] = fields.TextOf(Find(record, fields.Text[i]), fields.Text[i]);
            }
            catch (InvalidOperationException)
            {
                throw new BadRecordException($"the field \"{fields.Text[i]}\" holds half a surrogate pair (\\uD800 … \\uDFFF)");
            }

            // All are checked, so that a misspelt name is found in the first record.
            if (texts[i] is null && fields.Missing == MissingText.Error)
                throw new BadRecordException(RecordFields.Unknown(fields.Text[i],
                    [.. record.EnumerateObject().Select(field => field.Name)]));
        }

        var made = fields.FromValues(texts);
        var document = isRepaired ? new Document(made.Text) { IsMissing = made.IsMissing, WasRecoded = true } : made;
        foreach (var name in fields.Keep)
        {
            var value = Find(record, name);
            if (value.ValueKind != JsonValueKind.Undefined)
                document.Kept.Add((name, Encoding.UTF8.GetBytes(value.GetRawText())));
        }

        return document;
    }

    // A name is taken as it is, or else as a path.
    private static JsonElement Find(JsonElement record, string name)
    {
        if (record.TryGetProperty(name, out var value))
            return value;
        foreach (var part in name.Contains('.', StringComparison.Ordinal) ? name.Split('.') : [])
        {
            if (record.ValueKind != JsonValueKind.Object || !record.TryGetProperty(part, out record))
                return default;
            value = record;
        }

        return value;
    }
}
