using System.Globalization;
using Parquet;
using Parquet.Schema;

namespace Ingot.Data.Preparation.Readers;

/// <summary>
/// Apache Parquet, through Parquet.Net. Only the wanted columns are read, a row group at a time: that much memory it takes.
/// </summary>
internal sealed class ParquetFileReader : RecordReader
{
    private static readonly Type Text = typeof(ReadOnlyMemory<char>); // What Parquet.Net calls a string.

    private readonly ParquetReader _reader;
    private readonly DataField[] _columns;
    private readonly string?[][] _values;
    private int _group;
    private int _row;
    private int _rows;
    private long _rowsBefore;

    private ParquetFileReader(ParquetReader reader, DataField[] columns) =>
        (_reader, _columns, _values) = (reader, columns, new string?[columns.Length][]);

    /// <inheritdoc/>
    public override long Position =>
        _reader.RowGroupCount == 0 ? File.Length : (long)(File.Length * (_group / (double)_reader.RowGroupCount));

    /// <inheritdoc/>
    public override string Describe(long place) => $"{File.Path}, row {place}";

    /// <summary>Opens a file and finds the columns.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or a column is not there or of another type.</exception>
    public static new ParquetFileReader Open(SourceFile file, PreparationOptions options)
    {
        var reader = Guard(file.Path, () => ParquetReader.CreateAsync(file.Path, null, CancellationToken.None));
        try
        {
            var known = reader.Schema.DataFields;
            DataField[] columns = [.. options.TextFields.Concat(options.KeepFields).Select(name =>
                known.FirstOrDefault(field => NameOf(field) == name) is { } field
                    ? CheckType(file.Path, field)
                    : throw new InvalidDataException(
                        $"{file.Path}: {RecordFields.Unknown(name, [.. known.Select(NameOf)])}."))];
            return new ParquetFileReader(reader, columns) { File = file };
        }
        catch
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
    }

    /// <summary>The names of a file's columns of text.</summary>
    public static string[] TextColumns(SourceFile file)
    {
        using var reader = Open(file, new PreparationOptions { TextFields = [] });
        return [.. reader._reader.Schema.DataFields.Where(field => field.ClrType == Text && field.MaxRepetitionLevel == 0).Select(NameOf)];
    }

    /// <inheritdoc/>
    public override bool Read(out RawRecord record)
    {
        while (_row == _rows)
        {
            if (_group == _reader.RowGroupCount)
            {
                record = default;
                return false;
            }

            _rowsBefore += _rows;
            ReadGroup();
            _group++;
            _row = 0;
        }

        var values = new string?[_columns.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = _values[i][_row];
        _row++;
        record = new RawRecord(_rowsBefore + _row, null, values);
        return true;
    }

    /// <inheritdoc/>
    public override Document Parse(in RawRecord record, RecordFields fields) => fields.FromValues(record.Values);

    /// <inheritdoc/>
    public override void Dispose() => _reader.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static string NameOf(DataField field) => field.Path.ToString().Replace('/', '.');

    private static DataField CheckType(string path, DataField field)
    {
        Type[] readable = [Text, typeof(int), typeof(long), typeof(float), typeof(double), typeof(bool)];
        return !field.IsArray && field.MaxRepetitionLevel == 0 && readable.Contains(field.ClrType)
            ? field
            : throw new InvalidDataException(
                $"{path}: the column \"{field.Path}\" is {(field.MaxRepetitionLevel > 0 ? "a list" : field.ClrType.Name)}, which is no " +
                "text. Columns of text, numbers and truth values can be read.");
    }

    private void ReadGroup()
    {
        using var group = _reader.OpenRowGroupReader(_group);
        if (group.RowCount is < 0 or > int.MaxValue)
            throw new InvalidDataException($"{File.Path}: row group {_group} says that it has {group.RowCount} rows. The file is damaged.");
        _rows = (int)group.RowCount;
        for (var i = 0; i < _columns.Length; i++)
        {
            var field = _columns[i];
            _values[i] = Guard(File.Path, () => ReadColumn(group, field, _rows));
        }
    }

    private static async Task<string?[]> ReadColumn(ParquetRowGroupReader group, DataField field, int rows)
    {
        var type = field.ClrType;
        if (type == Text)
        {
            var texts = new string?[rows];
            await group.ReadAsync(field, texts.AsMemory(), null, CancellationToken.None).ConfigureAwait(false);
            return texts;
        }

        return type == typeof(int) ? await ReadNumbers<int>(group, field, rows).ConfigureAwait(false)
            : type == typeof(long) ? await ReadNumbers<long>(group, field, rows).ConfigureAwait(false)
            : type == typeof(float) ? await ReadNumbers<float>(group, field, rows).ConfigureAwait(false)
            : type == typeof(double) ? await ReadNumbers<double>(group, field, rows).ConfigureAwait(false)
            : await ReadNumbers<bool>(group, field, rows).ConfigureAwait(false);
    }

    private static async Task<string?[]> ReadNumbers<T>(ParquetRowGroupReader group, DataField field, int rows)
        where T : struct, IConvertible
    {
        if (field.IsNullable)
        {
            var values = new T?[rows];
            await group.ReadAsync(field, values.AsMemory(), null, CancellationToken.None).ConfigureAwait(false);
            return Array.ConvertAll(values, value => value?.ToString(CultureInfo.InvariantCulture));
        }
        else
        {
            var values = new T[rows];
            await group.ReadAsync(field, values.AsMemory(), null, CancellationToken.None).ConfigureAwait(false);
            return Array.ConvertAll(values, value => (string?)value.ToString(CultureInfo.InvariantCulture));
        }
    }

    // The library meets a damaged file with whatever exception the damage leads to.
    private static T Guard<T>(string path, Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException
            or OutOfMemoryException))
        {
            throw new InvalidDataException($"{path}: not a whole Parquet file ({e.Message.Split('\n')[0]}). Get the file anew.", e);
        }
    }
}
