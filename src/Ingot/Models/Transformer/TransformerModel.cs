using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models.Transformer;

/// <summary>
/// The encoder-decoder Transformer (Vaswani et al. 2017), post-norm as published or pre-norm. Weights of linear layers lie as [outputs,
/// inputs], as in the files.
/// </summary>
internal static class TransformerModel
{
    private const double Epsilon = 1e-5;

    public static Tensor TokenTable(Graph g, TransformerConfig c)
    {
        using (g.ScopeOf("model.shared"))
            return g.Parameter("weight", [c.VocabSize, c.ModelWidth], new Initializer.Normal(c.InitStd));
    }

    public static Tensor Encode(ForwardContext context, TransformerConfig c)
    {
        var g = context.Graph;
        using (g.ScopeOf("model.encoder"))
        {
            var positions = context.Counting(context.SourceLength);
            var x = Embed(context, context.EmbedSource(TokenTable(g, c)), positions, context.SourceLength, c);
            for (var layer = 0; layer < c.EncoderLayers; layer++)
            {
                using (g.Scope($"layers.{layer}"))
                {
                    x = SubLayer(context, x, "self_attn_layer_norm", SelfAttention, c);
                    x = SubLayer(context, x, "final_layer_norm", y => FeedForward(y, c.EncoderInner, c), c);
                }
            }

            return c.PreNorm ? Norm.LayerNorm(x, "layer_norm", Epsilon) : x;
        }

        Tensor SelfAttention(Tensor x)
        {
            using (g.Scope("self_attn"))
            {
                Tensor Heads(string name) =>
                    Project(x, name, c).View(context.Batch, context.SourceLength, c.EncoderHeads, c.ModelWidth / c.EncoderHeads);
                var y = context.SourceAttention(Heads("q_proj"), Heads("k_proj"), Heads("v_proj"));
                return Project(y.View(x.Shape[0], c.ModelWidth), "out_proj", c);
            }
        }
    }

    /// <summary>What a layer of the decoder takes from the encoder's states.</summary>
    public static (Tensor Keys, Tensor Values) KeysAndValues(ForwardContext context, Tensor states, int layer, TransformerConfig c)
    {
        var (heads, size) = c.CrossHeads;
        using (context.Graph.ScopeOf($"model.decoder.layers.{layer}.encoder_attn"))
        {
            return (Project(states, "k_proj", c).View(context.Batch, context.SourceLength, heads, size),
                Project(states, "v_proj", c).View(context.Batch, context.SourceLength, heads, size));
        }
    }

    public static Tensor Decode(ForwardContext context, Func<int, (Tensor Keys, Tensor Values)> source, TransformerConfig c)
    {
        var g = context.Graph;
        using (g.ScopeOf("model.decoder"))
        {
            // Only as many positions as this pass can meet: its own length, or with a cache the cache's.
            var most = Math.Max(context.Length, context.CacheCapacity);
            var x = context.Hidden(Embed(context, context.Embed(TokenTable(g, c)), context.Positions ?? context.Counting(context.Length),
                most, c));
            for (var layer = 0; layer < c.DecoderLayers; layer++)
            {
                using (g.Scope($"layers.{layer}"))
                {
                    var (keys, values) = source(layer);
                    x = SubLayer(context, x, "self_attn_layer_norm", SelfAttention, c);
                    x = SubLayer(context, x, "encoder_attn_layer_norm", y => LookAtSource(y, keys, values), c);
                    x = context.Hidden(SubLayer(context, x, "final_layer_norm", y => FeedForward(y, c.DecoderInner, c), c));
                }
            }

            return BeforeHead(x, c);
        }

        Tensor SelfAttention(Tensor x)
        {
            using (g.Scope("self_attn"))
            {
                var y = context.SelfAttention(Heads(x, "q_proj"), Heads(x, "k_proj"), Heads(x, "v_proj"), new AttentionMask(Causal: true));
                return Project(y.View(x.Shape[0], c.ModelWidth), "out_proj", c);
            }
        }

        Tensor LookAtSource(Tensor x, Tensor keys, Tensor values)
        {
            using (g.Scope("encoder_attn"))
            {
                var y = CrossAttention.Apply(Heads(x, "q_proj"), keys, values, context.SourceLengths!);
                return Project(y.View(x.Shape[0], c.ModelWidth), "out_proj", c);
            }
        }

        Tensor Heads(Tensor x, string name) =>
            Project(x, name, c).View(context.Batch, context.Length, c.DecoderHeads, c.ModelWidth / c.DecoderHeads);
    }

    /// <summary>What lies between the decoder's last block and the head.</summary>
    public static Tensor BeforeHead(Tensor x, TransformerConfig c)
    {
        using (x.Graph.ScopeOf("model.decoder"))
            return c.PreNorm ? Norm.LayerNorm(x, "layer_norm", Epsilon) : x;
    }

    private static Tensor Embed(ForwardContext context, Tensor x, Tensor positions, long most, TransformerConfig c)
    {
        if (c.ScaleEmbedding)
            x = Elementwise.Scale(x, Math.Sqrt(c.ModelWidth));
        return context.Dropout(x + Embedding.Apply(positions, PositionTable(context.Graph, most, c)), c.Dropout);
    }

    /// <summary>Rows for positions of a text, [count, width]: the sines of all frequencies, then the cosines.</summary>
    private static Tensor PositionTable(Graph g, long count, TransformerConfig c)
    {
        var half = c.ModelWidth / 2;
        var table = new float[count * c.ModelWidth];
        for (var position = 0; position < count; position++)
        {
            for (var pair = 0; pair < half; pair++)
            {
                var (sin, cos) = Math.SinCos((position + c.FirstPosition) * c.Frequency(pair));
                table[(position * c.ModelWidth) + pair] = (float)sin;
                table[(position * c.ModelWidth) + half + pair] = (float)cos;
            }
        }

        var bytes = g.ComputeType == DType.F32
            ? MemoryMarshal.AsBytes<float>(table)
            : MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(table, Bf16.Round));
        return g.Constant("embed_positions", g.ComputeType, bytes.ToArray(), count, c.ModelWidth);
    }

    /// <summary>A part of a block with its residual connection and norm.</summary>
    private static Tensor SubLayer(ForwardContext context, Tensor x, string norm, Func<Tensor, Tensor> compute, TransformerConfig c) =>
        c.PreNorm
            ? x + context.Dropout(compute(Norm.LayerNorm(x, norm, Epsilon)), c.Dropout)
            : Norm.LayerNorm(x + context.Dropout(compute(x), c.Dropout), norm, Epsilon);

    private static Tensor FeedForward(Tensor x, int inner, TransformerConfig c)
    {
        var hidden = Linear.Apply(x, inner, "fc1", new Initializer.Normal(c.InitStd));
        return Linear.Apply(Activation.Apply(hidden, c.Activation), c.ModelWidth, "fc2", new Initializer.Normal(c.InitStd));
    }

    private static Tensor Project(Tensor x, string name, TransformerConfig c) =>
        Linear.Apply(x, c.ModelWidth, name, new Initializer.Normal(c.InitStd));
}
