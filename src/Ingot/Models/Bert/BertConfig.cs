using System.Text.Json.Nodes;
using Ingot.Graphs;

namespace Ingot.Models.Bert;

/// <summary>Families that share BERT's architecture and differ in settings.</summary>
public enum BertFlavor
{
    /// <summary>BERT (Devlin et al. 2019).</summary>
    Bert,

    /// <summary>RoBERTa (Liu et al. 2019): positions begin behind the padding token's id, and the heads have other names.</summary>
    Roberta,
}

/// <summary>
/// Sizes of a BERT or RoBERTa, under Hugging Face's names, and which head it has. Defaults are those of BERT base, and of nothing
/// dropped.
/// </summary>
public sealed record BertConfig : ModelConfig
{
    /// <summary>The tasks that there are heads for.</summary>
    internal static readonly ModelTask[] Tasks =
        [ModelTask.MaskedLm, ModelTask.SequenceClassification, ModelTask.TokenClassification, ModelTask.FeatureExtraction];

    /// <summary>Which family's file names and fixed settings apply.</summary>
    public BertFlavor Flavor { get; init; }

    /// <summary>Which head there is.</summary>
    public ModelTask Head { get; init; } = ModelTask.MaskedLm;

    /// <summary>vocab_size.</summary>
    public int VocabSize { get; init; } = 30522;

    /// <summary>hidden_size.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>intermediate_size: width of the feed-forward layers.</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>num_hidden_layers.</summary>
    public int LayerCount { get; init; } = 12;

    /// <summary>num_attention_heads.</summary>
    public int Heads { get; init; } = 12;

    /// <summary>max_position_embeddings: rows of the table of positions, of which RoBERTa leaves the first out.</summary>
    public int PositionRows { get; init; } = 512;

    /// <summary>type_vocab_size: kinds of token (texts of a pair).</summary>
    public int TypeVocabSize { get; init; } = 2;

    /// <summary>pad_token_id.</summary>
    public int PadTokenId { get; init; }

    /// <summary>hidden_act: gelu (exact), gelu_new (tanh approximation), silu or relu.</summary>
    public string HiddenAct { get; init; } = "gelu";

    /// <summary>layer_norm_eps.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-12;

    /// <summary>initializer_range: standard deviation of the weights at the start.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>hidden_dropout_prob: dropout of embeddings and of what layers add.</summary>
    public double Dropout { get; init; }

    /// <summary>classifier_dropout: dropout of what a classifier reads; null for <see cref="Dropout"/>.</summary>
    public double? ClassifierDropout { get; init; }

    /// <summary>tie_word_embeddings: the masked-language-model head is the token table.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Whether a model without a head has the pooler that classifiers of BERT read; files tell.</summary>
    public bool HasPooler { get; init; } = true;

    /// <inheritdoc/>
    public override string ModelType => Flavor == BertFlavor.Roberta ? "roberta" : "bert";

    /// <inheritdoc/>
    public override ModelTask Task => Head;

    /// <inheritdoc/>
    public override int VocabularySize => VocabSize;

    /// <inheritdoc/>
    public override int MaxPositions => PositionRows - FirstPosition;

    /// <inheritdoc/>
    public override int Layers => LayerCount;

    /// <inheritdoc/>
    public override int Width => HiddenSize;

    /// <summary>Row of the table of positions where a sequence begins.</summary>
    internal int FirstPosition => Flavor == BertFlavor.Roberta ? PadTokenId + 1 : 0;

    /// <summary>Name of the scope of the body: a model without a head has no name in front, as Hugging Face saves it.</summary>
    internal string Body => Head == ModelTask.FeatureExtraction ? "" : ModelType;

    internal override string BodyPrefix => Head == ModelTask.FeatureExtraction ? "" : ModelType + ".";

    internal override string TokenTableName => BodyPrefix + "embeddings.word_embeddings.weight";

    internal override IReadOnlyDictionary<string, string> TiedNames => Head != ModelTask.MaskedLm ? new Dictionary<string, string>()
        : Flavor == BertFlavor.Roberta
            ? Tied("lm_head.decoder.weight", "lm_head.decoder.bias", "lm_head.bias")
            : Tied("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "cls.predictions.bias");

    /// <summary>The activation's name as kernels know it.</summary>
    internal string Activation => HiddenAct switch
    {
        "gelu" => "gelu",
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => "gelu_tanh",
        "silu" or "swish" => "silu",
        "relu" => "relu",
        _ => throw new ArgumentException($"hidden_act '{HiddenAct}' is not known; known are gelu, gelu_new, silu, relu"),
    };

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context) => BertModel.Forward(context, this);

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => BertModel.HeadWeight(graph, this);

