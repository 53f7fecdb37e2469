using System.Text.Json.Nodes;
using Ingot.Graphs;

namespace Ingot.Models.Transformer;

/// <summary>
/// Sizes of the encoder-decoder Transformer (Vaswani et al. 2017) as the families that descend from it share them: one table of tokens
/// for encoder, decoder and head, sinusoidal positions, biases everywhere. Keys are those of Hugging Face's MarianConfig and M2M100Config.
/// </summary>
public abstract record TransformerConfig : EncoderDecoderConfig
{
    /// <summary>vocab_size.</summary>
    public int VocabSize { get; init; }

    /// <summary>d_model.</summary>
    public int ModelWidth { get; init; } = 1024;

    /// <summary>encoder_layers.</summary>
    public int EncoderLayers { get; init; } = 12;

    /// <summary>decoder_layers.</summary>
    public int DecoderLayers { get; init; } = 12;

    /// <summary>encoder_attention_heads.</summary>
    public int EncoderHeads { get; init; } = 16;

    /// <summary>decoder_attention_heads.</summary>
    public int DecoderHeads { get; init; } = 16;

    /// <summary>encoder_ffn_dim.</summary>
    public int EncoderInner { get; init; } = 4096;

    /// <summary>decoder_ffn_dim.</summary>
    public int DecoderInner { get; init; } = 4096;

    /// <summary>activation_function: relu (the original), gelu, gelu_new or swish.</summary>
    public string ActivationFunction { get; init; } = "relu";

    /// <summary>max_position_embeddings: most tokens of a source, and of a target.</summary>
    public int Positions { get; init; } = 1024;

    /// <summary>scale_embedding: embeddings of tokens are multiplied with √d_model (section 3.4).</summary>
    public bool ScaleEmbedding { get; init; }

    /// <summary>init_std: standard deviation of the weights at the start.</summary>
    public double InitStd { get; init; } = 0.02;

    /// <summary>dropout: of embeddings, and of what every sub-layer gives.</summary>
    public double Dropout { get; init; }

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

    internal override string BodyPrefix => "model.";

    internal override string TokenTableName => "model.shared.weight";

    internal override IReadOnlyList<string> TokenTableCopies =>
        ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"];

    internal override bool IsBuffer(string name) =>
        name.EndsWith("coder.embed_positions.weight", StringComparison.Ordinal)
        || name.EndsWith("coder.embed_positions.weights", StringComparison.Ordinal);

    internal override (long Heads, long Size) CrossHeads => (DecoderHeads, ModelWidth / DecoderHeads);

    /// <summary>Whether sub-layers normalise what they read, and the stacks what comes out; otherwise sums are normalised.</summary>
    internal abstract bool PreNorm { get; }

    /// <summary>The position that the first token of a text has.</summary>
    internal abstract int FirstPosition { get; }

    /// <summary>Angle of one position for each of width / 2 pairs of a sine and a cosine, in radians.</summary>
    internal abstract double Frequency(int pair);

