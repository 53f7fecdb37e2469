using Ingot.Bindings;
using Ingot.Graphs.Ops;

namespace Ingot.Graphs;

/// <summary>
/// A model written down: parameters, inputs, and op calls in the order in which they run. Model code is plain functions over
/// <see cref="Tensor"/>; gradients, fusion, recomputation and the memory plan happen to it from outside.
/// </summary>
public sealed class Graph(DType computeType = DType.F32)
{
    private readonly Dictionary<string, Tensor> _parameters = [];
    private readonly Dictionary<string, Tensor> _gradients = [];
    private readonly Dictionary<string, Tensor> _inputs = [];
    private readonly Dictionary<string, Tensor> _outputs = [];
    private readonly Dictionary<string, Tensor> _inputGradients = [];
    private readonly List<ParameterInfo> _parameterInfos = [];
    private readonly Stack<string> _scopes = new();

    /// <summary>dtype in which weights and activations take part in computations: F32 or BF16.</summary>
    public DType ComputeType { get; } = computeType is DType.F32 or DType.Bf16
        ? computeType
        : throw new ArgumentOutOfRangeException(nameof(computeType), computeType, "must be F32 or BF16");

    /// <summary>
    /// Whether a parameter of that name is trained; frozen ones get no gradient, nor does anything on the way to them alone.
    /// </summary>
    public Func<string, bool> IsTrained { get; init; } = _ => true;

    /// <summary>What computes linear layers in place of <see cref="Ops.Linear"/> itself; null for nothing.</summary>
    public ILinearAdapter? LinearAdapter { get; set; }

    /// <summary>Calls in the order in which they run.</summary>
    public List<Call> Calls { get; internal set; } = [];

    /// <summary>Parameters in the order of declaration.</summary>
    public IReadOnlyList<ParameterInfo> Parameters => _parameterInfos;

    /// <summary>Inputs, by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Inputs => _inputs;

    /// <summary>Outputs, by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Outputs => _outputs;

    /// <summary>Gradients of the parameters, by parameter name; empty until <see cref="Gradients.Build"/>.</summary>
    public IReadOnlyDictionary<string, Tensor> ParameterGradients => _gradients;

    /// <summary>Name of the current scope, for labels and parameter names.</summary>
    public string CurrentScope => _scopes.TryPeek(out var s) ? s : "";

    /// <summary>Opens a scope: names inside get "name." in front. Dispose to close.</summary>
    public IDisposable Scope(string name)
    {
        _scopes.Push(CurrentScope.Length == 0 ? name : $"{CurrentScope}.{name}");
        return new ScopeEnd(this);
    }

    /// <summary>
    /// Declares a parameter of the current scope, or gives back the one declared before (a tied weight). It takes part in
    /// computations in <see cref="ComputeType"/>; its master copy is fp32.
    /// </summary>
    public Tensor Parameter(string name, long[] shape, Initializer initializer)
    {
        var full = Qualified(name);
        if (_parameters.TryGetValue(full, out var known))
        {
            return known.Shape.SequenceEqual(shape)
                ? known
                : throw new ArgumentException($"parameter {full} was declared as {known.ShapeText}, now as [{string.Join(", ", shape)}]");
        }

        if (shape.Length == 0 || shape.Any(d => d <= 0))
            throw new ArgumentException($"parameter {full} has the shape [{string.Join(", ", shape)}]; every dimension must be 1 or more");
        var t = New(new Storage(full, StorageKind.Parameter, ComputeType, Tensor.Product(shape)), shape);
        t.RequiresGradient = IsTrained(full);
        _parameters.Add(full, t);
        _parameterInfos.Add(new ParameterInfo(full, shape, initializer));
        return t;
    }

    /// <summary>Declares what the host writes before a run.</summary>
    public Tensor Input(string name, DType dtype, params long[] shape)
    {
        var t = New(new Storage(name, StorageKind.Input, dtype, Tensor.Product(shape)), shape);
        if (!_inputs.TryAdd(name, t))
            throw new ArgumentException($"there is an input '{name}' already");
        return t;
    }

