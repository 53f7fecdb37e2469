using Ingot.Bindings;
using Ingot.Graphs.Ops;
using Ingot.Graphs.Passes;

namespace Ingot.Graphs;

/// <summary>A place in a buffer that a storage is bound to.</summary>
public readonly record struct Place(DeviceBuffer Buffer, long Offset);

/// <summary>How a graph becomes a program.</summary>
public sealed record CompileOptions
{
    /// <summary>Take gradients; without it the graph only runs forward.</summary>
    public bool Train { get; init; }

    /// <summary>Add to the gradients of an earlier run instead of replacing them.</summary>
    public bool AddToGradients { get; init; }

    /// <summary>Join calls where kernels can do several things at once.</summary>
    public bool Fuse { get; init; } = true;

    /// <summary>What is computed again in the backward pass instead of being kept.</summary>
    public RecomputePolicy Recompute { get; init; }

    /// <summary>Let temporaries share memory.</summary>
    public bool ShareMemory { get; init; } = true;

    /// <summary>Bytes that the head's logits take at most; it goes over its rows in chunks (<see cref="Head.ChunkBytesFor"/>).</summary>
    public long HeadBytes { get; init; } = Head.ChunkBytesFor(DeviceKind.Cpu);

    /// <summary>Let matmuls round fp32 operands to TF32, where the device has tensor cores for it.</summary>
    public bool Tf32 { get; init; }

    /// <summary>Measure each call.</summary>
    public bool Timed { get; init; }

    /// <summary>
    /// Memory for temporaries that another program has, which never runs at the same time; it is used if it is large enough.
    /// </summary>
    public DeviceBuffer? Arena { get; init; }

    /// <summary>Kernel variants by op or layer/op (<see cref="KernelChoices"/>); other calls take the default.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the graph is a part of a model, so that choices of kernels may name layers of other parts.</summary>
    public bool IsPart { get; init; }

    /// <summary>Memory for inputs and outputs that programs share; those for which it gives null get their own.</summary>
    public Func<Storage, Place?> Bind { get; init; } = _ => null;
}

/// <summary>A graph turned into a native program, with the memory that it works in.</summary>
public sealed class CompiledGraph : IDisposable
{
    private readonly Dictionary<Storage, Place> _places = [];
    private readonly List<DeviceBuffer> _owned = [];
    private readonly Graph _graph;

    private CompiledGraph(Graph graph, MemoryPlan plan, ParameterStore parameters, CompileOptions options)
    {
        _graph = graph;
        Plan = plan;
        try
        {
            var device = parameters.Device;
            Arena = options.Arena is { } shared && shared.Bytes >= plan.ArenaBytes ? shared
                : plan.ArenaBytes > 0 ? Own(new DeviceBuffer(device, plan.ArenaBytes)) : null;
            foreach (var storage in graph.Calls.SelectMany(c => c.Operands.OfType<Tensor>()).Concat(graph.Inputs.Values)
                         .Select(t => t.Storage).Distinct())
                _places.Add(storage, PlaceOf(storage, parameters, options));
            var choices = new KernelChoices(options.Kernels);
            choices.Check(device.Kind, options.IsPart ? [] : [.. graph.Calls.Select(c => (c.Op.Name, c.Label))]);
            OpCalls = [.. graph.Calls.Select(c => Convert(c, choices))];
            Program = new NativeProgram(device, OpCalls, options.Timed);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The native program.</summary>
    public NativeProgram Program { get; }

    /// <summary>The calls, in the order of the program's.</summary>
    public IReadOnlyList<Call> Calls => _graph.Calls;

    /// <summary>The same calls with their operands in memory.</summary>
    public IReadOnlyList<OpCall> OpCalls { get; }

    /// <summary>Where the temporaries lie.</summary>
    public MemoryPlan Plan { get; }

    /// <summary>The memory of the temporaries; null if there are none.</summary>
    internal DeviceBuffer? Arena { get; }

    /// <summary>
    /// Runs the passes over <paramref name="graph"/> (which is changed by them) and compiles the result.
    /// </summary>
    /// <exception cref="IngotException">The native library refuses a call; the message names it.</exception>
    public static CompiledGraph Compile(Graph graph, ParameterStore parameters, CompileOptions options)
    {
        var plan = Prepare(graph, options);
        return new CompiledGraph(graph, plan, parameters, options);
    }

    /// <summary>Runs the passes over <paramref name="graph"/> and plans its memory, allocating nothing.</summary>
    public static MemoryPlan Prepare(Graph graph, CompileOptions options)
    {
        if (options.Fuse)
            Fusion.Forward(graph);
        if (options.Train)
            Gradients.Build(graph, Recompute.Choose(graph, options.Recompute));
        if (options.Train && options.Fuse)
            Fusion.Backward(graph);
        Accumulation.Assign(graph, options.AddToGradients);
        LowerHeads(graph, options.HeadBytes);
        if (options.Tf32)
        {
            foreach (var call in graph.Calls.Where(c => c.Op == Linear.MatMulOp))
                call.Set(new OpAttribute("tf32", true));
        }

        DeadCode.Remove(graph);
        var plan = MemoryPlan.Make(graph, options.ShareMemory);
        GraphDump.Write(graph, plan);
        return plan;
    }

    /// <summary>Runs it once.</summary>
    public void Run() => Program.Run();

    /// <summary>An input or output in place, by name; in host memory only.</summary>
    public Span<T> Values<T>(string name)
        where T : unmanaged
    {
        var (t, place) = Find(name);
        return place.Buffer.Map<T>(place.Offset, checked((int)t.Elements));
    }

    /// <summary>Whether there is an input of that name.</summary>
    public bool HasInput(string name) => _graph.Inputs.ContainsKey(name);

    /// <summary>Gives an input its values for the next runs.</summary>
    public void Set<T>(string name, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var (t, place) = Find(name);
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, t.Elements, name);
        place.Buffer.Write(values, place.Offset);
    }

    /// <summary>Reads an output, when the runs so far are done.</summary>
    public void Get<T>(string name, Span<T> values)
        where T : unmanaged
    {
        var (t, place) = Find(name);
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, t.Elements, name);
        place.Buffer.Read(values, place.Offset);
    }

