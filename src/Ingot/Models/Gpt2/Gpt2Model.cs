using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models.Gpt2;

/// <summary>
/// GPT-2 (Radford et al. 2019): pre-norm decoder with learned positions, biases and, as published, a head tied to the token
/// table. Weights of linear layers lie as [inputs, outputs], as in its files.
/// </summary>
internal static class Gpt2Model
{
    public static Tensor TokenTable(Graph g, Gpt2Config c)
    {
        using (g.ScopeOf("transformer.wte"))
            return g.Parameter("weight", [c.VocabSize, c.Embedding], new Initializer.Normal(c.InitializerRange));
    }

    public static Tensor Head(Graph g, Gpt2Config c)
    {
        if (c.TieWordEmbeddings)
            return TokenTable(g, c).Transposed();
        using (g.ScopeOf("lm_head"))
            return g.Parameter("weight", [c.VocabSize, c.Embedding], new Initializer.Normal(c.InitializerRange)).Transposed();
    }

    /// <summary>What lies between the last block and the head.</summary>
    public static Tensor BeforeHead(Tensor x, Gpt2Config c)
    {
        using (x.Graph.ScopeOf("transformer"))
            return Norm.LayerNorm(x, "ln_f", c.LayerNormEpsilon);
    }

    public static Tensor Forward(ForwardContext context, Gpt2Config c)
    {
        var g = context.Graph;
        var normal = new Initializer.Normal(c.InitializerRange);
        // What a block adds to the residual stream starts smaller, so that depth does not make the stream grow (section 2.3).
        var residual = new Initializer.Normal(c.InitializerRange / Math.Sqrt(2.0 * c.LayerCount));

        using (g.Scope("transformer"))
        {
            var x = context.Embed(TokenTable(g, c));
            using (g.Scope("wpe"))
                x += Embedding.Apply(context.Positions ?? context.Counting(context.Length),
                    g.Parameter("weight", [c.Positions, c.Embedding], normal));
            x = context.Hidden(context.Dropout(x, c.Dropout));
            for (var layer = 0; layer < c.LayerCount; layer++)
            {
                using (g.Scope($"h.{layer}"))
                {
                    x += context.Dropout(SelfAttention(Norm.LayerNorm(x, "ln_1", c.LayerNormEpsilon)), c.Dropout);
                    x = context.Hidden(x + context.Dropout(FeedForward(Norm.LayerNorm(x, "ln_2", c.LayerNormEpsilon)), c.Dropout));
                }
            }

            return BeforeHead(x, c);
        }

        Tensor SelfAttention(Tensor x)
        {
            using (g.Scope("attn"))
            {
                var qkv = Linear.Apply(x, 3L * c.Embedding, "c_attn", normal, layout: WeightLayout.InOut);
                var heads = qkv.SplitLast(c.Embedding, c.Embedding, c.Embedding)
                    .Select(t => t.View(context.Batch, context.Length, c.Heads, c.Embedding / c.Heads)).ToArray();
                var y = context.SelfAttention(heads[0], heads[1], heads[2], new AttentionMask(Causal: true));
                return Linear.Apply(y.View(x.Shape[0], c.Embedding), c.Embedding, "c_proj", residual, layout: WeightLayout.InOut);
            }
        }

        Tensor FeedForward(Tensor x)
        {
            using (g.Scope("mlp"))
            {
                var hidden = Linear.Apply(x, c.Inner ?? (4L * c.Embedding), "c_fc", normal, layout: WeightLayout.InOut);
                return Linear.Apply(Activation.Apply(hidden, c.Activation), c.Embedding, "c_proj", residual, layout: WeightLayout.InOut);
            }
        }
    }
}
