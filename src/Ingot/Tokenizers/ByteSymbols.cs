using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// GPT-2's writing of bytes as printable characters, which the vocabulary files use: 33–126, 161–172 and 174–255 stand for
/// themselves, and the other 68 bytes, in order, are U+0100, U+0101 … (so a space is "Ġ" and a newline "Ċ").
/// </summary>
internal static class ByteSymbols
{
    private static readonly char[] SymbolOfByte = MakeSymbols();
    private static readonly short[] ByteOfSymbol = MakeInverse();

    /// <summary>
    /// All 256 bytes in the order of their symbols' code points. Trained vocabularies begin with them in this order, and GPT-2's does.
    /// </summary>
    public static byte[] InSymbolOrder() =>
        [.. Enumerable.Range(0, 256).Select(b => (byte)b).OrderBy(b => SymbolOfByte[b])];

    /// <summary>The character that a byte is written as.</summary>
    public static char ToSymbol(byte b) => SymbolOfByte[b];

    /// <summary>Writes the bytes of a token as a vocabulary file does.</summary>
    public static string ToSymbols(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (var b in bytes)
        {
            text.Append(SymbolOfByte[b]);
        }

        return text.ToString();
    }

    /// <summary>Reads a token of a vocabulary file; null if one of its characters is no byte's symbol.</summary>
    public static byte[]? ToBytes(ReadOnlySpan<char> symbols)
    {
        var bytes = new byte[symbols.Length];
        for (var i = 0; i < symbols.Length; i++)
        {
            if (symbols[i] >= ByteOfSymbol.Length || ByteOfSymbol[symbols[i]] < 0)
            {
                return null;
            }

            bytes[i] = (byte)ByteOfSymbol[symbols[i]];
        }

        return bytes;
    }

    private static char[] MakeSymbols()
    {
        var symbols = new char[256];
        var next = (char)256;
        for (var b = 0; b < 256; b++)
        {
            symbols[b] = b is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174) ? (char)b : next++;
        }

        return symbols;
    }

    private static short[] MakeInverse()
    {
        var inverse = new short[SymbolOfByte.Max() + 1];
        Array.Fill(inverse, (short)-1);
        for (var b = 0; b < 256; b++)
        {
            inverse[SymbolOfByte[b]] = (short)b;
        }

        return inverse;
    }
}
