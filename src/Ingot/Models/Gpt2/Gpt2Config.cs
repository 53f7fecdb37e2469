using System.Text.Json.Nodes;
using Ingot.Graphs;

namespace Ingot.Models.Gpt2;

/// <summary>Sizes of a GPT-2 (Radford et al. 2019). Defaults are those of Hugging Face's GPT2Config: the 124M model.</summary>
public sealed record Gpt2Config : ModelConfig
{
    /// <summary>vocab_size.</summary>
    public int VocabSize { get; init; } = 50257;

    /// <summary>n_positions.</summary>
    public int Positions { get; init; } = 1024;

    /// <summary>n_embd.</summary>
    public int Embedding { get; init; } = 768;

    /// <summary>n_layer.</summary>
    public int LayerCount { get; init; } = 12;

    /// <summary>n_head.</summary>
    public int Heads { get; init; } = 12;

    /// <summary>n_inner: width of the MLP; null for 4 · n_embd.</summary>
    public int? Inner { get; init; }

    /// <summary>activation_function: gelu_new (tanh approximation), gelu (exact), silu or relu.</summary>
    public string ActivationFunction { get; init; } = "gelu_new";

    /// <summary>layer_norm_epsilon.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>initializer_range: standard deviation of the weights at the start.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>embd_pdrop and resid_pdrop: dropout of embeddings and of what blocks add to the residual stream.</summary>
    public double Dropout { get; init; }

    /// <summary>tie_word_embeddings: the head is the token table.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <inheritdoc/>
    public override string ModelType => "gpt2";

    /// <inheritdoc/>
    public override int VocabularySize => VocabSize;

    /// <inheritdoc/>
    public override int MaxPositions => Positions;

    /// <inheritdoc/>
    public override int Layers => LayerCount;

    /// <inheritdoc/>
    public override int Width => Embedding;

    internal override string BodyPrefix => "transformer.";

    internal override string TokenTableName => "transformer.wte.weight";

    /// <summary>The activation's name as kernels know it.</summary>
    internal string Activation => ActivationFunction switch
    {
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => "gelu_tanh",
        "gelu" => "gelu",
        "silu" or "swish" => "silu",
        "relu" => "relu",
        _ => throw new ArgumentException(
            $"activation_function '{ActivationFunction}' is not known; known are gelu_new, gelu, silu, relu"),
    };

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context) => Gpt2Model.Forward(context, this);

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => Gpt2Model.Head(graph, this);

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) => Gpt2Model.BeforeHead(hidden, this);

    /// <inheritdoc/>
    public override void Validate()
    {
        RequireLayers("n_layer");
        Require(VocabSize > 0 && Positions > 0 && Embedding > 0 && Heads > 0,
            "vocab_size, n_positions, n_embd and n_head must be 1 or more");
        Require(Embedding % Heads == 0, $"the width {Embedding} (n_embd) is not divisible by {Heads} heads (n_head): "
            + $"take a width of {Embedding / Heads * Heads} or {((Embedding / Heads) + 1) * Heads}, or another number of heads");
        Require(Dropout is >= 0 and < 1, $"dropout {Dropout} must be in [0, 1)");
        _ = Activation;
    }

    private protected override JsonObject Settings() => new()
    {
        ["architectures"] = new JsonArray("GPT2LMHeadModel"),
        ["model_type"] = ModelType,
        ["vocab_size"] = VocabSize,
        ["n_positions"] = Positions,
        ["n_embd"] = Embedding,
        ["n_layer"] = LayerCount,
        ["n_head"] = Heads,
        ["n_inner"] = Inner,
        ["activation_function"] = ActivationFunction,
        ["resid_pdrop"] = Real(Dropout),
        ["embd_pdrop"] = Real(Dropout),
        ["attn_pdrop"] = Real(0.0),
        ["layer_norm_epsilon"] = Real(LayerNormEpsilon),
        ["initializer_range"] = Real(InitializerRange),
        ["scale_attn_weights"] = true,
        ["tie_word_embeddings"] = TieWordEmbeddings,
    };

    internal static Gpt2Config Read(ConfigKeys keys)
    {
        keys.Ignore("embd_pdrop", "attn_pdrop"); // One rate of dropout, and none of attention's weights.
        return new Gpt2Config
        {
            VocabSize = keys.Integer("vocab_size", 50257),
            Positions = keys.Integer("n_positions", 1024),
            Embedding = keys.Integer("n_embd", 768),
            LayerCount = keys.Integer("n_layer", 12),
            Heads = keys.Integer("n_head", 12),
            Inner = keys.OptionalInteger("n_inner"),
            ActivationFunction = keys.Text("activation_function", "gelu_new"),
            Dropout = keys.Number("resid_pdrop", 0.1),
            LayerNormEpsilon = keys.Number("layer_norm_epsilon", 1e-5),
            InitializerRange = keys.Number("initializer_range", 0.02),
            TieWordEmbeddings = keys.Flag("tie_word_embeddings", true),
        };
    }
}
