using System.Globalization;
using System.Text.Json.Nodes;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models.Bert;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Models.T5;
using Ingot.Models.Transformer;

namespace Ingot.Models;

/// <summary>
/// A model: its sizes, and how it is written down as a graph. Each family is a record with the same few members; parameter
/// names are those of its Hugging Face files, so that a checkpoint needs no translation.
/// </summary>
public abstract record ModelConfig
{
    /// <summary>model_type of the families that there are.</summary>
    public static IReadOnlyList<string> Families { get; } = ["gpt2", "llama", "qwen2", "qwen3", "marian", "m2m_100", "t5", "mt5", "bert",
        "roberta"];

    /// <summary>Hugging Face's model_type: one of <see cref="Families"/>.</summary>
    public abstract string ModelType { get; }

    /// <summary>What the head is for.</summary>
    public virtual ModelTask Task => ModelTask.CausalLm;

    /// <summary>Number of token ids.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Most tokens of a sequence.</summary>
    public abstract int MaxPositions { get; }

    /// <summary>Number of Transformer blocks.</summary>
    public abstract int Layers { get; }

    /// <summary>Width of the residual stream.</summary>
    public abstract int Width { get; }

    /// <summary>The model, or the one that an adapter is on, where that has a source to read; null where it has none.</summary>
    internal virtual EncoderDecoderConfig? EncoderDecoder => null;

    /// <summary>What the names of all parameters but the head begin with; some files leave it out.</summary>
    internal abstract string BodyPrefix { get; }

    /// <summary>Name of the parameter that holds the embeddings of the tokens.</summary>
    internal abstract string TokenTableName { get; }

    /// <summary>Names under which files may hold copies of the token table.</summary>
    internal virtual IReadOnlyList<string> TokenTableCopies => ["lm_head.weight"];

    /// <summary>Names under which files repeat a parameter, and the parameter's own: a head that is tied to the token table.</summary>
    internal virtual IReadOnlyDictionary<string, string> TiedNames => TokenTableCopies.ToDictionary(name => name, _ => TokenTableName);

    /// <summary>Whether a tensor of a file follows from the sizes, so that it need not be read.</summary>
    internal virtual bool IsBuffer(string name) => false;

    /// <summary>bos_token_id: the token at the beginning of a document; null if the vocabulary has none.</summary>
    public int? BeginOfText { get; init; }

    /// <summary>eos_token_id: the tokens that end a document or an answer; empty if the vocabulary has none.</summary>
    public IReadOnlyList<int> EndOfText { get; init; } = [];

    /// <summary>id2label: names of what a classifier chooses from, by id; empty for other tasks.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>
    /// What config.json says besides and what does not change the computation, such as pad_token_id; it is written again.
    /// </summary>
    public JsonObject? OtherSettings { get; init; }

    /// <summary>
    /// Writes the model down up to what the head's last layer reads: token ids of the context → [batch · length, width], or
    /// [batch, width] where a whole sequence gets a label.
    /// </summary>
    public abstract Tensor Forward(ForwardContext context);

    /// <summary>The weight of the head's last layer as [width, vocabulary or labels].</summary>
    /// <exception cref="InvalidOperationException">The model has no head (<see cref="ModelTask.FeatureExtraction"/>).</exception>
    public abstract Tensor HeadWeight(Graph graph);

    /// <summary>The bias of the head's last layer; null if it has none.</summary>
    public virtual Tensor? HeadBias(Graph graph) => null;

    /// <summary>
    /// What lies between the last block and the head's last layer, such as a norm: hidden states [batch · length, width] of any block
    /// → what <see cref="HeadWeight"/> is multiplied with. <see cref="Forward"/> ends with it.
    /// </summary>
    internal virtual Tensor BeforeHead(ForwardContext context, Tensor hidden) =>
        throw new NotSupportedException($"hidden states of a {ModelType} cannot be read through its head");

    /// <summary>
    /// Of an encoder-decoder, writes down the other half of decoding with caches: the encoder reads the sources, and what every layer of
    /// the decoder takes from them goes to the first positions of its caches.
    /// </summary>
    /// <param name="context">With sources.</param>
    /// <param name="capacity">Positions of the caches, as many as the sources' at least.</param>
    internal virtual void ReadSource(ForwardContext context, long capacity) =>
        throw new NotSupportedException($"a {ModelType} has no encoder that reads a source");

