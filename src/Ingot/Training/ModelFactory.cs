using Ingot.Adapters;
using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Models.T5;
using Ingot.Models.Transformer;

namespace Ingot.Training;

/// <summary>
/// Makes the model that <see cref="TrainingOptions"/> describe: a preset or a family with sizes set one by one, or that of a folder.
/// </summary>
public static class ModelFactory
{
    /// <summary>
    /// The model for a vocabulary; its context is <see cref="TrainingOptions.MaxPositionEmbeddings"/> or the sequence length.
    /// </summary>
    /// <exception cref="ArgumentException"> The sizes do not fit together, a setting does not belong to the family, or it contradicts the
    /// model's folder.
    /// </exception>
    /// <exception cref="IOException">The model's folder is not there or holds no model.</exception>
    /// <exception cref="InvalidDataException">The config.json of the model's folder is wrong.</exception>
    /// <param name="options">The options.</param>
    /// <param name="vocabularySize">Number of token ids.</param>
    /// <param name="endOfText">The token that ends a document; null for none.</param>
    /// <param name="padding">The padding token; null for that of the family.</param>
    /// <param name="labels">What a classifier chooses from; unknown ones (for a plan) count as two.</param>
    public static ModelConfig Create(TrainingOptions options, int vocabularySize, int? endOfText, int? padding = null,
        IReadOnlyList<string>? labels = null)
    {
        if (labels is not { Count: > 0 })
            labels = ["LABEL_0", "LABEL_1"];
        if (BaseModel.IsFolder(options.Model))
        {
            var saved = ModelFiles.LoadConfig(ModelFolder.Find(options.Model));
            return BaseModel.Continue(saved.ForTask(options.Task ?? saved.Task, labels), options, options.Model);
        }

        var preset = Presets.Find(options.Model);
        ModelConfig config = (preset, options.Model.ToUpperInvariant()) switch
        {
            (Gpt2Config c, _) => Apply(c, options, vocabularySize, endOfText),
            (LlamaConfig c, _) => Apply(c, options, vocabularySize, endOfText),
            (BertConfig c, _) => Apply(c, options, vocabularySize, endOfText, padding, labels),
            (TransformerConfig c, _) => Apply(c, options, vocabularySize, endOfText, padding),
            (T5Config c, _) => Apply(c, options, vocabularySize, endOfText, padding),
            (_, "GPT2") => Apply(new Gpt2Config(), options, vocabularySize, endOfText),
            (_, "LLAMA") => Apply(Family(LlamaFlavor.Llama, options), options, vocabularySize, endOfText),
            (_, "QWEN2") => Apply(Family(LlamaFlavor.Qwen2, options), options, vocabularySize, endOfText),
            (_, "QWEN3") => Apply(Family(LlamaFlavor.Qwen3, options), options, vocabularySize, endOfText),
            (_, "BERT") => Apply(Family(new BertConfig(), options), options, vocabularySize, endOfText, padding, labels),
            (_, "ROBERTA") => Apply(Family(Presets.Roberta, options), options, vocabularySize, endOfText, padding, labels),
            (_, "MARIAN") =>
                Apply(Family(new MarianConfig { ScaleEmbedding = true }, options), options, vocabularySize, endOfText, padding),
            (_, "M2M_100") => Apply(Family(new M2M100Config(), options), options, vocabularySize, endOfText, padding),
            _ => throw new ArgumentException(
                $"model '{options.Model}' is not known; known are the families {string.Join(", ", TrainingOptions.ModelFamilies)}, "
                + $"the presets {string.Join(", ", Presets.Names)}, and folders of models"),
        };
        if (options.Task is { } task && task != config.Task)
            config = config.ForTask(task, labels);
        config.Validate();
        return config;
    }

    /// <summary>The model with the adapter that the options ask for; itself if they ask for none.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">The options.</param>
    /// <param name="created">Parameters that the model's folder does not hold: a new head's.</param>
    /// <exception cref="TrainingOptionsException">The adapter does not fit the model.</exception>
    public static ModelConfig Adapt(ModelConfig model, TrainingOptions options, IReadOnlyList<string>? created = null)
    {
        if (options.LoraRank == 0)
            return model;
        var adapted = new AdaptedModel(model, new LoraConfig
        {
            Rank = options.LoraRank,
            Alpha = options.LoraAlpha,
            Dropout = options.LoraDropout,
            UseRslora = options.UseRslora,
            UseDora = options.UseDora,
            TargetModules = options.LoraTargets,
            ModulesToSave = [.. options.ModulesToSave.Union(TrainedWhole(model, created ?? []))],
        });
        try
        {
            adapted.Validate();
            return adapted;
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([e.Message.Replace("target_modules", "loraTargets", StringComparison.Ordinal)
                .Replace("modules_to_save", "modulesToSave", StringComparison.Ordinal)]);
        }
    }

