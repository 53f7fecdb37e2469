using System.Text.Json.Nodes;
using Ingot.Graphs;

namespace Ingot.Models.Llama;

/// <summary>Families that share Llama's architecture and differ in settings.</summary>
public enum LlamaFlavor
{
    /// <summary>Llama (Touvron et al. 2023).</summary>
    Llama,

    /// <summary>Qwen2: biases on the projections of queries, keys and values.</summary>
    Qwen2,

    /// <summary>Qwen3: RMSNorm on the queries and keys of each head.</summary>
    Qwen3,
}

/// <summary>Sizes of a Llama, Qwen2 or Qwen3, under Hugging Face's names.</summary>
public sealed record LlamaConfig : ModelConfig
{
    /// <summary>Which family's file names and fixed settings apply.</summary>
    public LlamaFlavor Flavor { get; init; }

    /// <summary>vocab_size.</summary>
    public int VocabSize { get; init; } = 32000;

    /// <summary>hidden_size.</summary>
    public int HiddenSize { get; init; } = 4096;

    /// <summary>intermediate_size: width of the MLP.</summary>
    public int IntermediateSize { get; init; } = 11008;

    /// <summary>num_hidden_layers.</summary>
    public int LayerCount { get; init; } = 32;

    /// <summary>num_attention_heads.</summary>
    public int Heads { get; init; } = 32;

    /// <summary>num_key_value_heads; null for as many as query heads.</summary>
    public int? KeyValueHeads { get; init; }

    /// <summary>head_dim; null for hidden_size / num_attention_heads.</summary>
    public int? HeadDim { get; init; }

    /// <summary>max_position_embeddings.</summary>
    public int Positions { get; init; } = 2048;

    /// <summary>rms_norm_eps.</summary>
    public double RmsNormEpsilon { get; init; } = 1e-6;

    /// <summary>rope_theta: base of the rotary angles.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>initializer_range: standard deviation of the weights at the start.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>tie_word_embeddings: the head is the token table.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>attention_bias: biases on all projections of attention (Llama, Qwen3).</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Dropout of what blocks add to the residual stream; not part of the files.</summary>
    public double Dropout { get; init; }

    /// <summary>bos_token_id and eos_token_id; null if the vocabulary has none.</summary>
    public int? EndOfText { get; init; }

    /// <inheritdoc/>
    public override string ModelType => Flavor switch
    {
        LlamaFlavor.Qwen2 => "qwen2",
        LlamaFlavor.Qwen3 => "qwen3",
        _ => "llama",
    };

    /// <inheritdoc/>
    public override int VocabularySize => VocabSize;

    /// <inheritdoc/>
    public override int MaxPositions => Positions;

    /// <inheritdoc/>
    public override int Layers => LayerCount;

    /// <inheritdoc/>
    public override int Width => HiddenSize;

    internal int HeadSize => HeadDim ?? (HiddenSize / Heads);

    internal int KvHeads => KeyValueHeads ?? Heads;

    internal bool QkvBias => Flavor == LlamaFlavor.Qwen2 || AttentionBias;

    internal bool QkNorm => Flavor == LlamaFlavor.Qwen3;

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context) => LlamaModel.Forward(context, this);

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => LlamaModel.Head(graph, this);

    /// <inheritdoc/>
    public override void Validate()
    {
        RequireLayers("num_hidden_layers");
        Require(VocabSize > 0 && HiddenSize > 0 && IntermediateSize > 0 && Heads > 0 && Positions > 0 && KvHeads > 0,
            "vocab_size, hidden_size, intermediate_size, num_attention_heads, num_key_value_heads and max_position_embeddings "
            + "must be 1 or more");
        Require(HeadDim is not null || HiddenSize % Heads == 0,
            $"hidden_size {HiddenSize} is not divisible by {Heads} heads (num_attention_heads): "
            + $"take a width of {HiddenSize / Heads * Heads} or {((HiddenSize / Heads) + 1) * Heads}, or another number of heads");
        Require(Heads % KvHeads == 0, $"{Heads} query heads are not a multiple of {KvHeads} key/value heads (num_key_value_heads)");
        Require(HeadSize % 2 == 0, $"the head size {HeadSize} must be even for rotary positions");
        Require(Dropout is >= 0 and < 1, $"dropout {Dropout} must be in [0, 1)");
    }

    /// <inheritdoc/>
    public override JsonObject ToJson() => new()
    {
        ["architectures"] = new JsonArray(Flavor + "ForCausalLM"),
        ["model_type"] = ModelType,
        ["vocab_size"] = VocabSize,
        ["hidden_size"] = HiddenSize,
        ["intermediate_size"] = IntermediateSize,
        ["num_hidden_layers"] = LayerCount,
        ["num_attention_heads"] = Heads,
        ["num_key_value_heads"] = KvHeads,
        ["head_dim"] = HeadSize,
        ["hidden_act"] = "silu",
        ["max_position_embeddings"] = Positions,
        ["rms_norm_eps"] = RmsNormEpsilon,
        ["rope_theta"] = RopeTheta,
        ["rope_parameters"] = new JsonObject { ["rope_type"] = "default", ["rope_theta"] = RopeTheta },
        ["initializer_range"] = InitializerRange,
        ["tie_word_embeddings"] = TieWordEmbeddings,
        ["attention_bias"] = AttentionBias,
        ["mlp_bias"] = false,
        ["bos_token_id"] = EndOfText,
        ["eos_token_id"] = EndOfText,
        ["torch_dtype"] = "float32",
    };

    internal static LlamaConfig Read(ConfigKeys keys, LlamaFlavor flavor)
    {
        // Version 5 of transformers keeps the rotary settings in rope_parameters, version 4 beside them in rope_scaling.
        var rope = keys.Section("rope_parameters");
        var type = (rope ?? keys.Section("rope_scaling"))?.Text("rope_type", "default") ?? "default";
        if (type != "default")
            throw new FormatException($"config.json: rotary scaling '{type}' is not supported");
        if (keys.Flag("use_sliding_window", false) || keys.Flag("mlp_bias", false) || keys.Text("hidden_act", "silu") != "silu")
            throw new FormatException("config.json: use_sliding_window, mlp_bias and activations other than silu are not supported");
        return new LlamaConfig
        {
            Flavor = flavor,
            VocabSize = keys.Integer("vocab_size"),
            HiddenSize = keys.Integer("hidden_size"),
            IntermediateSize = keys.Integer("intermediate_size"),
            LayerCount = keys.Integer("num_hidden_layers"),
            Heads = keys.Integer("num_attention_heads"),
            KeyValueHeads = keys.OptionalInteger("num_key_value_heads"),
            HeadDim = keys.OptionalInteger("head_dim"),
            Positions = keys.Integer("max_position_embeddings", 2048),
            RmsNormEpsilon = keys.Number("rms_norm_eps", 1e-6),
            RopeTheta = rope?.Number("rope_theta", 10000) ?? keys.Number("rope_theta", 10000),
            InitializerRange = keys.Number("initializer_range", 0.02),
            TieWordEmbeddings = keys.Flag("tie_word_embeddings", false),
            AttentionBias = keys.Flag("attention_bias", false),
            EndOfText = keys.OptionalInteger("eos_token_id"),
        };
    }
}
