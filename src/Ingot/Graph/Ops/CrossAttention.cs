namespace Ingot.Graphs.Ops;

/// <summary>
/// Attention of a decoder's tokens over the tokens of a source: no key is hidden but the padding behind the source's end, and numbers of
/// queries and keys are independent of each other. It runs on the kernels of <see cref="Attention"/>, and in its gradient, too, no
/// matrix of queries by keys ever exists.
/// </summary>
public static class CrossAttention
{
    /// <summary>softmax(q kᵀ · scale) v over the tokens of each source.</summary>
    /// <param name="q">Queries of the decoder, [B, T, H, D].</param>
    /// <param name="k">Keys of the source, [B, S, KV, D], H a multiple of KV.</param>
    /// <param name="v">Values of the source, of the shape of the keys.</param>
    /// <param name="sourceLengths">[B] int32, read at run time: keys of each source that count; a source of none gives 0.</param>
    /// <param name="scale">Factor on q·k; 0 for 1/sqrt(D).</param>
    /// <returns>[B, T, H, D], dense.</returns>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, Tensor sourceLengths, double scale = 0) =>
        Attention.Apply(q, k, v, new AttentionMask(Causal: false), keyLengths: sourceLengths, scale: scale);
}