    /// <summary>
    /// Modules that an adapter's run trains whole without being asked: a classifier, as PEFT does, and what the folder does not hold, for
    /// an adapter beside random weights would be of no use without them.
    /// </summary>
    private static IEnumerable<string> TrainedWhole(ModelConfig model, IReadOnlyList<string> created)
    {
        if (created.Count > 0 && !model.Task.IsClassification())
        {
            throw new TrainingOptionsException([$"loraRank: the model has no head for {model.Task.Name()} yet ({created[0]}), and an "
                + "adapter's file has no place for one that is the token table: train the whole model first, or name one that has the "
                + "head"]);
        }

        return (model.Task.IsClassification() ? created.Append(model.HeadWeight(new Graph()).Storage.Name) : created)
            .Select(name => name.StartsWith(model.BodyPrefix, StringComparison.Ordinal) ? name[model.BodyPrefix.Length..] : name)
            .Select(name => name[..name.IndexOf('.', StringComparison.Ordinal)]).Distinct();
    }

    /// <summary>Throws if options have what a family does not: groups of heads, and what else is given.</summary>
    private static void Refuse(string model, TrainingOptions o, int heads, params (bool IsSet, string Key)[] others)
    {
        var groups = (o.NumKeyValueHeads is { } kv && kv != (o.NumAttentionHeads ?? heads), "numKeyValueHeads");
        foreach (var (isSet, key) in others.Prepend(groups))
        {
            if (isSet)
                throw new ArgumentException($"a {model} has no setting {key}: leave it out");
        }
    }

    private static Gpt2Config Apply(Gpt2Config c, TrainingOptions o, int vocabularySize, int? endOfText)
    {
        Refuse("gpt2", o, c.Heads, (o.HeadDim is not null, "headDim"), (o.TieWordEmbeddings == false, "tieWordEmbeddings = false"),
            (o.AttentionBias == false, "attentionBias = false"));
        return c with
        {
            VocabSize = vocabularySize,
            BeginOfText = endOfText,
            EndOfText = endOfText is { } id ? [id] : [],
            Positions = o.MaxPositionEmbeddings ?? o.SequenceLength ?? c.Positions,
            LayerCount = o.NumHiddenLayers ?? c.LayerCount,
            Embedding = o.HiddenSize ?? c.Embedding,
            Heads = o.NumAttentionHeads ?? c.Heads,
            Inner = o.IntermediateSize,
            ActivationFunction = o.HiddenAct ?? c.ActivationFunction,
            Dropout = o.Dropout,
        };
    }

    /// <summary>A family without a preset: its inner width is four times the width.</summary>
    private static BertConfig Family(BertConfig c, TrainingOptions o) =>
        c with { IntermediateSize = checked(4 * (o.HiddenSize ?? c.HiddenSize)) };

    private static BertConfig Apply(BertConfig c, TrainingOptions o, int vocabularySize, int? endOfText, int? padding,
        IReadOnlyList<string> labels)
    {
        Refuse(c.ModelType, o, c.Heads, (o.HeadDim is not null, "headDim"), (o.AttentionBias == false, "attentionBias = false"));
        c = c with
        {
            VocabSize = vocabularySize,
            EndOfText = c.Flavor == BertFlavor.Roberta && endOfText is { } id ? [id] : [],
            PadTokenId = padding ?? c.PadTokenId,
            LayerCount = o.NumHiddenLayers ?? c.LayerCount,
            HiddenSize = o.HiddenSize ?? c.HiddenSize,
            IntermediateSize = o.IntermediateSize ?? c.IntermediateSize,
            Heads = o.NumAttentionHeads ?? c.Heads,
            HiddenAct = o.HiddenAct ?? c.HiddenAct,
            TieWordEmbeddings = o.TieWordEmbeddings ?? c.TieWordEmbeddings,
            Dropout = o.Dropout,
        };
        var positions = o.MaxPositionEmbeddings ?? o.SequenceLength;
        var task = o.Task ?? ModelTask.MaskedLm;
        return (BertConfig)(c with { PositionRows = positions + c.FirstPosition ?? c.PositionRows }).ForTask(task, labels);
    }

    /// <summary>A family without a preset: its inner widths are four times the width.</summary>
    private static TransformerConfig Family(TransformerConfig c, TrainingOptions o)
    {
        var inner = checked(4 * (o.HiddenSize ?? c.ModelWidth));
        return c with { EncoderInner = inner, DecoderInner = inner };
    }

