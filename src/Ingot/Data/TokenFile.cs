using System.IO.MemoryMappedFiles;

namespace Ingot.Data;

/// <summary>
/// A file of tokens, mapped into memory: it may be far larger than the memory, opens at once, and all readers share it. Thread-safe.
/// Nobody may shorten the file while it is open (the system would end the process); to replace it, rename another into its place.
/// </summary>
public sealed unsafe class TokenFile : IDisposable
{
    private readonly TokenFileHeader _header;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;

    private TokenFile(string path, TokenFileHeader header, MemoryMappedFile map)
    {
        Path = path;
        _header = header;
        _map = map;
        _view = map.CreateViewAccessor(0, header.FileLength, MemoryMappedFileAccess.Read);
    }

    /// <summary>The file's full path.</summary>
    public string Path { get; }

    /// <summary>How many tokens it holds.</summary>
    public long TokenCount => _header.TokenCount;

    /// <summary>How many bytes of UTF-8 text the tokens stand for; with the loss in nats this gives bits per byte.</summary>
    public long TextBytes => _header.TextBytes;

    /// <summary>All tokens are below this.</summary>
    public int VocabularySize => _header.VocabularySize;

    /// <summary>The token that ends a document, if there is one.</summary>
    public int? EndOfTextId => _header.EndOfTextId;

    /// <summary>The <see cref="Tokenizers.Tokenizer.Fingerprint"/> of the tokenizer that made the tokens.</summary>
    public string TokenizerFingerprint => _header.TokenizerFingerprint;

    /// <summary>How many documents the tokens are from.</summary>
    public long DocumentCount => _header.DocumentCount;

    /// <summary>Bytes of a token in the file, 2 or 4.</summary>
    public int BytesPerToken => _header.BytesPerToken;

    /// <summary>Opens a file and checks it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="verify">
    /// Whether to read it all, at the disk's speed, and compare its checksum; otherwise only its form is checked.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no token file, truncated or damaged.</exception>
    public static TokenFile Open(string path, bool verify = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        MemoryMappedFile map;
        TokenFileHeader header;
        try
        {
            var bytes = new byte[TokenFileHeader.Size];
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (!TokenFileHeader.TryRead(bytes.AsSpan(0, length), out header, out var problem))
            {
                throw Damaged(path, problem);
            }

            if (stream.Length != header.FileLength)
            {
                throw Damaged(path, $"it has {stream.Length} bytes and should have {header.FileLength}");
            }

            map = MemoryMappedFile.CreateFromFile(
                stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        }
        catch
        {
            stream.Dispose();
            throw;
        }

        var file = new TokenFile(path, header, map);
        try
        {
            file.CheckDocuments();
            if (verify)
            {
                file.CheckBody();
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies tokens.</summary>
    /// <param name="start">The first one's place.</param>
    /// <param name="destination">Takes as many as it is long.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    /// <exception cref="InvalidDataException">A token is outside the vocabulary: the file is damaged.</exception>
    public void Read(long start, Span<int> destination)
    {
        if (start < 0 || destination.Length > TokenCount - start)
        {
            throw new ArgumentOutOfRangeException(
                nameof(start), start, $"{Path}: {destination.Length} tokens from {start} on are not inside its {TokenCount}.");
        }

        // Held while it is read: another thread may dispose of the file.
        var handle = _view.SafeMemoryMappedViewHandle;
        var held = false;
        try
        {
            handle.DangerousAddRef(ref held);
            var tokens = (byte*)handle.DangerousGetHandle() + TokenFileHeader.Size + (start * BytesPerToken);
            if (BytesPerToken == 2)
            {
                Widen(new ReadOnlySpan<ushort>(tokens, destination.Length), destination);
            }
            else
            {
                new ReadOnlySpan<int>(tokens, destination.Length).CopyTo(destination);
            }
        }
        finally
        {
            if (held)
            {
                handle.DangerousRelease();
            }
        }

        foreach (var token in destination)
        {
            if ((uint)token >= (uint)VocabularySize)
            {
                throw Damaged(Path, $"among the tokens from {start} on is {token}, outside the vocabulary of {VocabularySize}");
            }
        }
    }

    /// <summary>The place of a document's first token.</summary>
    /// <param name="document">The document's number, from 0 on.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such document.</exception>
    public long DocumentStart(long document)
    {
        if ((ulong)document >= (ulong)DocumentCount)
        {
            throw new ArgumentOutOfRangeException(nameof(document), document, $"{Path}: it has {DocumentCount} documents.");
        }

        return _view.ReadInt64(_header.DocumentsOffset + (sizeof(long) * document));
    }

    /// <summary>The first document that begins at a token or behind it; <see cref="DocumentCount"/> if there is none.</summary>
    public long FirstDocumentFrom(long token)
    {
        var (low, high) = (0L, DocumentCount);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            if (DocumentStart(middle) < token)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
    }

    private static void Widen(ReadOnlySpan<ushort> from, Span<int> to)
    {
        for (var i = 0; i < from.Length; i++)
        {
            to[i] = from[i];
        }
    }

    private void CheckDocuments()
    {
        var previous = 0L;
        for (var document = 0L; document < DocumentCount; document++)
        {
            var start = DocumentStart(document);
            if (start < previous || start > TokenCount)
            {
                throw Damaged(Path, $"document {document} begins at token {start}, which cannot be");
            }

            previous = start;
        }
    }

    private void CheckBody()
    {
        const int blockSize = 1 << 20;
        var crc = 0U;
        var handle = _view.SafeMemoryMappedViewHandle;
        var body = (byte*)handle.DangerousGetHandle();
        for (long at = TokenFileHeader.Size; at < _header.FileLength; at += blockSize)
        {
            crc = TokenFileHeader.Crc(crc, new ReadOnlySpan<byte>(body + at, (int)Math.Min(blockSize, _header.FileLength - at)));
        }

        if (crc != _header.BodyCrc)
        {
            throw Damaged(Path, "its checksum is wrong");
        }
    }

    private static InvalidDataException Damaged(string path, string problem) =>
        new($"{path}: {problem}. Delete it, and it is made anew from the text.");
}
