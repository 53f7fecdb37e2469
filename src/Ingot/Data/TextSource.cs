using System.Security.Cryptography;
using System.Text;
using Ingot.Data.Preparation;
using Ingot.Tokenizers;

namespace Ingot.Data;

/// <summary>A file of text.</summary>
/// <param name="Path">Its full path.</param>
/// <param name="Length">Its size on the disk in bytes.</param>
/// <param name="LastWriteTimeUtc">When it was last written.</param>
public sealed record TextFile(string Path, long Length, DateTime LastWriteTimeUtc);

/// <summary>A piece of a document.</summary>
/// <param name="Utf8">Whole characters. Two pieces of one document meet where no pre-token of GPT-2 is cut.</param>
/// <param name="File">The file's place in <see cref="TextSource.Files"/>.</param>
/// <param name="EndsDocument">Whether this is a document's last piece.</param>
public readonly record struct TextPiece(ReadOnlyMemory<byte> Utf8, int File, bool EndsDocument);

/// <summary>How much text there is.</summary>
/// <param name="Bytes">Bytes of UTF-8, after byte-order marks and the CR of CRLF are gone.</param>
/// <param name="Characters">Unicode code points.</param>
public readonly record struct TextStatistics(long Bytes, long Characters);

/// <summary>
/// UTF-8 text in a file, or in all text files of a folder and its subfolders, in the ordinal order of their paths; each is a document.
/// Files that gzip packed are unpacked on the way, whatever their names. A byte-order mark is dropped and CRLF becomes LF.
/// Text is read in pieces of about a megabyte, never whole, and anything that is not UTF-8 is an error that names file and place.
/// Of JSON Lines (.jsonl, .ndjson) each record is a document: its field "text".
/// <para>Of a folder, hidden, empty and binary files are passed over; <see cref="Skipped"/> lists them. Of a folder of prepared data
/// (<see cref="PreparedFolder"/>) the shards for training are read, and no others.</para>
/// </summary>
public sealed class TextSource
{
    private const int PieceSize = 1 << 20;
    private const int LargestPiece = 64 << 20;

    private readonly int _pieceSize;
    private TextStatistics? _statistics;

    private TextSource(string path, IReadOnlyList<TextFile> files, IReadOnlyList<string> skipped, int pieceSize)
    {
        Path = path;
        Files = files;
        Skipped = skipped;
        _pieceSize = pieceSize;
    }

    /// <summary>The full path of the file or folder.</summary>
    public string Path { get; }

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<TextFile> Files { get; }

    /// <summary>The files of the folder that are not read, each with the reason.</summary>
    public IReadOnlyList<string> Skipped { get; }

    /// <summary>Finds the files. None is read beyond its beginning yet.</summary>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="InvalidDataException">The file is empty or binary, or the folder holds no text.</exception>
    /// <exception cref="UnauthorizedAccessException">A file or folder may not be read.</exception>
    public static TextSource Open(string path) => Open(path, PieceSize);

    /// <summary>The text for validation in a folder of prepared data; null if there is none, or the path is something else.</summary>
    public static TextSource? OpenValidation(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        return PreparedFolder.IsOne(path) && PreparedFolder.Shards(path, Split.Validation) is { Count: > 0 } shards
            ? Open(path, shards, PieceSize)
            : null;
    }

