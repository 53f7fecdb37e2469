using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models.T5;

/// <summary>
/// T5 (Raffel et al. 2020): a pre-norm encoder-decoder with RMSNorm, without biases of linear layers and without positions of tokens: a
/// score gets what its head has learned for the distance of key and query, and q·k is not scaled. Weights of linear layers lie as
/// [outputs, inputs], as in the files.
/// </summary>
internal static class T5Model
{
    public static Tensor Head(Graph g, T5Config c)
    {
        if (c.TieWordEmbeddings)
            return TokenTable(g, c).Transposed();
        using (g.ScopeOf("lm_head"))
            return g.Parameter("weight", [c.VocabSize, c.ModelWidth], Normal(c, 1)).Transposed();
    }

    public static Tensor Encode(ForwardContext context, T5Config c)
    {
        var g = context.Graph;
        var x = context.Dropout(context.EmbedSource(TokenTable(g, c)), c.Dropout);
        var bias = DistanceBias(g, "encoder", bothSides: true, c);
        for (var layer = 0; layer < c.EncoderLayers; layer++)
        {
            using (g.ScopeOf($"encoder.block.{layer}"))
            {
                x = SubLayer(context, x, 0, "SelfAttention", SelfAttention, c);
                x = SubLayer(context, x, 1, "DenseReluDense", y => FeedForward(context, y, c), c);
            }
        }

        return LastNorm(context, x, "encoder", c);

        Tensor SelfAttention(Tensor y) => Merge(context.SourceAttention(Heads(context, y, context.SourceLength, "q", c),
            Heads(context, y, context.SourceLength, "k", c), Heads(context, y, context.SourceLength, "v", c), scale: 1, bias), c);
    }

    /// <summary>What a layer of the decoder takes from the encoder's states.</summary>
    public static (Tensor Keys, Tensor Values) KeysAndValues(ForwardContext context, Tensor states, int layer, T5Config c)
    {
        using (context.Graph.ScopeOf($"decoder.block.{layer}.layer.1.EncDecAttention"))
            return (Heads(context, states, context.SourceLength, "k", c), Heads(context, states, context.SourceLength, "v", c));
    }

    public static Tensor Decode(ForwardContext context, Func<int, (Tensor Keys, Tensor Values)> source, T5Config c)
    {
        var g = context.Graph;
        var x = context.Hidden(context.Dropout(context.Embed(TokenTable(g, c)), c.Dropout));
        var bias = DistanceBias(g, "decoder", bothSides: false, c);
        for (var layer = 0; layer < c.DecoderLayers; layer++)
        {
            var (keys, values) = source(layer);
            using (g.ScopeOf($"decoder.block.{layer}"))
            {
                x = SubLayer(context, x, 0, "SelfAttention", SelfAttention, c);
                x = SubLayer(context, x, 1, "EncDecAttention", y => LookAtSource(y, keys, values), c);
                x = context.Hidden(SubLayer(context, x, 2, "DenseReluDense", y => FeedForward(context, y, c), c));
            }
        }

        return BeforeHead(context, x, c);

        Tensor SelfAttention(Tensor y) => Merge(context.SelfAttention(Heads(context, y, context.Length, "q", c),
            Heads(context, y, context.Length, "k", c), Heads(context, y, context.Length, "v", c), new AttentionMask(Causal: true), scale: 1,
            bias), c);

        Tensor LookAtSource(Tensor y, Tensor keys, Tensor values) => Merge(
            CrossAttention.Apply(Heads(context, y, context.Length, "q", c), keys, values, context.SourceLengths!, scale: 1), c);
    }

    /// <summary>What lies between the decoder's last block and the head.</summary>
    public static Tensor BeforeHead(ForwardContext context, Tensor x, T5Config c)
    {
        x = LastNorm(context, x, "decoder", c);
        return c.TieWordEmbeddings ? Elementwise.Scale(x, 1 / Math.Sqrt(c.ModelWidth)) : x;
    }

