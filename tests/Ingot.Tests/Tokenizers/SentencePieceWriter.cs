using System.Buffers.Binary;
using System.Text;

namespace Ingot.Tests.Tokenizers;

/// <summary>Writes SentencePiece .model files, by the message definitions of sentencepiece_model.proto.</summary>
internal sealed class SentencePieceWriter
{
    public List<(string Text, float Score, int Type)> Pieces { get; init; } = [];

    /// <summary>1 is Unigram, 2 is BPE.</summary>
    public int ModelType { get; init; } = 1;

    public bool ByteFallback { get; init; }

    public bool AddDummyPrefix { get; init; } = true;

    public bool RemoveExtraSpaces { get; init; } = true;

    public byte[] CharacterMap { get; init; } = [];

    public byte[] ToBytes()
    {
        var unk = Pieces.FindIndex(piece => piece.Type == 2);
        var eos = Pieces.FindIndex(piece => piece.Text == "</s>");
        var bos = Pieces.FindIndex(piece => piece.Text == "<s>");
        var pad = Pieces.FindIndex(piece => piece.Text == "<pad>");
        IEnumerable<byte[]> parts =
        [
            .. Pieces.Select(piece =>
                Bytes(1, [.. Bytes(1, Encoding.UTF8.GetBytes(piece.Text)), .. Float(2, piece.Score), .. Varint(3, piece.Type)])),
            Bytes(2, [
                .. Varint(3, ModelType), .. Varint(4, Pieces.Count), .. Varint(35, ByteFallback ? 1 : 0), .. Varint(40, unk),
                .. Varint(41, bos), .. Varint(42, eos), .. Varint(43, pad),
                .. Bytes(45, Encoding.UTF8.GetBytes(Name(unk, "<unk>"))), .. Bytes(46, Encoding.UTF8.GetBytes(Name(bos, "<s>"))),
                .. Bytes(47, Encoding.UTF8.GetBytes(Name(eos, "</s>"))), .. Bytes(48, Encoding.UTF8.GetBytes(Name(pad, "<pad>"))),
            ]),
            Bytes(3, [
                .. Bytes(1, "test"u8.ToArray()), .. Bytes(2, CharacterMap), .. Varint(3, AddDummyPrefix ? 1 : 0),
                .. Varint(4, RemoveExtraSpaces ? 1 : 0), .. Varint(5, 1),
            ]),
        ];
        return [.. parts.SelectMany(part => part)];
    }

    public static byte[] Bytes(int field, byte[] content) =>
        [.. Number(((ulong)field << 3) | 2), .. Number((ulong)content.Length), .. content];

    public static byte[] Varint(int field, long value) => [.. Number((ulong)field << 3), .. Number((ulong)value)];

    public static byte[] Float(int field, float value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        return [.. Number(((ulong)field << 3) | 5), .. bytes];
    }

    public static byte[] Number(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }

    private string Name(int id, string otherwise) => id >= 0 ? Pieces[id].Text : otherwise;
}