    /// <summary>As <see cref="Open(string)"/>, with pieces of another size, for tests.</summary>
    internal static TextSource Open(string path, int pieceSize)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        return Open(path, PreparedFolder.IsOne(path) ? PreparedFolder.Shards(path, Split.Train) : null, pieceSize);
    }

    private static TextSource Open(string path, IEnumerable<string>? chosen, int pieceSize)
    {
        var files = new List<TextFile>();
        var skipped = new List<string>();
        if (Directory.Exists(path))
        {
            foreach (var below in chosen ?? FilesBelow(new DirectoryInfo(path)).Order(StringComparer.Ordinal))
            {
                if (WhyNotText(below, out var file) is { } reason)
                {
                    skipped.Add($"{below}: {reason}");
                }
                else
                {
                    files.Add(file);
                }
            }

            if (files.Count == 0)
            {
                var passedOver = skipped.Count > 0 ? $" Passed over: {string.Join("; ", skipped.Take(5))}." : "";
                throw new InvalidDataException($"{path}: the folder holds no text files.{passedOver}");
            }
        }
        else if (File.Exists(path))
        {
            if (WhyNotText(path, out var file) is { } reason)
            {
                throw new InvalidDataException($"{path}: {reason}. Name a file of UTF-8 text, or a folder of such files.");
            }

            files.Add(file);
        }
        else
        {
            throw new FileNotFoundException($"{path}: there is no such file or folder of text.", path);
        }

        return new TextSource(path, files, skipped, pieceSize);
    }

    /// <summary>Reads all text, piece by piece, in order.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8, binary or damaged, or has 64 MB without white space.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public IEnumerable<TextPiece> ReadPieces(CancellationToken cancellationToken = default)
    {
        for (var file = 0; file < Files.Count; file++)
        {
            if (JsonLinesText.IsMeant(Files[file].Path))
            {
                foreach (var text in JsonLinesText.Read(Files[file].Path, cancellationToken))
                {
                    if (text.Length == 0)
                        continue;
                    yield return new TextPiece(text, file, EndsDocument: true);
                }

                continue;
            }

            using var reader = new TextFileReader(Files[file].Path);
            var buffer = new byte[_pieceSize + TextFileReader.BlockSize];
            var count = 0;
            var searched = 0; // No cut lies before this place.
            while (reader.Append(ref buffer, ref count))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (count < _pieceSize)
                {
                    continue;
                }

                var cut = Gpt2PreTokenizer.LastCut(buffer.AsSpan(searched, count - searched));
                if (cut > 0)
                {
                    cut += searched;
                    yield return new TextPiece(buffer.AsMemory(0, cut).ToArray(), file, EndsDocument: false);
                    buffer.AsSpan(cut, count - cut).CopyTo(buffer);
                    count -= cut;
                    searched = 0;
                }
                else if (count > LargestPiece)
                {
                    throw new InvalidDataException(
                        $"{Files[file].Path}: {LargestPiece >> 20} MB without white space, where the text could be cut into pieces. " +
                        "If it is text, break its lines.");
                }
                else
                {
                    // The last character may be the one before a cut.
                    Rune.DecodeLastFromUtf8(buffer.AsSpan(0, count), out _, out var length);
                    searched = count - length;
                }
            }

            yield return new TextPiece(buffer.AsMemory(0, count).ToArray(), file, EndsDocument: true);
        }
    }

    /// <summary>Reads all text as UTF-8, for training tokenizers.</summary>
    /// <inheritdoc cref="ReadPieces"/>
    public IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken cancellationToken = default) =>
        ReadPieces(cancellationToken).Select(piece => piece.Utf8);

    /// <summary>Reads and checks all text to find out how much there is; a second call remembers.</summary>
    /// <exception cref="InvalidDataException">As for <see cref="ReadPieces"/>, or there is no text at all.</exception>
    public TextStatistics Measure(CancellationToken cancellationToken = default)
    {
        if (_statistics is null)
        {
            var (bytes, characters) = (0L, 0L);
            foreach (var piece in ReadPieces(cancellationToken))
            {
                bytes += piece.Utf8.Length;
                characters += Utf8Text.CountCharacters(piece.Utf8.Span);
            }

            if (bytes == 0)
            {
                throw new InvalidDataException($"{Path}: there is no text in it.");
            }

            _statistics = new TextStatistics(bytes, characters);
        }

        return _statistics.Value;
    }

    /// <summary>Adds to a hash what tells this text from another without reading it: the files, their sizes and times.</summary>
    internal void AppendTo(IncrementalHash hash)
    {
        foreach (var file in Files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.Path}\0{file.Length}\0{file.LastWriteTimeUtc.Ticks}\n"));
        }
    }

    // Links to folders are not followed, since they may lead round in a circle.
    private static IEnumerable<string> FilesBelow(DirectoryInfo folder)
    {
        var options = new EnumerationOptions { AttributesToSkip = FileAttributes.Hidden, IgnoreInaccessible = false };
        foreach (var entry in folder.EnumerateFileSystemInfos("*", options))
        {
            if (entry is FileInfo)
            {
                yield return entry.FullName;
            }
            else if (entry is DirectoryInfo below && entry.LinkTarget is null)
            {
                foreach (var deeper in FilesBelow(below))
                {
                    yield return deeper;
                }
            }
        }
    }

    // Pipes and devices have no length, and are not opened.
    private static string? WhyNotText(string path, out TextFile file)
    {
        var target = TargetOf(new FileInfo(path));
        file = new TextFile(path, target?.Length ?? 0, target?.LastWriteTimeUtc ?? default);
        return target is null ? "a link that leads nowhere" : target.Length == 0 ? "empty" : TextFileReader.WhyBinary(path);
    }

    private static FileInfo? TargetOf(FileInfo file)
    {
        try
        {
            return file.ResolveLinkTarget(returnFinalTarget: true) is not { } target ? file : target.Exists ? (FileInfo)target : null;
        }
        catch (IOException)
        {
            return null; // Links in a circle.
        }
    }
}