    /// <summary>A tensor whose content is known now.</summary>
    public Tensor Constant(string name, DType dtype, byte[] data, params long[] shape)
    {
        if (data.LongLength != Tensor.Product(shape) * dtype.Size())
            throw new ArgumentException($"constant {name}: {data.LongLength} bytes for [{string.Join(", ", shape)}] of {dtype}");
        return New(new Storage(Qualified(name), StorageKind.Constant, dtype, Tensor.Product(shape)) { InitialData = data }, shape);
    }

    /// <summary>Keeps a tensor for the host to read after a run, under that name.</summary>
    public void Output(string name, Tensor tensor)
    {
        if (!_outputs.TryAdd(name, tensor))
            throw new ArgumentException($"there is an output '{name}' already");
        if (tensor.Storage.Kind == StorageKind.Temporary)
            tensor.Storage.Kind = StorageKind.Output;
    }

    /// <summary>
    /// Keeps the gradient for an input under that name, in fp32 and of the input's shape; to be called before anything reads the input. The
    /// output is there when the graph has been compiled with gradients.
    /// </summary>
    public void GradientOutput(string name, Tensor input)
    {
        if (input.Storage.Kind != StorageKind.Input || input.DType is not (DType.F32 or DType.Bf16))
            throw new ArgumentException($"{input} is no input of numbers: it has no gradient to keep");
        input.RequiresGradient = true;
        _inputGradients.Add(name, input);
    }

    /// <summary>Inputs whose gradients are kept, by the name of the output.</summary>
    internal IReadOnlyDictionary<string, Tensor> InputGradients => _inputGradients;

    /// <summary>A new tensor inside a run.</summary>
    internal Tensor Temporary(DType dtype, IReadOnlyList<long> shape, string? name = null) =>
        New(new Storage(name ?? CurrentScope, StorageKind.Temporary, dtype, Tensor.Product(shape)), [.. shape]);

    /// <summary>A new tensor of the same shape and dtype.</summary>
    internal Tensor Like(Tensor t) => Temporary(t.DType, t.Shape);

    /// <summary>A new temporary of a kind the host reads or keeps.</summary>
    internal Tensor Place(StorageKind kind, string name, DType dtype, params long[] shape) =>
        New(new Storage(name, kind, dtype, Tensor.Product(shape)), shape);

    /// <summary>Records a call and marks what it writes.</summary>
    internal Call Emit(Op op, Tensor?[] operands, params OpAttribute[] attributes)
    {
        var call = new Call(op, operands, attributes, CurrentScope);
        Record(call);
        return call;
    }

    internal void Record(Call call)
    {
        var requires = call.Inputs.Any(t => t.RequiresGradient);
        foreach (var t in call.Outputs)
        {
            if (t.Storage.Kind is StorageKind.Gradient or StorageKind.Parameter or StorageKind.Input)
                continue;
            t.Producer = call;
            t.RequiresGradient |= requires && t.DType is DType.F32 or DType.Bf16;
        }

        Calls.Add(call);
    }

    /// <summary>Where the gradient of a parameter's view lies: the same view of the gradient's storage, in fp32.</summary>
    internal Tensor GradientOf(Tensor parameter)
    {
        var name = parameter.Storage.Name;
        if (!_gradients.TryGetValue(name, out var whole))
        {
            whole = New(new Storage(name, StorageKind.Gradient, DType.F32, parameter.Storage.Elements), [.. _parameters[name].Shape]);
            _gradients.Add(name, whole);
        }

        return whole.Alias([.. parameter.Shape], [.. parameter.Strides], parameter.Offset);
    }

    internal IDisposable ScopeOf(string label)
    {
        _scopes.Push(label);
        return new ScopeEnd(this);
    }

    private string Qualified(string name) => CurrentScope.Length == 0 ? name : $"{CurrentScope}.{name}";

    private Tensor New(Storage storage, long[] shape) => new(this, storage, storage.DType, shape, Tensor.Dense(shape), 0);

    private sealed class ScopeEnd(Graph graph) : IDisposable
    {
        public void Dispose() => graph._scopes.Pop();
    }
}
