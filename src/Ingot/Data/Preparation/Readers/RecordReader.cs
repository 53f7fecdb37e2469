namespace Ingot.Data.Preparation.Readers;

/// <summary>A record as it stands in its file, not yet understood.</summary>
/// <param name="Place">Number of its line or row, from 1.</param>
/// <param name="Bytes">Its bytes, for formats that are made of lines.</param>
/// <param name="Values">Its values, one for each wanted field, for formats that are made of columns.</param>
internal readonly record struct RawRecord(long Place, byte[]? Bytes, string?[]? Values)
{
    /// <summary>Whether it is a row that does not fit its table; the value is its number of columns.</summary>
    public bool IsBroken { get; init; }

    /// <summary>About how much memory it takes, in bytes.</summary>
    public int Size => Bytes?.Length ?? Values!.Sum(value => value?.Length ?? 0);
}

/// <summary>
/// Reads the records of one file in order. <see cref="Read"/> only finds where records begin and end, on one thread; <see cref="Parse"/>
/// understands one, on any thread.
/// </summary>
internal abstract class RecordReader : IDisposable
{
    /// <summary>No record is larger: what seems to be is a file without line ends, or with a quote that is not closed.</summary>
    public const int LargestRecord = 64 << 20;

    /// <summary>What a place in this kind of file is called, for errors: "file:12" or "file, row 12".</summary>
    public virtual string Describe(long place) => $"{File.Path}:{place}";

    /// <summary>The file.</summary>
    public required SourceFile File { get; init; }

    /// <summary>Bytes of the file read so far.</summary>
    public abstract long Position { get; }

    /// <summary>Reads the next record; false at the end.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or not what it should be.</exception>
    public abstract bool Read(out RawRecord record);

    /// <summary>Makes a document of a record.</summary>
    /// <exception cref="BadRecordException">The record cannot be understood.</exception>
    public abstract Document Parse(in RawRecord record, RecordFields fields);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Opens a file.</summary>
    public static RecordReader Open(SourceFile file, PreparationOptions options)
    {
        try
        {
            return file.Format switch
            {
                InputFormat.Jsonl => new JsonLinesReader(file.Open()) { File = file },
                InputFormat.Csv or InputFormat.Tsv => CsvReader.Open(file, options),
                InputFormat.Parquet => ParquetFileReader.Open(file, options),
                _ => new TextReader(file.Open(), options.TextDocuments) { File = file },
            };
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"{file.Path} may not be read: {e.Message}", e);
        }
    }
}

/// <summary>A record that cannot be understood; the message is a sentence about the record, without its place.</summary>
internal sealed class BadRecordException(string message) : Exception(message);
