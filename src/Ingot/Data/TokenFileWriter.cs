using System.Buffers.Binary;
using Ingot.Tokenizers;

namespace Ingot.Data;

/// <summary>
/// Writes a token file: beside its name first, flushed to the disk and renamed by <see cref="Complete"/>. Without it nothing stays behind.
/// </summary>
public sealed class TokenFileWriter : IDisposable
{
    private const int BlockSize = 1 << 16;

    private readonly string _path;
    private readonly string _partialPath;
    private readonly FileStream _stream;
    private readonly List<long> _documentStarts = [];
    private readonly byte[] _block = new byte[BlockSize]; // Full blocks keep the checksum on words of eight bytes.
    private TokenFileHeader _header;
    private int _blockLength;
    private uint _crc;

    /// <summary>Begins a file of the tokenizer's tokens.</summary>
    /// <exception cref="IOException">The file cannot be made, or another process is writing it.</exception>
    public TokenFileWriter(string path, Tokenizer tokenizer)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tokenizer);
        _path = path;
        _partialPath = path + ".partial";
        _header = new TokenFileHeader(0, 0, 0, tokenizer.VocabularySize, tokenizer.EndOfTextId, tokenizer.Fingerprint, 0);

        // One name for all writers, held by one at a time: what a killed one left is overwritten by the next.
        _stream = new FileStream(_partialPath, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        _stream.Write(new byte[TokenFileHeader.Size]);
    }

    /// <summary>Tokens so far.</summary>
    public long TokenCount => _header.TokenCount;

    /// <summary>Says that the next token is the first of a document.</summary>
    public void BeginDocument() => _documentStarts.Add(_header.TokenCount);

    /// <summary>Appends tokens.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="textBytes">How many bytes of UTF-8 text they stand for.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    /// <exception cref="IOException">The disk is full, or fails.</exception>
    public void Append(ReadOnlySpan<int> ids, long textBytes)
    {
        var width = _header.BytesPerToken;
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)_header.VocabularySize)
            {
                throw new ArgumentOutOfRangeException(nameof(ids), id, $"{_path}: token {id} is not below {_header.VocabularySize}.");
            }

            if (width == 2)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(_block.AsSpan(_blockLength), (ushort)id);
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(_block.AsSpan(_blockLength), id);
            }

            Advance(width);
        }

        _header = _header with { TokenCount = _header.TokenCount + ids.Length, TextBytes = _header.TextBytes + textBytes };
    }

    /// <summary>Finishes the file and gives it its name.</summary>
    /// <exception cref="IOException">The disk is full, or fails.</exception>
    public void Complete()
    {
        var padding = (int)(_header.DocumentsOffset - TokenFileHeader.Size - (_header.TokenCount * _header.BytesPerToken));
        _block.AsSpan(_blockLength, padding).Clear();
        Advance(padding);
        foreach (var start in _documentStarts)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(_blockLength), start);
            Advance(sizeof(long));
        }

        WriteBlock();
        var header = new byte[TokenFileHeader.Size];
        (_header with { DocumentCount = _documentStarts.Count, BodyCrc = _crc }).Write(header);
        Writing(() =>
        {
            _stream.Seek(0, SeekOrigin.Begin);
            _stream.Write(header);
            _stream.Flush(flushToDisk: true);
        });
        _stream.Dispose();
        File.Move(_partialPath, _path, overwrite: true);
    }

    /// <summary>Removes the file if it was not completed.</summary>
    public void Dispose()
    {
        if (_stream.CanWrite)
        {
            File.Delete(_partialPath);
            _stream.Dispose();
        }
    }

    private void Advance(int bytes)
    {
        _blockLength += bytes;
        if (_blockLength == BlockSize)
        {
            WriteBlock();
        }
    }

    private void WriteBlock()
    {
        _crc = TokenFileHeader.Crc(_crc, _block.AsSpan(0, _blockLength));
        Writing(() => _stream.Write(_block, 0, _blockLength));
        _blockLength = 0;
    }

    private void Writing(Action write)
    {
        try
        {
            write();
        }
        catch (IOException e)
        {
            throw new IOException($"{_path}: writing the tokens failed after {_stream.Position} bytes. {e.Message}", e);
        }
    }
}