    /// <summary>The activation's name as kernels know it.</summary>
    internal string Activation => ActivationFunction switch
    {
        "relu" or "gelu" or "silu" => ActivationFunction,
        "swish" => "silu",
        "gelu_new" or "gelu_pytorch_tanh" => "gelu_tanh",
        _ => throw new ArgumentException(
            $"activation_function '{ActivationFunction}' is not known; known are relu, gelu, gelu_new, swish"),
    };

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => TransformerModel.TokenTable(graph, this).Transposed();

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) => TransformerModel.BeforeHead(hidden, this);

    /// <inheritdoc/>
    public override void Validate()
    {
        RequireLayers("decoder_layers");
        Require(EncoderLayers is > 0 and <= MostLayers, $"encoder_layers is {EncoderLayers}; an encoder has 1 to {MostLayers} layers");
        Require(VocabSize > 0 && Positions > 0 && ModelWidth > 0 && EncoderHeads > 0 && DecoderHeads > 0 && EncoderInner > 0
            && DecoderInner > 0,
            "vocab_size, max_position_embeddings, d_model, heads and ffn_dim must be 1 or more");
        Require(ModelWidth % 2 == 0, $"d_model is {ModelWidth}, but must be even: a position has as many sines as cosines");
        foreach (var heads in new[] { EncoderHeads, DecoderHeads })
        {
            Require(ModelWidth % heads == 0, $"the width {ModelWidth} (d_model) is not divisible by {heads} heads: "
                + $"take a width of {ModelWidth / heads * heads} or {((ModelWidth / heads) + 1) * heads}, or another number of heads");
        }

        Require(Dropout is >= 0 and < 1, $"dropout {Dropout} must be in [0, 1)");
        Require(DecoderStart >= 0 && DecoderStart < VocabSize,
            $"decoder_start_token_id is {DecoderStart}, which is not one of the {VocabSize} token ids (vocab_size)");
        _ = Activation;
    }

    private protected override Tensor Encode(ForwardContext context) => TransformerModel.Encode(context, this);

    private protected override (Tensor Keys, Tensor Values) KeysAndValues(ForwardContext context, Tensor states, int layer) =>
        TransformerModel.KeysAndValues(context, states, layer, this);

    private protected override Tensor Decode(ForwardContext context, Func<int, (Tensor Keys, Tensor Values)> source) =>
        TransformerModel.Decode(context, source, this);

    private protected override JsonObject Settings() => new()
    {
        ["model_type"] = ModelType,
        ["is_encoder_decoder"] = true,
        ["vocab_size"] = VocabSize,
        ["d_model"] = ModelWidth,
        ["encoder_layers"] = EncoderLayers,
        ["decoder_layers"] = DecoderLayers,
        ["num_hidden_layers"] = EncoderLayers,
        ["encoder_attention_heads"] = EncoderHeads,
        ["decoder_attention_heads"] = DecoderHeads,
        ["encoder_ffn_dim"] = EncoderInner,
        ["decoder_ffn_dim"] = DecoderInner,
        ["activation_function"] = ActivationFunction,
        ["max_position_embeddings"] = Positions,
        ["scale_embedding"] = ScaleEmbedding,
        ["init_std"] = Real(InitStd),
        ["dropout"] = Real(Dropout),
        ["attention_dropout"] = Real(0.0),
        ["activation_dropout"] = Real(0.0),
        ["encoder_layerdrop"] = Real(0.0),
        ["decoder_layerdrop"] = Real(0.0),
        ["decoder_start_token_id"] = DecoderStart,
        ["pad_token_id"] = Padding,
        ["tie_word_embeddings"] = true,
    };

    /// <summary>Reads what the families share over their defaults, which are given.</summary>
    private protected static T Read<T>(ConfigKeys keys, T defaults)
        where T : TransformerConfig
    {
        keys.Expect("tie_word_embeddings", true);
        keys.Ignore("attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop", "classifier_dropout",
            "classif_dropout");
        keys.Ignore("num_hidden_layers"); // The same as encoder_layers.
        return defaults with
        {
            VocabSize = keys.Integer("vocab_size", defaults.VocabSize),
            ModelWidth = keys.Integer("d_model", defaults.ModelWidth),
            EncoderLayers = keys.Integer("encoder_layers", defaults.EncoderLayers),
            DecoderLayers = keys.Integer("decoder_layers", defaults.DecoderLayers),
            EncoderHeads = keys.Integer("encoder_attention_heads", defaults.EncoderHeads),
            DecoderHeads = keys.Integer("decoder_attention_heads", defaults.DecoderHeads),
            EncoderInner = keys.Integer("encoder_ffn_dim", defaults.EncoderInner),
            DecoderInner = keys.Integer("decoder_ffn_dim", defaults.DecoderInner),
            ActivationFunction = keys.Text("activation_function", defaults.ActivationFunction),
            Positions = keys.Integer("max_position_embeddings", defaults.Positions),
            ScaleEmbedding = keys.Flag("scale_embedding", defaults.ScaleEmbedding),
            InitStd = keys.Number("init_std", defaults.InitStd),
            Dropout = keys.Number("dropout", 0.1),
            DecoderStart = keys.Integer("decoder_start_token_id", defaults.DecoderStart),
            Padding = keys.Integer("pad_token_id", defaults.Padding),
        };
    }
}
