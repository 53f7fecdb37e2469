using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Decoders;

/// <summary>Characters that stand for bytes become those bytes (<see cref="ByteSymbols"/>). Other tokens are text as they are.</summary>
internal sealed class ByteLevelDecoder(bool addPrefixSpace, bool trimOffsets, bool useRegex) : TokenDecoder
{
    public override string Type => "ByteLevel";

    // The members are those of the pre-tokenizer; here they change nothing.
    public static ByteLevelDecoder Read(JsonPart json) =>
        new(json.Flag("add_prefix_space", true), json.Flag("trim_offsets", true), json.Flag("use_regex", true));

    public override List<string> Decode(List<string> tokens)
    {
        var utf8 = new ArrayBufferWriter<byte>();
        foreach (var token in tokens)
        {
            utf8.Write(Bytes(token));
        }

        return [Encoding.UTF8.GetString(utf8.WrittenSpan)];
    }

    /// <summary>The bytes of one token.</summary>
    public static byte[] Bytes(string token) => ByteSymbols.ToBytes(token) ?? Encoding.UTF8.GetBytes(token);

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", trimOffsets);
        json.WriteBoolean("use_regex", useRegex);
    }
}

/// <summary>Runs of &lt;0x00&gt; … &lt;0xFF&gt; become the characters that their bytes are; if they are none, each is U+FFFD.</summary>
internal sealed class ByteFallback : TokenDecoder
{
    public override string Type => "ByteFallback";

    public override List<string> Decode(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (ByteOf(token) is { } b)
            {
                bytes.Add(b);
            }
            else
            {
                Flush();
                result.Add(token);
            }
        }

        Flush();
        return result;

        void Flush()
        {
            if (bytes.Count > 0 && System.Text.Unicode.Utf8.IsValid([.. bytes]))
            {
                result.Add(Encoding.UTF8.GetString([.. bytes]));
            }
            else
            {
                result.AddRange(Enumerable.Repeat("\ufffd", bytes.Count));
            }

            bytes.Clear();
        }
    }

    private static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var b)
            ? b
            : null;
}