    /// <summary>The first value of an output.</summary>
    public T Get<T>(string name)
        where T : unmanaged
    {
        T value = default;
        Get(name, new Span<T>(ref value));
        return value;
    }

    private (Tensor Tensor, Place Place) Find(string name)
    {
        var t = _graph.Inputs.TryGetValue(name, out var input) ? input
            : _graph.Outputs.TryGetValue(name, out var output) ? output
            : throw new KeyNotFoundException($"the graph has no input or output '{name}'");
        var place = _places[t.Storage];
        return (t, place with { Offset = place.Offset + (t.Offset * t.DType.Size()) });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Program?.Dispose();
        foreach (var buffer in _owned)
            buffer.Dispose();
    }

    private static void LowerHeads(Graph graph, long chunkBytes)
    {
        var calls = graph.Calls;
        graph.Calls = [];
        foreach (var call in calls)
        {
            if (call.Op != Head.Op)
            {
                graph.Calls.Add(call);
                continue;
            }

            using (graph.ScopeOf(call.Label))
                Head.Lower(call, graph, chunkBytes);
        }
    }

    private DeviceBuffer Own(DeviceBuffer buffer)
    {
        _owned.Add(buffer);
        return buffer;
    }

    private Place PlaceOf(Storage storage, ParameterStore parameters, CompileOptions options)
    {
        switch (storage.Kind)
        {
            case StorageKind.Temporary:
                return new Place(Arena!, Plan.OffsetOf(storage));
            case StorageKind.Parameter:
                return new Place(parameters.Compute ?? parameters.Master, parameters.OffsetOf(storage.Name) * storage.DType.Size());
            case StorageKind.Gradient:
                return new Place(parameters.Gradients ?? throw new InvalidOperationException("the parameters have no gradients"),
                    parameters.OffsetOf(storage.Name) * 4);
            case StorageKind.Constant:
                var constant = Own(new DeviceBuffer(parameters.Device, storage.Bytes));
                constant.Write<byte>(storage.InitialData);
                return new Place(constant, 0);
            default:
                return options.Bind(storage) ?? new Place(Own(new DeviceBuffer(parameters.Device, storage.Bytes)), 0);
        }
    }

    private OpCall Convert(Call call, KernelChoices choices) => new(call.Op.Name, [.. call.Operands.Select(Convert)])
    {
        Attributes = call.Attributes,
        Kernel = choices.For(call.Op.Name, call.Label),
        Label = call.Label,
    };

    private Operand Convert(Tensor? t)
    {
        if (t is null)
            return default;
        var place = _places[t.Storage];
        return new Operand(place.Buffer, place.Offset + (t.Offset * t.DType.Size()), t.DType, t.Shape, t.Strides);
    }
}
