using Ingot.Checkpoints;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Models.T5;
using Ingot.Models.Transformer;

namespace Ingot.Training;

/// <summary>A model's folder as what fine-tuning starts from: the folder decides all sizes, and options may only agree.</summary>
internal static class BaseModel
{
    /// <summary>Whether a name of a model is no preset and no family, so that it means a folder.</summary>
    public static bool IsFolder(string model) =>
        Presets.Find(model) is null && !TrainingOptions.ModelFamilies.Contains(model, StringComparer.OrdinalIgnoreCase)
        && (Directory.Exists(model) || model.AsSpan().IndexOfAny('/', '\\') >= 0);

    /// <summary>The model of a folder, to be trained further with some options.</summary>
    /// <exception cref="ArgumentException">An option contradicts the folder; the message names both values.</exception>
    public static ModelConfig Continue(ModelConfig model, TrainingOptions options, string folder)
    {
        var (heads, groups, headSize, inner, isTied, hasBias, activation) = model switch
        {
            Gpt2Config c => (c.Heads, c.Heads, c.Embedding / c.Heads, c.Inner ?? (4 * c.Embedding), c.TieWordEmbeddings, true,
                c.ActivationFunction),
            LlamaConfig c => (c.Heads, c.KvHeads, c.HeadSize, c.IntermediateSize, c.TieWordEmbeddings, c.AttentionBias, "silu"),
            BertConfig c => (c.Heads, c.Heads, c.HiddenSize / c.Heads, c.IntermediateSize, c.TieWordEmbeddings, true, c.HiddenAct),
            TransformerConfig c => (c.DecoderHeads, c.DecoderHeads, c.ModelWidth / c.DecoderHeads, c.DecoderInner, true, true,
                c.ActivationFunction),
            T5Config c => (c.Heads, c.Heads, c.HeadSize, c.Inner, c.TieWordEmbeddings, false, c.FeedForwardProjection),
            _ => throw new ArgumentException($"{folder}: models of type {model.ModelType} are not trained"),
        };
        foreach (var (key, wanted, found) in new (string, object?, object)[]
                 {
                     ("numHiddenLayers", options.NumHiddenLayers, model.Layers),
                     ("hiddenSize", options.HiddenSize, model.Width),
                     ("numAttentionHeads", options.NumAttentionHeads, heads),
                     ("numKeyValueHeads", options.NumKeyValueHeads, groups),
                     ("headDim", options.HeadDim, headSize),
                     ("intermediateSize", options.IntermediateSize, inner),
                     ("tieWordEmbeddings", options.TieWordEmbeddings, isTied),
                     ("attentionBias", options.AttentionBias, hasBias),
                     ("hiddenAct", options.HiddenAct, activation),
                     ("maxPositionEmbeddings", options.MaxPositionEmbeddings, model.MaxPositions),
                     ("vocabSize", options.VocabSize, model.VocabularySize),
                 })
        {
            if (wanted is not null && !wanted.Equals(found))
                throw new ArgumentException($"{key} is {wanted}, but the model in {folder} has {found}: leave {key} out");
        }

        return model switch
        {
            Gpt2Config c => c with { Dropout = options.Dropout },
            LlamaConfig c => c with { Dropout = options.Dropout },
            BertConfig c => c with { Dropout = options.Dropout },
            TransformerConfig c => c with { Dropout = options.Dropout },
            T5Config c => c with { Dropout = options.Dropout },
            _ => model,
        };
    }
}
