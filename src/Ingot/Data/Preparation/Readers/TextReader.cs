namespace Ingot.Data.Preparation.Readers;

/// <summary>
/// Plain text: a document is a file, a paragraph or a line. A file of more than 4 MiB is cut at empty lines, or at line ends where there
/// are none for long, so that any size of file passes through.
/// </summary>
internal sealed class TextReader(InputStream input, TextUnit unit) : RecordReader
{
    private const int CutFrom = 4 << 20, CutAnywhereFrom = 8 << 20;

    private readonly MemoryStream _document = new();
    private LineReader? _lines;

    /// <inheritdoc/>
    public override long Position => input.Position;

    /// <inheritdoc/>
    public override bool Read(out RawRecord record)
    {
        _lines ??= new LineReader(input, File.Path);
        _document.SetLength(0);
        var first = 0L;
        while (_lines.Read(out var line))
        {
            var isEmpty = line.Trim(" \t\r"u8).IsEmpty;
            if (first == 0 && isEmpty)
                continue;
            if (isEmpty && (unit == TextUnit.Paragraph || _document.Length > CutFrom))
                break;
            first = first == 0 ? _lines.Line : first;
            _document.Write(line);
            _document.WriteByte((byte)'\n');
            if (unit == TextUnit.Line || _document.Length > CutAnywhereFrom)
                break;
        }

        record = new RawRecord(first, _document.ToArray(), null);
        return first > 0;
    }

    /// <inheritdoc/>
    public override Document Parse(in RawRecord record, RecordFields fields)
    {
        var text = EncodingRepair.Decode(record.Bytes, fields.RepairEncoding, out var recoded);
        return new Document(text) { WasRecoded = recoded || input.IsRecoded };
    }

    /// <inheritdoc/>
    public override void Dispose() => input.Dispose();
}
