using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Ingot.Data;

/// <summary>
/// The first 128 bytes of a token file, little-endian. After them come the tokens, zeros up to a multiple of 8, and the documents' first
/// tokens as u64.
/// <code>
///   0  8 bytes  "INGOTTOK"
///   8  u32      version, 1
///  12  u32      bytes of a token: 2 if the vocabulary has at most 65,536 ids, or else 4
///  16  u64      number of tokens
///  24  u64      bytes of UTF-8 text that they stand for
///  32  u64      number of documents
///  40  u32      vocabulary size
///  44  u32      id of the end of text, or 0xFFFFFFFF
///  48  32 bytes the tokenizer's fingerprint
///  80  u32      CRC-32C of all that follows the header
///  84  40 bytes zero
/// 124  u32      CRC-32C of the header up to here
/// </code>
/// </summary>
internal readonly record struct TokenFileHeader(
    long TokenCount, long TextBytes, long DocumentCount, int VocabularySize, int? EndOfTextId, string TokenizerFingerprint, uint BodyCrc)
{
    public const int Size = 128;

    private const uint Version = 1;
    private const uint NoEndOfText = uint.MaxValue;

    private static ReadOnlySpan<byte> Magic => "INGOTTOK"u8;

    public int BytesPerToken => VocabularySize <= 1 << 16 ? 2 : 4;

    public long DocumentsOffset => (Size + (TokenCount * BytesPerToken) + 7) & ~7L;

    public long FileLength => DocumentsOffset + (8 * DocumentCount);

    public void Write(Span<byte> header)
    {
        header.Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], BytesPerToken);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], TokenCount);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], TextBytes);
        BinaryPrimitives.WriteInt64LittleEndian(header[32..], DocumentCount);
        BinaryPrimitives.WriteInt32LittleEndian(header[40..], VocabularySize);
        BinaryPrimitives.WriteUInt32LittleEndian(header[44..], (uint?)EndOfTextId ?? NoEndOfText);
        Convert.FromHexString(TokenizerFingerprint).CopyTo(header[48..]);
        BinaryPrimitives.WriteUInt32LittleEndian(header[80..], BodyCrc);
        BinaryPrimitives.WriteUInt32LittleEndian(header[124..], Crc(0, header[..124]));
    }

    /// <summary>Reads a header; <paramref name="problem"/> says what is wrong with it.</summary>
    public static bool TryRead(ReadOnlySpan<byte> header, out TokenFileHeader result, out string problem)
    {
        result = default;
        if (header.Length < Size || !header.StartsWith(Magic))
        {
            problem = "it is no token file";
            return false;
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) is var version and not Version)
        {
            problem = $"it has version {version} of the format, and this program reads version {Version}";
            return false;
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(header[124..]) != Crc(0, header[..124]))
        {
            problem = "its header is damaged";
            return false;
        }

        var endOfText = BinaryPrimitives.ReadUInt32LittleEndian(header[44..]);
        result = new TokenFileHeader(
            BinaryPrimitives.ReadInt64LittleEndian(header[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(header[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(header[32..]),
            BinaryPrimitives.ReadInt32LittleEndian(header[40..]),
            endOfText == NoEndOfText ? null : (int)endOfText,
            Convert.ToHexStringLower(header.Slice(48, 32)),
            BinaryPrimitives.ReadUInt32LittleEndian(header[80..]));

        // The CRC is no secret: a header may be well-formed and still make no sense.
        var limit = long.MaxValue / 16;
        if (result.TokenCount < 0 || result.TokenCount > limit || result.DocumentCount < 0 || result.DocumentCount > limit ||
            result.TextBytes < 0 || result.VocabularySize <= 0 || result.EndOfTextId >= result.VocabularySize || result.EndOfTextId < 0 ||
            BinaryPrimitives.ReadInt32LittleEndian(header[12..]) != result.BytesPerToken)
        {
            problem = "its header makes no sense";
            return false;
        }

        problem = "";
        return true;
    }

    /// <summary>CRC-32C, carried on from <paramref name="crc"/>, which is 0 at the beginning.</summary>
    public static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (var b in bytes[(bytes.Length & ~7)..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
