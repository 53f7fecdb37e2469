using System.Text;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers;

/// <summary>A token of a chunk of text.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">Where it begins in the chunk, in code points.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Word">The number of its word in the chunk.</param>
internal readonly record struct ChunkToken(int Id, int Start, int End, int Word);

/// <summary>
/// Encodes text chunk by chunk (<see cref="SpacedChunks"/>) with parts that go by chunks, and remembers what chunks became. One object
/// serves one thread at a time.
/// </summary>
internal sealed class ChunkEncoder
{
    private const int RememberedBytes = 2 << 20;

    private readonly Action<AlignedText, List<ChunkToken>> _encode;
    private readonly Remembered<ChunkToken> _chunks = new(RememberedBytes);
    private readonly Remembered<ChunkToken>.Appender _append;
    private readonly List<ChunkToken> _long = [];

    /// <param name="encode">Appends the tokens of a text that is not normalized yet, and holds no added tokens.</param>
    public ChunkEncoder(Action<AlignedText, List<ChunkToken>> encode)
    {
        _encode = encode;
        _append = Append;
    }

    /// <summary>The tokens of a chunk; the span is good until the next call.</summary>
    public ReadOnlySpan<ChunkToken> Encode(ReadOnlySpan<byte> chunk)
    {
        if (chunk.Length > Remembered<ChunkToken>.Longest)
        {
            _long.Clear();
            Append(chunk, _long);
            return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_long);
        }

        return _chunks.TryGet(chunk, out var known) ? known : _chunks.Add(chunk, _append);
    }

    private void Append(ReadOnlySpan<byte> chunk, List<ChunkToken> tokens) =>
        _encode(AlignedText.Of(Encoding.UTF8.GetString(chunk)), tokens);
}