    /// <summary>
    /// The bucket of a key so far behind its query (section 2.1): near distances have one each, farther ones share buckets that grow with
    /// the distance's logarithm, and all from <see cref="T5Config.MaxDistance"/> on have the last one. The encoder has half of the buckets
    /// for either side; the decoder sees nothing behind a query.
    /// </summary>
    internal static int Bucket(int distance, bool bothSides, T5Config c)
    {
        var buckets = bothSides ? c.Buckets / 2 : c.Buckets;
        var first = bothSides && distance > 0 ? buckets : 0;
        var far = bothSides ? Math.Abs(distance) : Math.Max(0, -distance);
        var exact = buckets / 2;
        if (far < exact)
            return first + far;
        // In single precision, as published models were trained.
        var share = MathF.Log((float)far / exact) / (float)Math.Log((double)c.MaxDistance / exact);
        return first + Math.Min(buckets - 1, exact + (int)(share * (buckets - exact)));
    }

    /// <summary>
    /// What is added to scores by distance, [2 · max distance + 1, heads]: the first layer's buckets, for all layers of a stack.
    /// </summary>
    private static Tensor DistanceBias(Graph g, string stack, bool bothSides, T5Config c)
    {
        Tensor table;
        using (g.ScopeOf($"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias"))
            table = g.Parameter("weight", [c.Buckets, c.Heads], Normal(c, c.ModelWidth));
        var buckets = new int[(2 * c.MaxDistance) + 1];
        for (var i = 0; i < buckets.Length; i++)
            buckets[i] = Bucket(i - c.MaxDistance, bothSides, c);
        using (g.ScopeOf(stack))
        {
            return Embedding.Apply(g.Constant("buckets", DType.I32, MemoryMarshal.AsBytes<int>(buckets).ToArray(), buckets.Length), table);
        }
    }

    private static Tensor TokenTable(Graph g, T5Config c)
    {
        using (g.ScopeOf("shared"))
            return g.Parameter("weight", [c.VocabSize, c.ModelWidth], Normal(c, 1));
    }

    /// <summary>A part of a block with its norm and residual connection; it lies in "layer.NUMBER".</summary>
    private static Tensor SubLayer(ForwardContext context, Tensor x, int number, string name, Func<Tensor, Tensor> compute, T5Config c)
    {
        var y = Norm.RmsNorm(x, $"layer.{number}.layer_norm", c.LayerNormEpsilon, new Initializer.Constant(c.InitializerFactor));
        using (context.Graph.Scope($"layer.{number}.{name}"))
            y = compute(y);
        return x + context.Dropout(y, c.Dropout);
    }

    private static Tensor LastNorm(ForwardContext context, Tensor x, string stack, T5Config c)
    {
        using (context.Graph.ScopeOf(stack))
        {
            var y = Norm.RmsNorm(x, "final_layer_norm", c.LayerNormEpsilon, new Initializer.Constant(c.InitializerFactor));
            return context.Dropout(y, c.Dropout);
        }
    }

    private static Tensor Heads(ForwardContext context, Tensor x, long length, string name, T5Config c)
    {
        // Queries start so small that scores need no factor.
        var inputs = name == "q" ? (double)c.ModelWidth * c.HeadSize : c.ModelWidth;
        return Linear.Apply(x, (long)c.Heads * c.HeadSize, name, Normal(c, inputs), bias: false)
            .View(context.Batch, length, c.Heads, c.HeadSize);
    }

    private static Tensor Merge(Tensor y, T5Config c)
    {
        var inner = (long)c.Heads * c.HeadSize;
        return Linear.Apply(y.View(y.Elements / inner, inner), c.ModelWidth, "o", Normal(c, inner), bias: false);
    }

    private static Tensor FeedForward(ForwardContext context, Tensor x, T5Config c)
    {
        Tensor Inner(string name) => Linear.Apply(x, c.Inner, name, Normal(c, c.ModelWidth), bias: false);
        var hidden = c.IsGated
            ? Elementwise.Multiply(Activation.Apply(Inner("wi_0"), c.Activation), Inner("wi_1"))
            : Activation.Apply(Inner("wi"), c.Activation);
        return Linear.Apply(context.Dropout(hidden, c.Dropout), c.ModelWidth, "wo", Normal(c, c.Inner), bias: false);
    }

    /// <summary>A normal distribution of variance factor² / inputs (Mesh TensorFlow's).</summary>
    private static Initializer.Normal Normal(T5Config c, double inputs) => new(c.InitializerFactor / Math.Sqrt(inputs));
}
