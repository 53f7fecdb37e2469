using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models;

/// <summary>What a model's forward pass works on: a batch of sequences, and how it is masked, cached and dropped out.</summary>
public sealed class ForwardContext
{
    private readonly List<Tensor> _caches = [];
    private readonly List<Tensor> _hiddenStates = [];
    private Tensor? _tokenTypes;

    /// <summary>Declares the inputs of a forward pass over whole sequences (training, evaluation).</summary>
    public ForwardContext(Graph graph, long batch, long length)
    {
        Graph = graph;
        Batch = batch;
        Length = length;
        Tokens = graph.Input("tokens", DType.I32, batch, length);
    }

    /// <summary>
    /// A forward pass over rows that hold several sequences, or one and padding: where each token stands and which sequence it belongs to
    /// are inputs ("positions", "segments"), and which text of a pair it is from, if the model asks ("token_types").
    /// </summary>
    public static ForwardContext WithSegments(Graph graph, long batch, long length, Tensor? dropoutSeed = null) => new(graph, batch, length)
    {
        Positions = graph.Input("positions", DType.I32, batch, length),
        Segments = graph.Input("segments", DType.I32, batch, length),
        DropoutSeed = dropoutSeed,
    };

    /// <summary>
    /// A forward pass of an encoder-decoder: the sequences that the encoder reads, and how many tokens of each count, are inputs
    /// ("source", "source_lengths").
    /// </summary>
    public static ForwardContext WithSource(Graph graph, long batch, long length, long sourceLength, Tensor? dropoutSeed = null) =>
        new(graph, batch, length)
        {
            SourceLength = sourceLength,
            Source = graph.Input("source", DType.I32, batch, sourceLength),
            SourceLengths = graph.Input("source_lengths", DType.I32, batch),
            DropoutSeed = dropoutSeed,
        };

    /// <summary>The graph that the model is written to.</summary>
    public Graph Graph { get; }

    /// <summary>Number of sequences.</summary>
    public long Batch { get; }

    /// <summary>Tokens of each sequence.</summary>
    public long Length { get; }

    /// <summary>Token ids, [batch, length] int32.</summary>
    public Tensor Tokens { get; }

    /// <summary>Position of each token, [batch, length] int32; null if they are 0, 1, 2 ... in every sequence.</summary>
    public Tensor? Positions { get; init; }

    /// <summary>Document or padding segment of each token, [batch, length] int32; null if a sequence is one whole.</summary>
    public Tensor? Segments { get; init; }

    /// <summary>Token ids that an encoder reads, [batch, source length] int32; null where there are none.</summary>
    public Tensor? Source { get; init; }

    /// <summary>Tokens of each source, padding included.</summary>
    public long SourceLength { get; init; }

    /// <summary>How many tokens of each source count, [batch] int32; those behind are padding.</summary>
    public Tensor? SourceLengths { get; init; }

    /// <summary>
    /// Which text of a pair each token is from, [batch, length] int32: an input from when a model asks for it; null without segments,
    /// where all are from the first.
    /// </summary>
    public Tensor? TokenTypes => Segments is null ? null : _tokenTypes ??= Graph.Input("token_types", DType.I32, Batch, Length);

    /// <summary>{seed, step} for dropout, [2] int64; null for no dropout.</summary>
    public Tensor? DropoutSeed { get; init; }

    /// <summary>
    /// What the tokens' rows of the token table are replaced with, [batch · length, width] in the compute type; null to look the rows up.
    /// </summary>
    public Tensor? TokenEmbeddings { get; internal set; }

    /// <summary>The same for the tokens of the sources, [batch · source length, width].</summary>
    public Tensor? SourceEmbeddings { get; internal set; }

    /// <summary>
    /// The hidden states [batch · length, width] that the blocks work on, once the model is written down: what the first one reads, and
    /// what each gives. Of an encoder-decoder they are the decoder's.
    /// </summary>
    public IReadOnlyList<Tensor> HiddenStates => _hiddenStates;

    /// <summary>Positions that the key/value cache holds for each sequence; 0 if there is none.</summary>
    public long CacheCapacity { get; private set; }

    /// <summary>Keys and values kept from earlier runs, in the order of the layers: k, v, k, v ...</summary>
    public IReadOnlyList<Tensor> Caches => _caches;

    private Tensor? KeyLengths { get; set; }

    /// <summary>
    /// A forward pass that goes on from a key/value cache: positions and lengths are inputs ("positions", "key_lengths"), the
    /// caches too ("cache.0.k", ...), to be kept from run to run.
    /// </summary>
    public static ForwardContext WithCache(Graph graph, long batch, long length, long capacity) => new(graph, batch, length)
    {
        Positions = graph.Input("positions", DType.I32, batch, length),
        KeyLengths = graph.Input("key_lengths", DType.I32, batch),
        CacheCapacity = capacity,
    };