    /// <summary>Logits of the head: [batch · length, vocabulary or labels], or [batch, labels].</summary>
    public Tensor Logits(ForwardContext context) =>
        Linear.Apply(Forward(context), HeadWeight(context.Graph), HeadBias(context.Graph));

    /// <summary>Losses of the head, one for each row of <see cref="Forward"/>, whose gradients are times scale.</summary>
    /// <param name="context">The batch.</param>
    /// <param name="targets">One for each row of <see cref="Forward"/>, int32 (<see cref="TargetsInput"/>).</param>
    /// <param name="scale">See <see cref="Head.CrossEntropy"/>.</param>
    /// <param name="ignoreIndex">Targets that do not count.</param>
    /// <param name="labelSmoothing">Label smoothing.</param>
    /// <param name="predictions">Keeps the likeliest of every row as the graph's output of that name; null for none.</param>
    public Tensor Losses(ForwardContext context, Tensor targets, Tensor scale, int ignoreIndex, double labelSmoothing = 0,
        string? predictions = null) =>
        Head.CrossEntropy(Forward(context), HeadWeight(context.Graph), targets, scale, ignoreIndex, labelSmoothing,
            bias: HeadBias(context.Graph), predictions: predictions);

    /// <summary>The input "targets" of a batch: one for each row of <see cref="Forward"/>.</summary>
    internal Tensor TargetsInput(Graph graph, int batch, int length) =>
        graph.Input("targets", DType.I32, batch, TargetsOf(1, length));

    /// <summary>
    /// Takes from the targets of a batch, [rows, length], those that the input has: all or, where a whole sequence has one, that at its
    /// first token.
    /// </summary>
    internal void TakeTargets(ReadOnlySpan<int> targets, int length, Span<int> taken)
    {
        var every = length / TargetsOf(1, length);
        for (var i = 0; i < taken.Length; i++)
            taken[i] = targets[i * every];
    }

    /// <summary>Rows of <see cref="Forward"/> for so many sequences.</summary>
    internal int TargetsOf(int rows, int length) => Task == ModelTask.SequenceClassification ? rows : rows * length;

    /// <summary>The same model with a head for another task, and the labels that a classifier has.</summary>
    /// <exception cref="ArgumentException">The family has no such head.</exception>
    public virtual ModelConfig ForTask(ModelTask task, IReadOnlyList<string> labels) => task == Task ? this
        : throw new ArgumentException($"a {ModelType} has no head for {task.Name()}: that takes a bert or a roberta");

    /// <summary>The model as a file of weights has it that holds tensors of these names: a part may be there or not.</summary>
    internal virtual ModelConfig AsIn(IReadOnlySet<string> names) => this;

    /// <summary>The name that a tensor of a file has today, where older files or those of other heads have another.</summary>
    internal virtual string CanonicalName(string name) => name;

    /// <summary>Whether a tensor of a file belongs to a head that this model does not have.</summary>
    /// <param name="name">The tensor's canonical name.</param>
    /// <param name="newLabels">Whether the file's classifier chooses among other labels, so that it is not this model's.</param>
    internal virtual bool IsOfOtherHead(string name, bool newLabels) => false;

    /// <summary>Whether a parameter belongs to the head, so that a model for another task does not have it.</summary>
    internal virtual bool IsOfHead(string parameter) => false;

    /// <summary>Hugging Face's config.json, as versions 4 and 5 of transformers read it.</summary>
    public JsonObject ToJson()
    {
        var json = Settings();
        json["bos_token_id"] = BeginOfText;
        json["eos_token_id"] = EndOfText.Count switch
        {
            0 => null,
            1 => EndOfText[0],
            _ => new JsonArray([.. EndOfText.Select(id => (JsonNode)id)]),
        };
        json["torch_dtype"] = "float32";
        foreach (var (key, value) in OtherSettings ?? [])
            json.TryAdd(key, value?.DeepClone());
        return json;
    }

    /// <summary>Throws an <see cref="ArgumentException"/> that names what does not fit and the way out.</summary>
    public abstract void Validate();

