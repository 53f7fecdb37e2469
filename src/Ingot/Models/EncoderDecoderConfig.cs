using Ingot.Graphs;

namespace Ingot.Models;

/// <summary>
/// A model of two parts: an encoder reads a source, and a decoder writes a text whose tokens look at the source through cross-attention.
/// A family writes down three parts, from which training, encoding and decoding with caches are put together here.
/// </summary>
public abstract record EncoderDecoderConfig : ModelConfig
{
    /// <summary>model_type of the families that there are.</summary>
    public static IReadOnlyList<string> EncoderDecoderFamilies { get; } = ["marian", "m2m_100", "t5", "mt5"];

    /// <inheritdoc/>
    public sealed override ModelTask Task => ModelTask.Seq2seqLm;

    internal sealed override EncoderDecoderConfig EncoderDecoder => this;

    /// <summary>Whether every text begins with the token of its language (<see cref="Tokenizers.LanguageTokens"/>).</summary>
    public virtual bool HasLanguages => false;

    /// <summary>decoder_start_token_id: what a decoder's text begins with; it is not written.</summary>
    public int DecoderStart { get; init; }

    /// <summary>pad_token_id: what fills up shorter texts of a batch. It is never read here; null if the vocabulary has none.</summary>
    public int? Padding { get; init; }

    /// <summary>Number of blocks of the encoder; <see cref="ModelConfig.Layers"/> are those of the decoder.</summary>
    public abstract int EncoderBlocks { get; }

    /// <summary>Heads of the decoder's cross-attention, and the size of each.</summary>
    internal abstract (long Heads, long Size) CrossHeads { get; }

    /// <summary>Token ids of the context's decoder → hidden states [batch · length, width] after the last norm.</summary>
    /// <remarks>The sources are read by the encoder or, in a context with caches, were read before (<see cref="ReadSource"/>).</remarks>
    public sealed override Tensor Forward(ForwardContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.CacheCapacity > 0)
            return Decode(context, layer => context.SourceCache(layer, CrossHeads.Heads, CrossHeads.Size));
        var states = Encode(context);
        return Decode(context, layer => KeysAndValues(context, states, layer));
    }

    internal sealed override void ReadSource(ForwardContext context, long capacity)
    {
        var states = Encode(context);
        for (var layer = 0; layer < Layers; layer++)
        {
            var (keys, values) = KeysAndValues(context, states, layer);
            context.WriteSourceCache(layer, capacity, keys, values);
        }
    }

    /// <inheritdoc/>
    /// <remarks>With as many tokens in the source as in the target, which is what the rate is given for.</remarks>
    public override double TrainingFlopsPerToken(long length) =>
        (6.0 * DeclareParameters().Sum(p => p.Elements)) + (6.0 * Width * length * ((2 * EncoderBlocks) + (3 * Layers)));

    internal sealed override ForwardContext SmallestContext(Graph graph) => ForwardContext.WithSource(graph, 1, 1, 1);

    /// <summary>The sources of the context → the encoder's states [batch · source length, width].</summary>
    private protected abstract Tensor Encode(ForwardContext context);

    /// <summary>
    /// What a layer of the decoder takes from the encoder's states: keys and values [batch, source length, heads, head size].
    /// </summary>
    private protected abstract (Tensor Keys, Tensor Values) KeysAndValues(ForwardContext context, Tensor states, int layer);

    /// <summary>The decoder; <paramref name="source"/> gives keys and values of the source for each of its layers.</summary>
    private protected abstract Tensor Decode(ForwardContext context, Func<int, (Tensor Keys, Tensor Values)> source);
}
