using System.Text.Json.Nodes;
using Ingot.Graphs;

namespace Ingot.Models.T5;

/// <summary>Families that share T5's architecture and differ in their defaults.</summary>
public enum T5Flavor
{
    /// <summary>T5, version 1.0 or 1.1, and what was made of it, such as Flan-T5.</summary>
    T5,

    /// <summary>mT5 (Xue et al. 2021): version 1.1 for many languages.</summary>
    Mt5,
}

/// <summary>
/// Sizes of a T5 (Raffel et al. 2020) under the names of Hugging Face's T5Config. Version 1.0 has relu and one token table for all;
/// version 1.1 has <see cref="FeedForwardProjection"/> "gated-gelu" and a head of its own. Defaults are those of version 1.0, small.
/// </summary>
public sealed record T5Config : EncoderDecoderConfig
{
    /// <summary>The defaults of T5Config.</summary>
    public T5Config() => (DecoderStart, Padding, EndOfText) = (0, 0, [1]);

    /// <summary>Which family's name the files have.</summary>
    public T5Flavor Flavor { get; init; }

    /// <summary>vocab_size.</summary>
    public int VocabSize { get; init; } = 32128;

    /// <summary>d_model.</summary>
    public int ModelWidth { get; init; } = 512;

    /// <summary>d_kv: elements of a head, whatever width and number of heads are.</summary>
    public int HeadSize { get; init; } = 64;

    /// <summary>d_ff.</summary>
    public int Inner { get; init; } = 2048;

    /// <summary>num_layers: of the encoder.</summary>
    public int EncoderLayers { get; init; } = 6;

    /// <summary>num_decoder_layers.</summary>
    public int DecoderLayers { get; init; } = 6;

    /// <summary>num_heads.</summary>
    public int Heads { get; init; } = 8;

    /// <summary>relative_attention_num_buckets: how many distances are told apart.</summary>
    public int Buckets { get; init; } = 32;

    /// <summary>relative_attention_max_distance: from here on all distances are one.</summary>
    public int MaxDistance { get; init; } = 128;

    /// <summary>feed_forward_proj: an activation (relu, gelu, gelu_new, silu), or "gated-" and one; gated-gelu means gelu_new.</summary>
    public string FeedForwardProjection { get; init; } = "relu";

    /// <summary>tie_word_embeddings: the head is the token table, and what it reads is scaled with 1/√d_model.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>n_positions: most tokens of a source, and of a target. The model itself has no limit.</summary>
    public int Positions { get; init; } = 512;

    /// <summary>layer_norm_epsilon.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-6;

    /// <summary>initializer_factor: every weight's standard deviation at the start is multiplied with it.</summary>
    public double InitializerFactor { get; init; } = 1;

    /// <summary>dropout_rate: of embeddings, of what sub-layers give, inside of feed-forward layers, and of both stacks' results.</summary>
    public double Dropout { get; init; }

    /// <inheritdoc/>
    public override string ModelType => Flavor == T5Flavor.T5 ? "t5" : "mt5";

    /// <inheritdoc/>
    public override int VocabularySize => VocabSize;

    /// <inheritdoc/>
    public override int MaxPositions => Positions;

    /// <inheritdoc/>
    public override int Layers => DecoderLayers;

    /// <inheritdoc/>
    public override int EncoderBlocks => EncoderLayers;

    /// <inheritdoc/>
    public override int Width => ModelWidth;

    internal override string BodyPrefix => "";

    internal override string TokenTableName => "shared.weight";

    internal override IReadOnlyList<string> TokenTableCopies =>
        ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", .. TieWordEmbeddings ? ["lm_head.weight"] : (string[])[]];

    // Files of version 1.0 have a table of positions for cross-attention, which nothing ever read.
    internal override bool IsBuffer(string name) =>
        name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

    internal override (long Heads, long Size) CrossHeads => (Heads, HeadSize);

    /// <summary>Whether the activation is multiplied with a second projection (Shazeer 2020).</summary>
    internal bool IsGated => FeedForwardProjection.StartsWith("gated-", StringComparison.Ordinal);

