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
        var sizes = model switch
        {
            Gpt2Config c => new (string Key, object? Wanted, object Found)[]
            {
                ("numHiddenLayers", options.NumHiddenLayers, c.LayerCount),
                ("hiddenSize", options.HiddenSize, c.Embedding),
                ("numAttentionHeads", options.NumAttentionHeads, c.Heads),
                ("numKeyValueHeads", options.NumKeyValueHeads, c.Heads),
                ("headDim", options.HeadDim, c.Embedding / c.Heads),
                ("intermediateSize", options.IntermediateSize, c.Inner ?? (4 * c.Embedding)),
                ("tieWordEmbeddings", options.TieWordEmbeddings, c.TieWordEmbeddings),
                ("attentionBias", options.AttentionBias, true),
                ("hiddenAct", options.HiddenAct, c.ActivationFunction),
            },
            LlamaConfig c =>
            [
                ("numHiddenLayers", options.NumHiddenLayers, c.LayerCount),
                ("hiddenSize", options.HiddenSize, c.HiddenSize),
                ("numAttentionHeads", options.NumAttentionHeads, c.Heads),
                ("numKeyValueHeads", options.NumKeyValueHeads, c.KvHeads),
                ("headDim", options.HeadDim, c.HeadSize),
                ("intermediateSize", options.IntermediateSize, c.IntermediateSize),
                ("tieWordEmbeddings", options.TieWordEmbeddings, c.TieWordEmbeddings),
                ("attentionBias", options.AttentionBias, c.AttentionBias),
                ("hiddenAct", options.HiddenAct, "silu"),
            ],
            BertConfig c =>
            [
                ("numHiddenLayers", options.NumHiddenLayers, c.LayerCount),
                ("hiddenSize", options.HiddenSize, c.HiddenSize),
                ("numAttentionHeads", options.NumAttentionHeads, c.Heads),
                ("numKeyValueHeads", options.NumKeyValueHeads, c.Heads),
                ("headDim", options.HeadDim, c.HiddenSize / c.Heads),
                ("intermediateSize", options.IntermediateSize, c.IntermediateSize),
                ("tieWordEmbeddings", options.TieWordEmbeddings, c.TieWordEmbeddings),
                ("attentionBias", options.AttentionBias, true),
                ("hiddenAct", options.HiddenAct, c.HiddenAct),
            ],
            TransformerConfig c =>
            [
                ("numHiddenLayers", options.NumHiddenLayers, c.DecoderLayers),
                ("hiddenSize", options.HiddenSize, c.ModelWidth),
                ("numAttentionHeads", options.NumAttentionHeads, c.DecoderHeads),
                ("numKeyValueHeads", options.NumKeyValueHeads, c.DecoderHeads),
                ("headDim", options.HeadDim, c.ModelWidth / c.DecoderHeads),
                ("intermediateSize", options.IntermediateSize, c.DecoderInner),
                ("tieWordEmbeddings", options.TieWordEmbeddings, true),
                ("attentionBias", options.AttentionBias, true),
                ("hiddenAct", options.HiddenAct, c.ActivationFunction),
            ],
            T5Config c =>
            [
                ("numHiddenLayers", options.NumHiddenLayers, c.DecoderLayers),
                ("hiddenSize", options.HiddenSize, c.ModelWidth),
                ("numAttentionHeads", options.NumAttentionHeads, c.Heads),
                ("numKeyValueHeads", options.NumKeyValueHeads, c.Heads),
                ("headDim", options.HeadDim, c.HeadSize),
                ("intermediateSize", options.IntermediateSize, c.Inner),
                ("tieWordEmbeddings", options.TieWordEmbeddings, c.TieWordEmbeddings),
                ("attentionBias", options.AttentionBias, false),
            ],
            _ => throw new ArgumentException($"{folder}: models of type {model.ModelType} are not trained"),
        };
        foreach (var (key, wanted, found) in sizes.Append(("maxPositionEmbeddings", options.MaxPositionEmbeddings, model.MaxPositions))
                     .Append(("vocabSize", options.VocabSize, model.VocabularySize)))
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
