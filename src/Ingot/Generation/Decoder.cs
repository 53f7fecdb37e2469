using System.Numerics;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Generation;

/// <summary>
/// Runs a model on sequences of tokens with a key/value cache, so that no token is read twice. A prompt is read by itself, in pieces of
/// up to 512 tokens (padded to a power of two, so that few programs serve all prompts); then its keys and values go to a row of the
/// cache, and one program writes a further token of every row at a time. What a sequence gets does not depend on the other rows: up to
/// 16 rows bit for bit, beyond that, where matrix products are cut differently, up to rounding.
/// <para>
/// The encoder of an encoder-decoder reads a source once (<see cref="ReadSource"/>), and what the decoder's layers take from it is kept in
/// caches, too.
/// </para>
/// </summary>
/// <remarks>
/// Not to be used by several threads at once. Memory grows with what is asked for: rows · tokens · 2 · layers · key/value width.
/// </remarks>
public sealed class Decoder : IDisposable
{
    /// <summary>Tokens of a prompt that are read at once: enough for matrix products at full speed, few enough for little memory.</summary>
    private const int PromptPiece = 512;

    /// <summary>Fewest positions of a cache, so that short texts do not make it grow again and again.</summary>
    private const int SmallestCapacity = 256;

    /// <summary>The same for what is kept of sources.</summary>
    private const int SmallestSourceCapacity = 32;

    private readonly ModelConfig _model;
    private readonly ParameterStore _parameters;
    private readonly Dictionary<(int Rows, int Length, int FirstRow), CompiledGraph> _programs = [];
    private readonly Dictionary<int, CompiledGraph> _draws = [];
    private readonly Dictionary<int, CompiledGraph> _encoders = [];
    private KeyValueCache? _cache;
    private KeyValueCache? _sources; // Of an encoder-decoder only.
    private int[] _sourceLengths = [];
    private DeviceBuffer? _logits;

    /// <summary>The tokens, from the first position on, whose keys and values <see cref="PromptRow"/> holds.</summary>
    private readonly List<int> _held = [];

    /// <summary>Prepares decoding of sequences of at most <paramref name="capacity"/> tokens (0: the model's context).</summary>
    /// <exception cref="ArgumentException">The model does not write text.</exception>
    public Decoder(ModelConfig model, ParameterStore parameters, int capacity = 0)
    {
        if (!model.Task.Writes())
        {
            throw new ArgumentException($"a {model.ModelType} for {model.Task.Name()} does not write text: that takes a causal language "
                + "model, such as a gpt2 or a llama, or an encoder-decoder");
        }

        _model = model;
        _parameters = parameters;
        Context = capacity is 0 ? model.MaxPositions : Math.Min(capacity, model.MaxPositions);
    }

    /// <summary>Most tokens that the model sees at once.</summary>
    public int Context { get; }

    /// <summary>The model, if it is one whose sequences have sources, which an encoder reads.</summary>
    internal EncoderDecoderConfig? EncoderDecoder => _model.EncoderDecoder;

    /// <summary>Kernel variants by op or layer/op (<see cref="KernelChoices"/>); other calls take the default.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether each call is measured.</summary>
    internal bool Timed { get; init; }

    /// <summary>Number of token ids.</summary>
    internal int Vocabulary => _model.VocabularySize;

    /// <summary>
    /// Tokens that follow <paramref name="prompt"/>, until <see cref="GenerationOptions.MaxNewTokens"/> or <paramref name="stop"/>.
    /// When the context is full, writing goes on from its second half.
    /// </summary>
    public IEnumerable<int> Write(IReadOnlyList<int> prompt, GenerationOptions options, int? stop = null)
    {
        options.Validate();
        var sequence = new Sequence(options.Fit(prompt, Context), options.Seed, options.NewTokens(prompt.Count));
        var ends = stop is { } id ? [id] : options.EosTokenIds ?? [];
        return new SequenceWriter(this, options, ends).Write([sequence], 1).Select(written => written.Token).Where(token => token >= 0);
    }

    /// <summary>Logits [vocabulary] of what follows the tokens.</summary>
    /// <param name="tokens">The tokens; of an encoder-decoder those of the decoder.</param>
    /// <param name="source">What the encoder of an encoder-decoder reads; null for other models.</param>
    public float[] Logits(IReadOnlyList<int> tokens, IReadOnlyList<int>? source = null)
    {
        Reserve(1, tokens.Count, source?.Count ?? 0);
        if (source is not null)
            ReadSource(source);
        return Logits(tokens, cached: 0);
    }

