using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models.Llama;

/// <summary>
/// Llama (Touvron et al. 2023): pre-norm decoder with RMSNorm, rotary positions, grouped-query attention and SwiGLU. Qwen2 and
/// Qwen3 are settings of it. Weights of linear layers lie as [outputs, inputs], as in the files.
/// </summary>
internal static class LlamaModel
{
    public static Tensor TokenTable(Graph g, LlamaConfig c)
    {
        using (g.ScopeOf("model.embed_tokens"))
            return g.Parameter("weight", [c.VocabSize, c.HiddenSize], new Initializer.Normal(c.InitializerRange));
    }

    public static Tensor Head(Graph g, LlamaConfig c)
    {
        if (c.TieWordEmbeddings)
            return TokenTable(g, c).Transposed();
        using (g.ScopeOf("lm_head"))
            return g.Parameter("weight", [c.VocabSize, c.HiddenSize], new Initializer.Normal(c.InitializerRange)).Transposed();
    }

    /// <summary>What lies between the last block and the head.</summary>
    public static Tensor BeforeHead(Tensor x, LlamaConfig c)
    {
        using (x.Graph.ScopeOf("model"))
            return Norm.RmsNorm(x, "norm", c.RmsNormEpsilon);
    }

    public static Tensor Forward(ForwardContext context, LlamaConfig c)
    {
        var g = context.Graph;
        var normal = new Initializer.Normal(c.InitializerRange);

        using (g.Scope("model"))
        {
            // Only as many positions as this pass can meet: its own length, or with a cache the cache's.
            var positions = Math.Max(context.Length, context.CacheCapacity);
            var tables = Rotary.Tables(g, positions, c.RotaryFrequencies(), c.RopeScaling?.Amplitude ?? 1);
            var x = context.Hidden(context.Embed(TokenTable(g, c)));
            for (var layer = 0; layer < c.LayerCount; layer++)
            {
                using (g.Scope($"layers.{layer}"))
                {
                    x += context.Dropout(SelfAttention(Norm.RmsNorm(x, "input_layernorm", c.RmsNormEpsilon), tables), c.Dropout);
                    x = context.Hidden(x + context.Dropout(FeedForward(Norm.RmsNorm(x, "post_attention_layernorm", c.RmsNormEpsilon)),
                        c.Dropout));
                }
            }

            return BeforeHead(x, c);
        }

        Tensor SelfAttention(Tensor x, (Tensor Cos, Tensor Sin) tables)
        {
            using (g.Scope("self_attn"))
            {
                var q = Rotary.Apply(Heads(x, c.Heads, "q"), context.Positions, tables);
                var k = Rotary.Apply(Heads(x, c.KvHeads, "k"), context.Positions, tables);
                var v = Heads(x, c.KvHeads, "v");
                var y = context.SelfAttention(q, k, v, new AttentionMask(Causal: true));
                return Linear.Apply(y.View(x.Shape[0], (long)c.Heads * c.HeadSize), c.HiddenSize, "o_proj", normal, c.AttentionBias);
            }
        }

        Tensor Heads(Tensor x, long heads, string name)
        {
            var y = Linear.Apply(x, heads * c.HeadSize, $"{name}_proj", normal, c.QkvBias);
            if (c.QkNorm && name != "v")
                y = Norm.RmsNorm(y.View(x.Shape[0] * heads, c.HeadSize), $"{name}_norm", c.RmsNormEpsilon);
            return y.View(context.Batch, context.Length, heads, c.HeadSize);
        }

        Tensor FeedForward(Tensor x)
        {
            using (g.Scope("mlp"))
            {
                var gate = Linear.Apply(x, c.IntermediateSize, "gate_proj", normal, bias: false);
                var up = Linear.Apply(x, c.IntermediateSize, "up_proj", normal, bias: false);
                return Linear.Apply(Activation.SwiGlu(gate, up), c.HiddenSize, "down_proj", normal, bias: false);
            }
        }
    }
}
