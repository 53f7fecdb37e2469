using System.Text;
using nietras.SeparatedValues;

namespace Ingot.Data.Preparation.Readers;

/// <summary>Comma-separated values (RFC 4180), and values between tabs. Every row has as many columns as the first.</summary>
internal sealed class CsvReader : RecordReader
{
    private const int LongestRow = 1 << 24; // Sep takes no longer ones.

    private readonly InputStream _input;
    private readonly LimitedReader _text;
    private readonly SepReader _rows;
    private readonly int[] _columns; // Of the wanted fields, first those of the text.
    private int _columnCount;

    private CsvReader(InputStream input, LimitedReader text, SepReader rows, int[] columns) =>
        (_input, _text, _rows, _columns) = (input, text, rows, columns);

    /// <inheritdoc/>
    public override long Position => _input.Position;

    /// <summary>Opens a file and finds the columns.</summary>
    /// <exception cref="InvalidDataException">A column is not there.</exception>
    public static new CsvReader Open(SourceFile file, PreparationOptions options)
    {
        var input = file.Open();
        try
        {
            var text = new LimitedReader(new StreamReader(input.Content, Fallback()), file.Path);
            var isTabs = file.Format == InputFormat.Tsv;
            var rows = new Sep(isTabs ? '\t' : ',').Reader(o => o with
            {
                HasHeader = options.Header,
                DisableColCountCheck = true, // Sep's error does not name the file; ours does.
                DisableQuotesParsing = isTabs,
                Unescape = !isTabs,
            }).From(text);
            string[] wanted = [.. options.TextFields, .. options.KeepFields];
            var columns = new int[wanted.Length];
            for (var i = 0; i < wanted.Length; i++)
            {
                columns[i] = options.Header
                    ? (rows.Header.TryIndexOf(wanted[i], out var found) ? found : -1)
                    : NumberOf(wanted[i]) - 1;
                if (columns[i] < 0)
                {
                    string[] known = options.Header ? [.. rows.Header.ColNames] : ["column1", "column2", "…"];
                    throw new InvalidDataException($"{file.Path}: {RecordFields.Unknown(wanted[i], known)}" +
                        (options.Header ? ", or header false if the first row is not names." : "; header true if the first row is names."));
                }
            }

            return new CsvReader(input, text, rows, columns)
            {
                File = file,
                _columnCount = options.Header ? rows.Header.ColNames.Count : 0,
            };
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    /// <summary>The names of a file's columns: of its first row, or column1, column2, … where a name is empty.</summary>
    public static string[] Columns(SourceFile file)
    {
        using var input = file.Open();
        using var rows = new Sep(file.Format == InputFormat.Tsv ? '\t' : ',').Reader().From(input.Content);
        return [.. rows.Header.ColNames];
    }

    /// <inheritdoc/>
    public override bool Read(out RawRecord record)
    {
        _text.BeginRow();
        try
        {
            if (!_rows.MoveNext())
            {
                record = default;
                return false;
            }
        }
        catch (NotSupportedException e)
        {
            throw LimitedReader.TooLong(File.Path, e);
        }

        var row = _rows.Current;
        var columnCount = row.ColCount;
        if (row.ColCount == 1 && row[0].Span.IsEmpty && _columnCount != 1)
            return Read(out record); // An empty line.
        _columnCount = _columnCount == 0 ? row.ColCount : _columnCount;
        var values = new string?[_columns.Length];
        if (row.ColCount == _columnCount && Array.TrueForAll(_columns, column => column < columnCount))
        {
            for (var i = 0; i < values.Length; i++)
                values[i] = row[_columns[i]].Span is { IsEmpty: false } value ? value.ToString() : null;
            record = new RawRecord(LineOf(row), null, values);
        }
        else
        {
            record = new RawRecord(LineOf(row), null, [$"{row.ColCount}"]) { IsBroken = true };
        }

        return true;
    }

    /// <inheritdoc/>
    public override Document Parse(in RawRecord record, RecordFields fields)
    {
        if (record.IsBroken)
        {
            throw new BadRecordException($"the row has {record.Values![0]} columns, but the first row has {_columnCount}" +
                (_columns.Max() >= _columnCount ? $" and column{_columns.Max() + 1} is wanted" : ""));
        }

        return fields.FromValues(record.Values);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _rows.Dispose();
        _input.Dispose();
    }

    // Without a line of names, Sep has read the first row when it opens the file, and counts it as the second line.
    private int LineOf(SepReader.Row row) => !_rows.HasHeader && row.RowIndex == 0 ? 1 : row.LineNumberFrom;

    private static int NumberOf(string name) =>
        name.StartsWith("column", StringComparison.Ordinal) && int.TryParse(name.AsSpan("column".Length), out var number) ? number : 0;

    private static Encoding Fallback() =>
        Encoding.GetEncoding(Encoding.UTF8.CodePage, EncoderFallback.ReplacementFallback, new Windows1252Fallback());

    /// <summary>Ends what would read on and on: a quote that is not closed swallows the file.</summary>
    private sealed class LimitedReader(StreamReader reader, string path) : System.IO.TextReader
    {
        private long _read;

        public void BeginRow() => _read = 0;

        public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

        public override int Read(Span<char> buffer)
        {
            var read = reader.Read(buffer);
            _read += read;
            return _read <= LongestRow ? read : throw TooLong(path, null);
        }

        public static InvalidDataException TooLong(string path, Exception? inner) => new(
            $"{path}: a row has more than {LongestRow >> 20} million characters; is there a quote that is not closed? If there are tabs "
            + "between the values, the format is tsv.", inner);
    }

    /// <summary>Bytes that are not UTF-8 are read as Windows-1252.</summary>
    private sealed class Windows1252Fallback : DecoderFallback
    {
        public override int MaxCharCount => 4;

        public override DecoderFallbackBuffer CreateFallbackBuffer() => new Buffer();

        private sealed class Buffer : DecoderFallbackBuffer
        {
            private byte[] _bytes = [];
            private int _next;

            public override int Remaining => _bytes.Length - _next;

            public override bool Fallback(byte[] bytesUnknown, int index)
            {
                (_bytes, _next) = ((byte[])bytesUnknown.Clone(), 0);
                return true;
            }

            public override char GetNextChar() => _next < _bytes.Length ? EncodingRepair.FromWindows1252(_bytes[_next++]) : '\0';

            public override bool MovePrevious() => _next > 0 && _next-- > 0;
        }
    }
}
