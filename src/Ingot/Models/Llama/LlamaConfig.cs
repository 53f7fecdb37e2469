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

    /// <summary>rope_scaling: how the rotary angles are stretched for longer contexts; null if they are not.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>initializer_range: standard deviation of the weights at the start.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>tie_word_embeddings: the head is the token table.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>attention_bias: biases on all projections of attention (Llama, Qwen3).</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Dropout of what blocks add to the residual stream; not part of the files.</summary>
    public double Dropout { get; init; }

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

    internal override string BodyPrefix => "model.";

    internal override string TokenTableName => "model.embed_tokens.weight";

    internal int HeadSize => HeadDim ?? (HiddenSize / Heads);

    internal int KvHeads => KeyValueHeads ?? Heads;

    internal bool QkvBias => Flavor == LlamaFlavor.Qwen2 || AttentionBias;

    internal bool QkNorm => Flavor == LlamaFlavor.Qwen3;

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context) => LlamaModel.Forward(context, this);

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => LlamaModel.Head(graph, this);

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) => LlamaModel.BeforeHead(hidden, this);

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
        Require(HeadSize is > 0 and <= 65536 && HeadSize % 2 == 0,
            $"the head size {HeadSize} (head_dim) must be even for rotary positions, 2 to 65536");
        Require(double.IsFinite(RopeTheta) && RopeTheta > 0, $"rope_theta {RopeTheta} must be above 0");
        RopeScaling?.Validate();
        Require(Dropout is >= 0 and < 1, $"dropout {Dropout} must be in [0, 1)");
    }

    /// <summary>Angle of a position, in radians, for each pair of a head's dimensions: [HeadSize / 2].</summary>
    internal double[] RotaryFrequencies() => [.. Enumerable.Range(0, HeadSize / 2).Select(pair =>
    {
        var frequency = Math.Pow(RopeTheta, -2.0 * pair / HeadSize);
        return RopeScaling?.Stretch(frequency, pair, HeadSize, RopeTheta) ?? frequency;
    })];

    private protected override JsonObject Settings()
    {
        var json = new JsonObject
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
            ["rms_norm_eps"] = Real(RmsNormEpsilon),
            ["initializer_range"] = Real(InitializerRange),
            ["tie_word_embeddings"] = TieWordEmbeddings,
        };
        if (Flavor != LlamaFlavor.Qwen2)
            json["attention_bias"] = AttentionBias;
        if (Flavor == LlamaFlavor.Llama)
            json["mlp_bias"] = false;
        // Version 5 of transformers reads rope_parameters, version 4 the two others.
        var rope = RopeScaling.ToJson(RopeScaling) ?? new JsonObject { ["rope_type"] = "default" };
        json["rope_theta"] = Real(RopeTheta);
        json["rope_scaling"] = RopeScaling.ToJson(RopeScaling);
        rope["rope_theta"] = Real(RopeTheta);
        json["rope_parameters"] = rope;
        return json;
    }

    internal static LlamaConfig Read(ConfigKeys keys, LlamaFlavor flavor)
    {
        var activation = keys.Text("hidden_act", "silu");
        if (activation is not ("silu" or "swish"))
            throw new FormatException($"config.json: hidden_act '{activation}' is not supported; only silu is");
        keys.Ignore("sliding_window", "max_window_layers"); // Without use_sliding_window they have no effect.
        if (flavor == LlamaFlavor.Qwen2)
            keys.Ignore("attention_bias"); // Qwen2 has its biases, whatever is written there.
        var positions = keys.Integer("max_position_embeddings", flavor == LlamaFlavor.Llama ? 2048 : 32768);
        var (theta, scaling) = RopeScaling.Read(keys, positions);
        return new LlamaConfig
        {
            Flavor = flavor,
            VocabSize = keys.Integer("vocab_size"),
            HiddenSize = keys.Integer("hidden_size"),
            IntermediateSize = keys.Integer("intermediate_size"),
            LayerCount = keys.Integer("num_hidden_layers"),
            Heads = keys.Integer("num_attention_heads"),
            KeyValueHeads = keys.OptionalInteger("num_key_value_heads"),
            HeadDim = keys.OptionalInteger("head_dim") ?? (flavor == LlamaFlavor.Qwen3 ? 128 : null),
            Positions = positions,
            RmsNormEpsilon = keys.Number("rms_norm_eps", 1e-6),
            RopeTheta = theta,
            RopeScaling = scaling,
            InitializerRange = keys.Number("initializer_range", 0.02),
            TieWordEmbeddings = keys.Flag("tie_word_embeddings", false),
            AttentionBias = flavor != LlamaFlavor.Qwen2 && keys.Flag("attention_bias", false),
        };
    }
}