    /// <summary>The activation's name as kernels know it.</summary>
    internal string Activation => FeedForwardProjection switch
    {
        "gated-gelu" or "gelu_new" or "gated-gelu_new" => "gelu_tanh",
        "gelu" => "gelu",
        "relu" or "gated-relu" => "relu",
        "silu" or "gated-silu" or "swish" or "gated-swish" => "silu",
        _ => throw new ArgumentException($"feed_forward_proj '{FeedForwardProjection}' is not known; known are relu, gelu, gelu_new, silu, "
            + "and gated-relu, gated-gelu, gated-silu"),
    };

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => T5Model.Head(graph, this);

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) => T5Model.BeforeHead(context, hidden, this);

    /// <inheritdoc/>
    public override void Validate()
    {
        RequireLayers("num_decoder_layers");
        Require(EncoderLayers is > 0 and <= MostLayers, $"num_layers is {EncoderLayers}; an encoder has 1 to {MostLayers} layers");
        Require(VocabSize > 0 && Positions > 0 && ModelWidth > 0 && HeadSize > 0 && Inner > 0 && Heads > 0,
            "vocab_size, n_positions, d_model, d_kv, d_ff and num_heads must be 1 or more");
        Require(Buckets >= 4 && Buckets % 2 == 0, $"relative_attention_num_buckets is {Buckets}, but must be even and 4 or more: the "
            + "encoder has one half for what is before a token and one for what is behind it");
        // Distances below half of the buckets have one each; the decoder has all buckets for one side.
        Require(MaxDistance > Buckets / 2 && MaxDistance <= MostDistance,
            $"relative_attention_max_distance is {MaxDistance}, but must be from {(Buckets / 2) + 1} (for {Buckets} buckets) to "
            + $"{MostDistance}");
        Require(Dropout is >= 0 and < 1, $"dropout_rate {Dropout} must be in [0, 1)");
        Require(DecoderStart >= 0 && DecoderStart < VocabSize,
            $"decoder_start_token_id is {DecoderStart}, which is not one of the {VocabSize} token ids (vocab_size)");
        _ = Activation;
    }

    private protected override Tensor Encode(ForwardContext context) => T5Model.Encode(context, this);

    private protected override (Tensor Keys, Tensor Values) KeysAndValues(ForwardContext context, Tensor states, int layer) =>
        T5Model.KeysAndValues(context, states, layer, this);

    private protected override Tensor Decode(ForwardContext context, Func<int, (Tensor Keys, Tensor Values)> source) =>
        T5Model.Decode(context, source, this);

    private protected override JsonObject Settings() => new()
    {
        ["model_type"] = ModelType,
        ["architectures"] = new JsonArray(Flavor == T5Flavor.T5 ? "T5ForConditionalGeneration" : "MT5ForConditionalGeneration"),
        ["is_encoder_decoder"] = true,
        ["vocab_size"] = VocabSize,
        ["d_model"] = ModelWidth,
        ["d_kv"] = HeadSize,
        ["d_ff"] = Inner,
        ["num_layers"] = EncoderLayers,
        ["num_decoder_layers"] = DecoderLayers,
        ["num_heads"] = Heads,
        ["relative_attention_num_buckets"] = Buckets,
        ["relative_attention_max_distance"] = MaxDistance,
        ["feed_forward_proj"] = FeedForwardProjection,
        ["n_positions"] = Positions,
        ["layer_norm_epsilon"] = Real(LayerNormEpsilon),
        ["initializer_factor"] = Real(InitializerFactor),
        ["dropout_rate"] = Real(Dropout),
        ["decoder_start_token_id"] = DecoderStart,
        ["pad_token_id"] = Padding,
        ["tie_word_embeddings"] = TieWordEmbeddings,
    };

    internal static T5Config Read(ConfigKeys keys, T5Flavor flavor)
    {
        var d = flavor == T5Flavor.T5
            ? new T5Config()
            : new T5Config
            {
                Flavor = T5Flavor.Mt5,
                VocabSize = 250112,
                Inner = 1024,
                EncoderLayers = 8,
                Heads = 6,
                FeedForwardProjection = "gated-gelu",
                TieWordEmbeddings = false,
            };
        // What follows from feed_forward_proj, and dropout of a classifier's head.
        keys.Ignore("dense_act_fn", "is_gated_act", "classifier_dropout");
        var layers = keys.Integer("num_layers", d.EncoderLayers);
        var tied = keys.Flag("tie_word_embeddings", d.TieWordEmbeddings);
        keys.Expect("scale_decoder_outputs", tied);
        return d with
        {
            VocabSize = keys.Integer("vocab_size", d.VocabSize),
            ModelWidth = keys.Integer("d_model", d.ModelWidth),
            HeadSize = keys.Integer("d_kv", d.HeadSize),
            Inner = keys.Integer("d_ff", d.Inner),
            EncoderLayers = layers,
            DecoderLayers = keys.Integer("num_decoder_layers", layers),
            Heads = keys.Integer("num_heads", d.Heads),
            Buckets = keys.Integer("relative_attention_num_buckets", d.Buckets),
            MaxDistance = keys.Integer("relative_attention_max_distance", d.MaxDistance),
            FeedForwardProjection = keys.Text("feed_forward_proj", d.FeedForwardProjection),
            TieWordEmbeddings = tied,
            Positions = keys.Integer("n_positions", d.Positions),
            LayerNormEpsilon = keys.Number("layer_norm_epsilon", d.LayerNormEpsilon),
            InitializerFactor = keys.Number("initializer_factor", d.InitializerFactor),
            Dropout = keys.Number("dropout_rate", 0.1),
            DecoderStart = keys.Integer("decoder_start_token_id", keys.OptionalInteger("pad_token_id") ?? 0),
            Padding = keys.Integer("pad_token_id", 0),
        };
    }

    /// <summary>A table of distances has twice as many rows; published models have 128.</summary>
    private const int MostDistance = 1 << 16;
}