    /// <inheritdoc/>
    public override Tensor? HeadBias(Graph graph) => BertModel.HeadBias(graph, this);

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) => BertModel.BeforeHead(context, hidden, this);

    /// <inheritdoc/>
    /// <remarks>Every token sees every other one, also those behind it: twice the products of a causal model.</remarks>
    public override double TrainingFlopsPerToken(long length) => base.TrainingFlopsPerToken(length) + (6.0 * Layers * Width * length);

    /// <inheritdoc/>
    public override ModelConfig ForTask(ModelTask task, IReadOnlyList<string> labels)
    {
        Require(Tasks.Contains(task), $"a {ModelType} has no head for {task.Name()}; it has heads for "
            + string.Join(", ", Tasks.Select(t => t.Name())));
        return this with { Head = task, Labels = task.IsClassification() ? labels : [] };
    }

    /// <inheritdoc/>
    internal override ModelConfig AsIn(IReadOnlySet<string> names) => Head != ModelTask.FeatureExtraction ? this
        : this with { HasPooler = names.Any(name => name.EndsWith("pooler.dense.weight", StringComparison.Ordinal)) };

    /// <inheritdoc/>
    internal override string CanonicalName(string name)
    {
        // As TensorFlow's first BERT was converted.
        name = name.EndsWith(".LayerNorm.gamma", StringComparison.Ordinal) ? name[..^"gamma".Length] + "weight"
            : name.EndsWith(".LayerNorm.beta", StringComparison.Ordinal) ? name[..^"beta".Length] + "bias" : name;
        var prefix = ModelType + ".";
        return Body.Length == 0 && name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
    }

    /// <inheritdoc/>
    internal override bool IsOfOtherHead(string name, bool newLabels)
    {
        var part = name.StartsWith(ModelType + ".", StringComparison.Ordinal) ? name[(ModelType.Length + 1)..] : name;
        bool Of(string module) => part.StartsWith(module + ".", StringComparison.Ordinal);
        if (Of("classifier"))
            return newLabels || !Head.IsClassification();
        if (Of("pooler"))
            return !(Head == ModelTask.FeatureExtraction || (Head == ModelTask.SequenceClassification && Flavor == BertFlavor.Bert));
        if (Of("cls.predictions") || Of("lm_head"))
            return Head != ModelTask.MaskedLm;
        return Of("cls.seq_relationship") || Of("qa_outputs");
    }

    /// <inheritdoc/>
    internal override bool IsOfHead(string parameter) =>
        Body.Length > 0 && (!parameter.StartsWith(BodyPrefix, StringComparison.Ordinal)
            || parameter.StartsWith(BodyPrefix + "pooler.", StringComparison.Ordinal));

    /// <inheritdoc/>
    public override void Validate()
    {
        RequireLayers("num_hidden_layers");
        Require(VocabSize > 0 && HiddenSize > 0 && IntermediateSize > 0 && Heads > 0 && TypeVocabSize > 0,
            "vocab_size, hidden_size, intermediate_size, num_attention_heads and type_vocab_size must be 1 or more");
        Require(HiddenSize % Heads == 0, $"hidden_size {HiddenSize} is not divisible by {Heads} heads (num_attention_heads): "
            + $"take a width of {HiddenSize / Heads * Heads} or {((HiddenSize / Heads) + 1) * Heads}, or another number of heads");
        Require(PadTokenId >= 0 && PadTokenId < VocabSize, $"pad_token_id {PadTokenId} is not one of the {VocabSize} tokens");
        Require(MaxPositions > 0, $"max_position_embeddings {PositionRows} leaves no position"
            + (FirstPosition > 0 ? $": the first is {FirstPosition} (pad_token_id + 1)" : ""));
        Require(Dropout is >= 0 and < 1 && ClassifierDropout is null or (>= 0 and < 1), "dropout must be in [0, 1)");
        Require(Tasks.Contains(Head), $"a {ModelType} has no head for {Head.Name()}");
        Require(!Head.IsClassification() || Labels.Count > 1, $"a classifier needs two labels or more, not {Labels.Count}");
        _ = Activation;
    }

    private protected override JsonObject Settings()
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray((Flavor == BertFlavor.Roberta ? "Roberta" : "Bert") + Head.ClassSuffix()),
            ["model_type"] = ModelType,
            ["vocab_size"] = VocabSize,
            ["hidden_size"] = HiddenSize,
            ["num_hidden_layers"] = LayerCount,
            ["num_attention_heads"] = Heads,
            ["intermediate_size"] = IntermediateSize,
            ["hidden_act"] = HiddenAct,
            ["hidden_dropout_prob"] = Real(Dropout),
            ["attention_probs_dropout_prob"] = Real(0.0),
            ["max_position_embeddings"] = PositionRows,
            ["type_vocab_size"] = TypeVocabSize,
            ["initializer_range"] = Real(InitializerRange),
            ["layer_norm_eps"] = Real(LayerNormEpsilon),
            ["pad_token_id"] = PadTokenId,
            ["position_embedding_type"] = "absolute",
            ["classifier_dropout"] = ClassifierDropout is { } rate ? Real(rate) : null,
            ["tie_word_embeddings"] = TieWordEmbeddings,
        };
        if (Head.IsClassification())
        {
            json["id2label"] = new JsonObject(Labels.Select((label, id) => KeyValuePair.Create($"{id}", (JsonNode?)label)));
            json["label2id"] = new JsonObject(Labels.Select((label, id) => KeyValuePair.Create(label, (JsonNode?)id)));
        }

        return json;
    }

    internal static BertConfig Read(ConfigKeys keys, BertFlavor flavor)
    {
        var roberta = flavor == BertFlavor.Roberta;
        keys.Expect("is_decoder", false);
        keys.Expect("position_embedding_type", "absolute");
        keys.Ignore("attention_probs_dropout_prob", "num_labels"); // No dropout of attention's weights; the labels count themselves.
        var head = ReadHead(keys, flavor);
        var config = new BertConfig
        {
            Flavor = flavor,
            Head = head,
            VocabSize = keys.Integer("vocab_size", roberta ? 50265 : 30522),
            HiddenSize = keys.Integer("hidden_size", 768),
            IntermediateSize = keys.Integer("intermediate_size", 3072),
            LayerCount = keys.Integer("num_hidden_layers", 12),
            Heads = keys.Integer("num_attention_heads", 12),
            PositionRows = keys.Integer("max_position_embeddings", roberta ? 514 : 512),
            TypeVocabSize = keys.Integer("type_vocab_size", roberta ? 1 : 2),
            PadTokenId = keys.Integer("pad_token_id", roberta ? 1 : 0),
            HiddenAct = keys.Text("hidden_act", "gelu"),
            LayerNormEpsilon = keys.Number("layer_norm_eps", roberta ? 1e-5 : 1e-12),
            InitializerRange = keys.Number("initializer_range", 0.02),
            Dropout = keys.Number("hidden_dropout_prob", 0.1),
            ClassifierDropout = keys.OptionalNumber("classifier_dropout"),
            TieWordEmbeddings = keys.Flag("tie_word_embeddings", true),
        };
        if (!head.IsClassification())
            return config; // Labels of another head stay where they are.
        keys.Expect("problem_type", "single_label_classification");
        keys.Ignore("label2id");
        return config with { Labels = keys.Labels("id2label") };
    }

    private static ModelTask ReadHead(ConfigKeys keys, BertFlavor flavor)
    {
        var family = flavor == BertFlavor.Roberta ? "Roberta" : "Bert";
        // Without a word about it there is no head, as in AutoModel.
        var name = keys.FirstText("architectures") ?? family + "Model";
        if (name is "BertForPreTraining")
            return ModelTask.MaskedLm; // Its second head, for the next sentence, is passed over.
        return name.StartsWith(family, StringComparison.Ordinal) && ModelTasks.Of(name, Tasks) is { } task
            && name == family + task.ClassSuffix()
            ? task
            : throw new FormatException($"config.json: 'architectures' has \"{name}\", which is not supported; supported are "
                + string.Join(", ", Tasks.Select(t => family + t.ClassSuffix())));
    }

    private Dictionary<string, string> Tied(string decoder, string decoderBias, string bias)
    {
        var names = new Dictionary<string, string> { [decoderBias] = bias };
        if (TieWordEmbeddings)
            names.Add(decoder, TokenTableName);
        return names;
    }
}