    /// <summary>The same when the cache holds the first <paramref name="cached"/> tokens already, but not all.</summary>
    internal float[] Logits(IReadOnlyList<int> tokens, int cached)
    {
        Reserve(1, tokens.Count);
        ReadPrompt(tokens, cached);
        var logits = new float[Vocabulary];
        ReadLogits(PromptRow, logits);
        return logits;
    }

    /// <summary>
    /// Makes room for so many rows (besides the one that prompts are read in, if it is more than one) of so many tokens, and for sources
    /// of so many. What the cache held may be lost.
    /// </summary>
    internal void Reserve(int rows, int tokens, int sourceTokens = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, Context);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sourceTokens, Context);
        var needed = rows == 1 ? 1 : rows + 1;
        if (_cache is not null && _cache.Rows >= needed && _cache.Capacity >= tokens
            && (_sources is null || _sources.Capacity >= sourceTokens))
            return;
        var capacity = Math.Max(tokens, _cache?.Capacity ?? SmallestCapacity);
        var sourceCapacity = Math.Max(sourceTokens, _sources?.Capacity ?? SmallestSourceCapacity);
        Release();
        _cache = new KeyValueCache(_parameters.Device, needed, (int)Math.Min(Context, BitOperations.RoundUpToPowerOf2((uint)capacity)));
        if (EncoderDecoder is not null)
        {
            var most = (int)Math.Min(Context, BitOperations.RoundUpToPowerOf2((uint)sourceCapacity));
            (_sources, _sourceLengths) = (new KeyValueCache(_parameters.Device, needed, most), new int[needed]);
        }

        _logits = new DeviceBuffer(_parameters.Device, 4L * Vocabulary * needed);
        // Rows that no sequence has yet are drawn from, too.
        _logits.Fill(0, 0, _logits.Bytes);
    }

    /// <summary>The row in which prompts are read: the last, or the only one.</summary>
    internal int PromptRow => _cache!.Rows - 1;

    /// <summary>
    /// Has the encoder read a source, and keeps what the decoder takes from it for <see cref="PromptRow"/>; the prompt that is read then
    /// is the decoder's.
    /// </summary>
    internal void ReadSource(IReadOnlyList<int> source)
    {
        ArgumentOutOfRangeException.ThrowIfZero(source.Count);
        var length = (int)Math.Min(_sources!.Capacity, BitOperations.RoundUpToPowerOf2((uint)source.Count));
        if (!_encoders.TryGetValue(length, out var program))
            _encoders.Add(length, program = CompileEncoder(length));
        var tokens = new int[length];
        for (var i = 0; i < source.Count; i++)
            tokens[i] = source[i];
        program.Set<int>("source", tokens);
        program.Set<int>("source_lengths", [source.Count]);
        program.Run();
        _sourceLengths[PromptRow] = source.Count;
        Forget(0); // It was read with another source.
    }

    /// <summary>How many of a prompt's first tokens <see cref="PromptRow"/> holds already; never all, as the last one has to be read.</summary>
    internal int CountHeld(IReadOnlyList<int> prompt)
    {
        var most = Math.Min(_held.Count, prompt.Count - 1);
        for (var i = 0; i < most; i++)
        {
            if (_held[i] != prompt[i])
                return i;
        }

        return most;
    }

    /// <summary>
    /// Reads a prompt in <see cref="PromptRow"/>, whose cache holds the first <paramref name="cached"/> of its tokens already. The logits
    /// of what follows are that row's then.
    /// </summary>
    internal void ReadPrompt(IReadOnlyList<int> prompt, int cached = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(cached, prompt.Count);
        while (cached < prompt.Count)
        {
            var (count, length) = Piece(prompt.Count - cached, _cache!.Capacity - cached);
            var program = ProgramFor(1, length, PromptRow);
            var tokens = new int[length];
            var positions = new int[length];
            for (var t = 0; t < length; t++)
            {
                // Padding lies behind the tokens, where no token sees it, and is overwritten when its position is reached.
                tokens[t] = t < count ? prompt[cached + t] : 0;
                positions[t] = cached + t;
            }

            Forget(cached);
            Run(program, tokens, positions, [cached + length], [count - 1], PromptRow);
            Hold(cached, prompt.Skip(cached).Take(count));
            cached += count;
        }
    }

    /// <summary>
    /// Reads a further token of every row from the first on: its id and its place in the context. The logits of what follows are these
    /// rows' then.
    /// </summary>
    internal void Step(ReadOnlySpan<int> tokens, ReadOnlySpan<int> positions)
    {
        var rows = RowsFor(tokens.Length);
        var ids = new int[rows];
        var places = new int[rows];
        var lengths = new int[rows];
        var last = new int[rows];
        tokens.CopyTo(ids);
        positions.CopyTo(places);
        for (var row = 0; row < rows; row++)
            (lengths[row], last[row]) = (places[row] + 1, row);
        if (PromptRow == 0)
            Forget(places[0]);
        Run(ProgramFor(rows, 1, 0), ids, places, lengths, last, firstRow: 0);
        if (PromptRow == 0)
            Hold(places[0], [ids[0]]);
    }

    /// <summary>
    /// Draws a token for every row from the first on, from its logits.
    /// </summary>
    /// <param name="settings">{temperature, top-k, top-p, min-p} of the op <c>sample</c>.</param>
    /// <param name="random">{seed, number} of each row's draw.</param>
    /// <param name="ids">Receives the tokens.</param>
    internal void Draw(ReadOnlySpan<float> settings, ReadOnlySpan<(long Seed, long Number)> random, Span<int> ids)
    {
        var rows = RowsFor(ids.Length);
        if (!_draws.TryGetValue(rows, out var program))
            _draws.Add(rows, program = CompileDraw(rows));
        var numbers = new long[2 * rows];
        for (var row = 0; row < ids.Length; row++)
            (numbers[2 * row], numbers[(2 * row) + 1]) = random[row];
        program.Set("settings", settings);
        program.Set<long>("random", numbers);
        program.Run();
        var drawn = new int[rows];
        program.Get<int>("ids", drawn);
        drawn.AsSpan(0, ids.Length).CopyTo(ids);
    }

    /// <summary>Reads a row's logits.</summary>
    internal void ReadLogits(int row, Span<float> logits) => _logits!.Read(logits, 4L * Vocabulary * row);

    /// <summary>Changes a row's logits.</summary>
    internal void WriteLogits(int row, ReadOnlySpan<float> logits) => _logits!.Write(logits, 4L * Vocabulary * row);

    /// <summary>How long each call of a step with so many rows takes, and of the draw after it.</summary>
    internal IReadOnlyList<CallInfo> StepCalls(int rows) =>
        [.. ProgramFor(RowsFor(rows), 1, 0).Program.GetCalls(), .. _draws[RowsFor(rows)].Program.GetCalls()];

    /// <summary>Copies positions [first, end) of a row's keys and values to another row.</summary>
    internal void CopyCache(int from, int to, int first, int end)
    {
        if (to == PromptRow)
            Forget(first);
        _cache!.CopyRow(from, to, first, end);
    }

    /// <summary>Moves a sequence, its source included, to another row, of which so many positions are kept.</summary>
    internal void MoveRow(int from, int to, int length)
    {
        CopyCache(from, to, 0, length);
        CopySource(from, to);
    }

    /// <summary>
    /// Gives a row what was read in <see cref="PromptRow"/>: a prompt of that length with its source, and the logits of what follows.
    /// </summary>
    internal void TakePrompt(int row, int length)
    {
        if (row == PromptRow)
            return;
        MoveRow(PromptRow, row, length);
        var bytes = 4L * Vocabulary;
        _logits!.CopyTo(PromptRow * bytes, _logits, row * bytes, bytes);
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    private void Release()
    {
        foreach (var program in _programs.Values.Concat(_draws.Values).Concat(_encoders.Values))
            program.Dispose();
        _programs.Clear();
        _draws.Clear();
        _encoders.Clear();
        _cache?.Dispose();
        _sources?.Dispose();
        _logits?.Dispose();
        (_cache, _sources, _logits) = (null, null, null);
        Forget(0);
    }

    /// <summary>What <see cref="PromptRow"/> holds from a position on is about to be overwritten.</summary>
    private void Forget(int position)
    {
        if (position < _held.Count)
            _held.RemoveRange(position, _held.Count - position);
    }

    /// <summary>Notes what <see cref="PromptRow"/> holds from a position on; without what lies before, it would be of no use.</summary>
    private void Hold(int position, IEnumerable<int> tokens)
    {
        if (position == _held.Count)
            _held.AddRange(tokens);
    }

    private void CopySource(int from, int to)
    {
        if (_sources is null)
            return;
        _sources.CopyRow(from, to, 0, _sourceLengths[from]);
        _sourceLengths[to] = _sourceLengths[from];
    }

    private void Run(CompiledGraph program, int[] tokens, int[] positions, int[] keyLengths, int[] last, int firstRow)
    {
        if (_sources is not null)
            program.Set<int>("source_lengths", _sourceLengths.AsSpan(firstRow, keyLengths.Length));
        program.Set<int>("tokens", tokens);
        program.Set<int>("positions", positions);
        program.Set<int>("key_lengths", keyLengths);
        program.Set<int>("last", last);
        program.Run();
    }

    /// <summary>How many of the tokens left are read next, and the length of the program that does it, in the room left.</summary>
    private static (int Count, int Length) Piece(int left, int room)
    {
        var count = Math.Min(left, PromptPiece);
        var length = (int)BitOperations.RoundUpToPowerOf2((uint)count);
        // At the end of the context, where padding has no room: less at once.
        while (length > room)
            length /= 2;
        return (Math.Min(count, length), length);
    }

    /// <summary>Rows of the program that serves so many.</summary>
    private int RowsFor(int count) => (int)Math.Min(Math.Max(1, PromptRow), BitOperations.RoundUpToPowerOf2((uint)count));

    private CompiledGraph ProgramFor(int rows, int length, int firstRow)
    {
        if (!_programs.TryGetValue((rows, length, firstRow), out var program))
            _programs.Add((rows, length, firstRow), program = Compile(rows, length, firstRow));
        return program;
    }

    private CompiledGraph Compile(int rows, int length, int firstRow)
    {
        var graph = new Graph(_parameters.ComputeType);
        var context = _sources is null
            ? ForwardContext.WithCache(graph, rows, length, _cache!.Capacity)
            : ForwardContext.WithCache(graph, rows, length, _cache!.Capacity, _sources.Capacity);
        var hidden = _model.Forward(context);
        var last = Embedding.Apply(graph.Input("last", DType.I32, rows), hidden);
        var logits = Linear.Apply(last, _model.HeadWeight(graph), _model.HeadBias(graph));
        graph.Output("logits", Elementwise.Cast(logits, DType.F32));
        var output = graph.Outputs["logits"].Storage;
        return CompiledGraph.Compile(graph, _parameters, new CompileOptions
        {
            Timed = Timed,
            Kernels = Kernels,
            IsPart = EncoderDecoder is not null,
            Bind = storage => storage == output ? LogitsFrom(firstRow)
                : storage.Name.StartsWith("cache.", StringComparison.Ordinal) ? _cache.PlaceOf(storage, rows, firstRow)
                : PlaceOfSource(storage, rows, firstRow),
        });
    }

    private CompiledGraph CompileEncoder(int length)
    {
        var graph = new Graph(_parameters.ComputeType);
        _model.ReadSource(ForwardContext.WithSource(graph, 1, 1, length), _sources!.Capacity);
        return CompiledGraph.Compile(graph, _parameters, new CompileOptions
        {
            Timed = Timed,
            Kernels = Kernels,
            IsPart = EncoderDecoder is not null,
            Bind = storage => PlaceOfSource(storage, 1, PromptRow),
        });
    }

    private Place? PlaceOfSource(Storage storage, int rows, int firstRow) =>
        storage.Name.StartsWith("source.", StringComparison.Ordinal) ? _sources!.PlaceOf(storage, rows, firstRow) : null;

    private CompiledGraph CompileDraw(int rows)
    {
        var graph = new Graph();
        var logits = graph.Input("logits", DType.F32, rows, Vocabulary);
        graph.Output("ids", Sample.Apply(logits, graph.Input("settings", DType.F32, 4), graph.Input("random", DType.I64, rows, 2)));
        return CompiledGraph.Compile(graph, _parameters, new CompileOptions
        {
            Timed = Timed,
            Kernels = Kernels,
            IsPart = EncoderDecoder is not null,
            Bind = storage => storage == logits.Storage ? LogitsFrom(0) : null,
        });
    }

    private Place LogitsFrom(int row) => new(_logits!, 4L * Vocabulary * row);
}