    private static TransformerConfig Apply(TransformerConfig c, TrainingOptions o, int vocabularySize, int? endOfText, int? padding)
    {
        Refuse(c.ModelType, o, c.DecoderHeads, (o.HeadDim is not null, "headDim"),
            (o.TieWordEmbeddings == false, "tieWordEmbeddings = false"), (o.AttentionBias == false, "attentionBias = false"));
        var width = o.HiddenSize ?? c.ModelWidth;
        return c with
        {
            VocabSize = vocabularySize,
            EndOfText = endOfText is { } id ? [id] : [],
            Padding = padding ?? endOfText,
            // Marian's texts begin with the padding, M2M-100's with the token that ends texts.
            DecoderStart = (c is MarianConfig ? padding ?? endOfText : endOfText) ?? 0,
            ModelWidth = width,
            EncoderLayers = o.NumHiddenLayers ?? c.EncoderLayers,
            DecoderLayers = o.NumHiddenLayers ?? c.DecoderLayers,
            EncoderHeads = o.NumAttentionHeads ?? c.EncoderHeads,
            DecoderHeads = o.NumAttentionHeads ?? c.DecoderHeads,
            EncoderInner = o.IntermediateSize ?? c.EncoderInner,
            DecoderInner = o.IntermediateSize ?? c.DecoderInner,
            ActivationFunction = o.HiddenAct ?? c.ActivationFunction,
            Positions = o.MaxPositionEmbeddings ?? c.Positions,
            // So that embeddings, which are scaled with √d_model, and logits begin at 1.
            InitStd = 1 / Math.Sqrt(width),
            Dropout = o.Dropout,
        };
    }

    private static T5Config Apply(T5Config c, TrainingOptions o, int vocabularySize, int? endOfText, int? padding)
    {
        Refuse(c.ModelType, o, c.Heads, (o.AttentionBias == true, "attentionBias"),
            (o.HiddenAct is not null, "hiddenAct (it is relu, and gated gelu_new in presets t5-v1.1)"));
        return c with
        {
            VocabSize = vocabularySize,
            EndOfText = endOfText is { } id ? [id] : [],
            Padding = padding ?? endOfText,
            DecoderStart = padding ?? endOfText ?? 0,
            ModelWidth = o.HiddenSize ?? c.ModelWidth,
            HeadSize = o.HeadDim ?? c.HeadSize,
            Inner = o.IntermediateSize ?? c.Inner,
            EncoderLayers = o.NumHiddenLayers ?? c.EncoderLayers,
            DecoderLayers = o.NumHiddenLayers ?? c.DecoderLayers,
            Heads = o.NumAttentionHeads ?? c.Heads,
            TieWordEmbeddings = o.TieWordEmbeddings ?? c.TieWordEmbeddings,
            Positions = o.MaxPositionEmbeddings ?? c.Positions,
            Dropout = o.Dropout,
        };
    }

    /// <summary>A family without a preset: its inner width is 8/3 of the width, rounded up to a multiple of 256, as Llama's is.</summary>
    private static LlamaConfig Family(LlamaFlavor flavor, TrainingOptions o)
    {
        var c = new LlamaConfig { Flavor = flavor };
        var inner = 8L * (o.HiddenSize ?? c.HiddenSize) / 3.0;
        return c with { IntermediateSize = checked((int)Math.Ceiling(inner / 256) * 256) };
    }

    private static LlamaConfig Apply(LlamaConfig c, TrainingOptions o, int vocabularySize, int? endOfText)
    {
        if (o.HiddenAct is not (null or "silu"))
            throw new ArgumentException($"{c.ModelType} has the activation silu; hiddenAct '{o.HiddenAct}' belongs to gpt2");
        return c with
        {
            VocabSize = vocabularySize,
            BeginOfText = endOfText,
            EndOfText = endOfText is { } id ? [id] : [],
            Positions = o.MaxPositionEmbeddings ?? o.SequenceLength ?? c.Positions,
            LayerCount = o.NumHiddenLayers ?? c.LayerCount,
            HiddenSize = o.HiddenSize ?? c.HiddenSize,
            IntermediateSize = o.IntermediateSize ?? c.IntermediateSize,
            Heads = o.NumAttentionHeads ?? c.Heads,
            // A preset's grouping goes with its heads: other heads without a word about groups have none.
            KeyValueHeads = o.NumKeyValueHeads ?? (o.NumAttentionHeads is null ? c.KeyValueHeads : null),
            HeadDim = o.HeadDim ?? (o.HiddenSize is null && o.NumAttentionHeads is null ? c.HeadDim : null),
            TieWordEmbeddings = o.TieWordEmbeddings ?? c.TieWordEmbeddings,
            AttentionBias = o.AttentionBias ?? c.AttentionBias,
            Dropout = o.Dropout,
        };
    }
}