    /// <summary>
    /// The same for the decoder of an encoder-decoder, which finds the keys and values that its layers take from the sources in caches
    /// of their own (<see cref="SourceCache"/>); how many count is an input ("source_lengths").
    /// </summary>
    public static ForwardContext WithCache(Graph graph, long batch, long length, long capacity, long sourceCapacity) =>
        new(graph, batch, length)
        {
            Positions = graph.Input("positions", DType.I32, batch, length),
            KeyLengths = graph.Input("key_lengths", DType.I32, batch),
            CacheCapacity = capacity,
            SourceLength = sourceCapacity,
            SourceLengths = graph.Input("source_lengths", DType.I32, batch),
        };

    /// <summary>
    /// Keys and values that a decoder's layer takes from the sources, [batch, source length, heads, head size], kept from run to run
    /// ("source.0.k", "source.0.v", ...).
    /// </summary>
    public (Tensor Keys, Tensor Values) SourceCache(int layer, long heads, long headSize) =>
        (SourceInput($"source.{layer}.k", SourceLength, heads, headSize), SourceInput($"source.{layer}.v", SourceLength, heads, headSize));

    /// <summary>Writes keys and values [batch, source length, heads, head size] to the beginning of such caches.</summary>
    internal void WriteSourceCache(int layer, long capacity, Tensor keys, Tensor values)
    {
        foreach (var (name, x) in new[] { ($"source.{layer}.k", keys), ($"source.{layer}.v", values) })
            Attention.WriteCache(x, Counting(SourceLength), SourceInput(name, capacity, x.Shape[2], x.Shape[3]));
    }

    /// <summary>Positions 0, 1, 2 ... of every sequence, [batch, length] int32.</summary>
    internal Tensor Counting(long length)
    {
        var positions = new int[Batch * length];
        for (var i = 0; i < positions.Length; i++)
            positions[i] = (int)(i % length);
        return Graph.Constant("positions", DType.I32, MemoryMarshal.AsBytes<int>(positions).ToArray(), Batch, length);
    }

    /// <summary>Self-attention of an encoder over its sources: q, k and v [B, S, H, D]. Every token sees every token.</summary>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="scale">Factor on q·k; 0 for 1/sqrt(D).</param>
    /// <param name="bias">What is added to scores by distance (<see cref="Attention.Apply"/>); null for nothing.</param>
    public Tensor SourceAttention(Tensor q, Tensor k, Tensor v, double scale = 0, Tensor? bias = null) =>
        Attention.Apply(q, k, v, new AttentionMask(Causal: false), keyLengths: SourceLengths, scale: scale, bias: bias);

    /// <summary>Self-attention of q [B, T, H, D] over k and v [B, T, KV, D], through the cache if there is one.</summary>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="mask">Which keys a query sees.</param>
    /// <param name="scale">Factor on q·k; 0 for 1/sqrt(D).</param>
    /// <param name="bias">What is added to scores by distance (<see cref="Attention.Apply"/>); null for nothing.</param>
    public Tensor SelfAttention(Tensor q, Tensor k, Tensor v, AttentionMask mask, double scale = 0, Tensor? bias = null)
    {
        if (CacheCapacity == 0)
            return Attention.Apply(q, k, v, mask, Segments, Segments, scale: scale, bias: bias);
        var layer = _caches.Count / 2;
        var keys = Cache($"cache.{layer}.k", k);
        var values = Cache($"cache.{layer}.v", v);
        return Attention.Apply(q, keys, values, mask, keyLengths: KeyLengths, scale: scale, bias: bias);
    }

    /// <summary>The rows of the token table for the tokens.</summary>
    internal Tensor Embed(Tensor table) => TokenEmbeddings ?? Embedding.Apply(Tokens, table);

    /// <summary>The rows of the token table for the tokens of the sources.</summary>
    internal Tensor EmbedSource(Tensor table) => SourceEmbeddings ?? Embedding.Apply(Source!, table);

    /// <summary>Notes what goes from block to block, and gives it back.</summary>
    internal Tensor Hidden(Tensor x)
    {
        _hiddenStates.Add(x);
        return x;
    }

    /// <summary>x with elements dropped at the given rate while training.</summary>
    public Tensor Dropout(Tensor x, double rate) => Graphs.Ops.Dropout.Apply(x, rate, DropoutSeed);

    private Tensor SourceInput(string name, long capacity, long heads, long headSize) =>
        Graph.Input(name, Graph.ComputeType, Batch, capacity, heads, headSize);

    private Tensor Cache(string name, Tensor x)
    {
        var cache = Graph.Input(name, x.DType, Batch, CacheCapacity, x.Shape[2], x.Shape[3]);
        _caches.Add(cache);
        Attention.WriteCache(x, Positions!, cache);
        return cache;
    }
}
