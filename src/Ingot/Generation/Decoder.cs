using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Generation;

/// <summary>
/// Writes on from a sequence of tokens, one token a run, with a key/value cache. One program reads the prompt (padded to a power
/// of two, so that few programs serve all prompts), another writes every further token.
/// </summary>
public sealed class Decoder : IDisposable
{
    // The cheapest draw, for runs whose logits only are wanted; it refuses logits that are not finite.
    private static readonly GenerationOptions Greedy = new() { Temperature = 0 };

    private readonly ModelConfig _model;
    private readonly ParameterStore _parameters;
    private readonly int _capacity;
    private readonly Dictionary<string, DeviceBuffer> _caches = [];
    private readonly Dictionary<int, CompiledGraph> _programs = [];

    /// <summary>Prepares decoding of sequences of at most <paramref name="capacity"/> tokens (0: the model's context).</summary>
    public Decoder(ModelConfig model, ParameterStore parameters, int capacity = 0)
    {
        _model = model;
        _parameters = parameters;
        _capacity = capacity is 0 ? model.MaxPositions : Math.Min(capacity, model.MaxPositions);
    }

    /// <summary>
    /// Tokens that follow <paramref name="prompt"/>, until <see cref="GenerationOptions.MaxNewTokens"/> or <paramref name="stop"/>.
    /// When the context is full, writing goes on from its second half.
    /// </summary>
    public IEnumerable<int> Write(IReadOnlyList<int> prompt, GenerationOptions options, int? stop = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(prompt.Count, nameof(prompt));
        options.Validate();
        var context = prompt.Skip(Math.Max(0, prompt.Count - _capacity)).ToList();
        var onHost = HostSampler.IsNeeded(options);
        List<int> all = onHost ? [.. prompt] : [];
        var cached = 0;
        for (var i = 0; i < options.MaxNewTokens; i++)
        {
            if (context.Count >= _capacity)
            {
                context.RemoveRange(0, context.Count - Math.Max(1, _capacity / 2));
                cached = 0;
            }

            var token = onHost ? StepOnHost(context, cached, all, prompt.Count, options, i) : Step(context, cached, options, i);
            cached = context.Count;
            if (token == stop)
                yield break;
            context.Add(token);
            if (onHost)
                all.Add(token);
            yield return token;
        }
    }

    /// <summary>Logits [vocabulary] of what follows the tokens.</summary>
    public float[] Logits(IReadOnlyList<int> tokens) => Logits(tokens, cached: 0);

    /// <summary>The same when the cache holds the first <paramref name="cached"/> tokens already: all but the last, or none.</summary>
    internal float[] Logits(IReadOnlyList<int> tokens, int cached)
    {
        Run(tokens, cached, Greedy, 0);
        var logits = new float[_model.VocabularySize];
        ProgramFor(tokens.Count - cached).Get<float>("logits", logits);
        return logits;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var program in _programs.Values)
            program.Dispose();
        foreach (var cache in _caches.Values)
            cache.Dispose();
    }

    private int Step(List<int> context, int cached, GenerationOptions options, long number)
    {
        Run(context, cached, options, number);
        return ProgramFor(context.Count - cached).Get<int>("ids");
    }

    /// <summary>The same from logits on the host; <paramref name="all"/> has the tokens that the context has lost, too.</summary>
    private int StepOnHost(List<int> context, int cached, List<int> all, int promptLength, GenerationOptions options, long number) =>
        HostSampler.Next(Logits(context, cached), CollectionsMarshal.AsSpan(all), promptLength, options, number);

    /// <summary>Runs the tokens that the cache does not hold yet.</summary>
    private void Run(IReadOnlyList<int> context, int cached, GenerationOptions options, long number)
    {
        var count = context.Count - cached;
        var program = ProgramFor(count);
        var length = LengthFor(count);
        var tokens = new int[length];
        var positions = new int[length];
        for (var t = 0; t < tokens.Length; t++)
        {
            // Padding lies behind the tokens, where no token sees it, and is overwritten when its position is reached.
            tokens[t] = t < count ? context[cached + t] : 0;
            positions[t] = cached + t;
        }

        program.Set<int>("tokens", tokens);
        program.Set<int>("positions", positions);
        program.Set<int>("key_lengths", [cached + length]);
        program.Set<int>("last", [count - 1]);
        program.Set<float>("settings", [(float)options.Temperature, options.TopK, (float)options.TopP, (float)options.MinP]);
        program.Set<long>("random", [options.Seed, number]);
        program.Run();
    }

    /// <summary>Tokens of the program that reads so many.</summary>
    private int LengthFor(int count) =>
        count == 1 ? 1 : (int)Math.Min(_capacity, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count));

    private CompiledGraph ProgramFor(int count)
    {
        var length = LengthFor(count);
        if (!_programs.TryGetValue(length, out var program))
            _programs.Add(length, program = Compile(length));
        return program;
    }

    private CompiledGraph Compile(int length)
    {
        var graph = new Graph(_parameters.ComputeType);
        var context = ForwardContext.WithCache(graph, 1, length, _capacity);
        var hidden = _model.Forward(context);
        var last = Embedding.Apply(graph.Input("last", DType.I32, 1), hidden);
        var logits = Linear.MatMul(last, _model.HeadWeight(graph));
        graph.Output("logits", Elementwise.Cast(logits, DType.F32));
        graph.Output("ids", Sample.Apply(graph.Outputs["logits"], graph.Input("settings", DType.F32, 4), graph.Input("random", DType.I64, 2)));
        return CompiledGraph.Compile(graph, _parameters, new CompileOptions
        {
            Bind = storage => storage.Name.StartsWith("cache.", StringComparison.Ordinal) ? new Place(Cache(storage), 0) : null,
        });
    }

    private DeviceBuffer Cache(Storage storage)
    {
        if (!_caches.TryGetValue(storage.Name, out var buffer))
            _caches.Add(storage.Name, buffer = new DeviceBuffer(_parameters.Device, storage.Bytes));
        return buffer;
    }
}
