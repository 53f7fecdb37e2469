using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models.Bert;

/// <summary>
/// BERT (Devlin et al. 2019): post-norm encoder in which every token sees every other, with learned positions and kinds of token.
/// RoBERTa is a setting of it. Weights of linear layers lie as [outputs, inputs], as in the files.
/// </summary>
internal static class BertModel
{
    public static Tensor Forward(ForwardContext context, BertConfig c) => BeforeHead(context, Encoder(context, c), c);

    /// <summary>What lies between the last block and the head's last layer.</summary>
    public static Tensor BeforeHead(ForwardContext context, Tensor x, BertConfig c) => c.Head switch
    {
        ModelTask.MaskedLm => Transform(x, c),
        ModelTask.SequenceClassification => Pool(context, x, c),
        ModelTask.TokenClassification => context.Dropout(x, c.ClassifierDropout ?? c.Dropout),
        _ => x,
    };

    public static Tensor HeadWeight(Graph g, BertConfig c)
    {
        if (c.Head == ModelTask.FeatureExtraction)
            throw new InvalidOperationException($"the {c.ModelType} has no head: it gives hidden states only");
        if (c.Head == ModelTask.MaskedLm && c.TieWordEmbeddings)
        {
            using (g.ScopeOf($"{c.BodyPrefix}embeddings"))
                return Table(g, c, "word_embeddings", c.VocabSize).Transposed();
        }

        using (g.ScopeOf(c.Head == ModelTask.MaskedLm ? LanguageHead(c) + ".decoder" : Classifier(c)))
            return g.Parameter("weight", [Outputs(c), c.HiddenSize], Normal(c)).Transposed();
    }

    public static Tensor? HeadBias(Graph g, BertConfig c)
    {
        using (g.ScopeOf(c.Head == ModelTask.MaskedLm ? LanguageHead(c) : Classifier(c)))
            return c.Head == ModelTask.FeatureExtraction ? null : g.Parameter("bias", [Outputs(c)], Initializer.Zeros);
    }

    private static Tensor Encoder(ForwardContext context, BertConfig c)
    {
        var g = context.Graph;
        using (g.Scope(c.Body))
        {
            var x = context.Hidden(Embed(context, c));
            for (var layer = 0; layer < c.LayerCount; layer++)
            {
                using (g.Scope($"encoder.layer.{layer}"))
                {
                    x = AddAndNorm(x, SelfAttention(x), "attention.output");
                    var hidden = Activation.Apply(Linear.Apply(x, c.IntermediateSize, "intermediate.dense", Normal(c)), c.Activation);
                    x = context.Hidden(AddAndNorm(x, hidden, "output"));
                }
            }

            if (c is { Head: ModelTask.FeatureExtraction, HasPooler: true })
                Dense(x, c, "pooler.dense", "tanh"); // Nothing reads it, but it is one of the model's parts.
            return x;
        }

        Tensor AddAndNorm(Tensor x, Tensor y, string name)
        {
            using (g.Scope(name))
                return Norm.LayerNorm(x + context.Dropout(Linear.Apply(y, c.HiddenSize, "dense", Normal(c)), c.Dropout), "LayerNorm",
                    c.LayerNormEpsilon);
        }

        Tensor SelfAttention(Tensor x)
        {
            using (g.Scope("attention.self"))
            {
                Tensor Heads(string name) => Linear.Apply(x, c.HiddenSize, name, Normal(c))
                    .View(context.Batch, context.Length, c.Heads, c.HiddenSize / c.Heads);
                return context.SelfAttention(Heads("query"), Heads("key"), Heads("value"), new AttentionMask(Causal: false))
                    .View(x.Shape[0], c.HiddenSize);
            }
        }
    }

    private static Tensor Embed(ForwardContext context, BertConfig c)
    {
        var g = context.Graph;
        using (g.Scope("embeddings"))
        {
            // RoBERTa's positions begin behind the padding token's; so do they here, in a view of the table.
            var words = context.Embed(Table(g, c, "word_embeddings", c.VocabSize));
            var places = Table(g, c, "position_embeddings", c.PositionRows).Rows(c.FirstPosition, c.MaxPositions);
            var types = Table(g, c, "token_type_embeddings", c.TypeVocabSize);
            var typeIds = (c.TypeVocabSize > 1 ? context.TokenTypes : null)
                ?? g.Constant("token_types", DType.I32, new byte[4 * context.Batch * context.Length], context.Batch, context.Length);
            var x = words + Embedding.Apply(context.Positions ?? context.Counting(context.Length), places)
                + Embedding.Apply(typeIds, types);
            return context.Dropout(Norm.LayerNorm(x, "LayerNorm", c.LayerNormEpsilon), c.Dropout);
        }
    }

    /// <summary>The first layer of the masked-language-model head.</summary>
    private static Tensor Transform(Tensor x, BertConfig c)
    {
        var roberta = c.Flavor == BertFlavor.Roberta;
        using (x.Graph.Scope(roberta ? LanguageHead(c) : LanguageHead(c) + ".transform"))
            return Norm.LayerNorm(Dense(x, c, "dense", roberta ? "gelu" : c.Activation), roberta ? "layer_norm" : "LayerNorm",
                c.LayerNormEpsilon);
    }

    /// <summary>What a classifier of sequences reads: a layer over the first token.</summary>
    private static Tensor Pool(ForwardContext context, Tensor x, BertConfig c)
    {
        var rest = (context.Length - 1) * c.HiddenSize;
        var first = rest == 0 ? x : x.View(context.Batch, context.Length * c.HiddenSize).SplitLast(c.HiddenSize, rest)[0].Contiguous();
        var dropout = c.ClassifierDropout ?? c.Dropout;
        return c.Flavor == BertFlavor.Roberta
            ? context.Dropout(Dense(context.Dropout(first, dropout), c, "classifier.dense", "tanh"), dropout)
            : context.Dropout(Dense(first, c, "bert.pooler.dense", "tanh"), dropout);
    }

    private static Tensor Dense(Tensor x, BertConfig c, string name, string activation) =>
        Activation.Apply(Linear.Apply(x, c.HiddenSize, name, Normal(c)), activation);

    private static Tensor Table(Graph g, BertConfig c, string name, long rows)
    {
        using (g.Scope(name))
            return g.Parameter("weight", [rows, c.HiddenSize], Normal(c));
    }

    private static Initializer.Normal Normal(BertConfig c) => new(c.InitializerRange);

    private static string LanguageHead(BertConfig c) => c.Flavor == BertFlavor.Roberta ? "lm_head" : "cls.predictions";

    private static string Classifier(BertConfig c) =>
        c is { Flavor: BertFlavor.Roberta, Head: ModelTask.SequenceClassification } ? "classifier.out_proj" : "classifier";

    private static long Outputs(BertConfig c) => c.Head == ModelTask.MaskedLm ? c.VocabSize : c.Labels.Count;
}