    /// <summary>Reads a config.json of transformers 4 or 5.</summary>
    /// <exception cref="FormatException">
    /// A key is missing or wrong, asks for a computation that is not supported, or the model type is not known; the message names it.
    /// </exception>
    /// <exception cref="ArgumentException">The sizes do not fit together, or a key is there twice.</exception>
    public static ModelConfig FromJson(JsonObject json)
    {
        var keys = new ConfigKeys(json);
        RefuseOtherComputations(keys);
        keys.Expect("is_encoder_decoder", keys.Text("model_type") is "marian" or "m2m_100" or "t5" or "mt5");
        ModelConfig config = keys.Text("model_type") switch
        {
            "gpt2" => Gpt2Config.Read(keys),
            "llama" => LlamaConfig.Read(keys, LlamaFlavor.Llama),
            "qwen2" => LlamaConfig.Read(keys, LlamaFlavor.Qwen2),
            "qwen3" => LlamaConfig.Read(keys, LlamaFlavor.Qwen3),
            "marian" => MarianConfig.Read(keys),
            "m2m_100" => M2M100Config.Read(keys),
            "t5" => T5Config.Read(keys, T5Flavor.T5),
            "mt5" => T5Config.Read(keys, T5Flavor.Mt5),
            "bert" => BertConfig.Read(keys, BertFlavor.Bert),
            "roberta" => BertConfig.Read(keys, BertFlavor.Roberta),
            var other => throw new FormatException($"model_type '{other}' is not supported; supported are {string.Join(", ", Families)}"),
        };
        config = config with
        {
            BeginOfText = keys.OptionalInteger("bos_token_id"),
            EndOfText = keys.Ids("eos_token_id"),
            OtherSettings = keys.Rest(),
        };
        config.Validate();
        return config;
    }

    /// <summary>Parameters that the model declares, in order.</summary>
    public IReadOnlyList<ParameterInfo> DeclareParameters()
    {
        var graph = new Graph();
        Forward(SmallestContext(graph));
        if (Task != ModelTask.FeatureExtraction)
        {
            HeadWeight(graph);
            HeadBias(graph);
        }

        return graph.Parameters;
    }

    /// <summary>Floating-point operations that training takes for each token: 6 N + 6 L C T, N with a tied head once.</summary>
    public virtual double TrainingFlopsPerToken(long length) =>
        (6.0 * DeclareParameters().Sum(p => p.Elements)) + (6.0 * Layers * Width * length);

    /// <summary>The inputs of a forward pass over a token: enough for its parameters to be declared.</summary>
    internal virtual ForwardContext SmallestContext(Graph graph) => new(graph, 1, 1);

    /// <summary>The family's own keys of config.json.</summary>
    private protected abstract JsonObject Settings();

    /// <summary>
    /// Settings of any family that change what a model computes, and that this library does not compute. What else is there besides the
    /// known keys says how a model was made or used.
    /// </summary>
    private static void RefuseOtherComputations(ConfigKeys keys)
    {
        keys.Expect("quantization_config", null);
        keys.Expect("compression_config", null);
        keys.Expect("add_cross_attention", false);
        keys.Expect("scale_attn_weights", true);
        keys.Expect("scale_attn_by_inverse_layer_idx", false);
        keys.Expect("use_sliding_window", false);
        keys.Expect("mlp_bias", false);
        keys.Expect("partial_rotary_factor", 1);
        keys.Expect("attn_logit_softcapping", null);
        keys.Expect("final_logit_softcapping", null);
        keys.Expect("embedding_multiplier", 1);
        keys.Expect("residual_multiplier", 1);
        keys.Expect("attention_multiplier", null);
        keys.Expect("logits_scaling", 1);
        keys.ExpectEach("layer_types", "full_attention");
        // Who wrote the file, and what follows from other keys.
        keys.Ignore("architectures", "transformers_version", "_name_or_path", "torch_dtype", "dtype", "auto_map", "n_ctx");
    }

    /// <summary>A number that keeps its point where it is whole: readers with strict types refuse 10000 where 10000.0 belongs.</summary>
    internal static JsonNode Real(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        return JsonNode.Parse(text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text)!;
    }

    /// <summary>More than any published model has; far more would be a slip that takes all memory before a plan could say so.</summary>
    private protected const int MostLayers = 1000;

    private protected void RequireLayers(string key) =>
        Require(Layers is > 0 and <= MostLayers, $"{key} is {Layers}; a model has 1 to {MostLayers} layers");

    private protected static void Require(bool condition, string message)
    {
        if (!condition)
            throw new ArgumentException(message);
    }
}
