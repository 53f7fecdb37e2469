using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>What a gradient rule sees and does: reads gradients of outputs, writes those of inputs.</summary>
public sealed class GradientContext
{
    private readonly Dictionary<Tensor, Tensor> _gradients = [];
    private readonly Dictionary<Tensor, Tensor> _slots = [];
    private readonly Dictionary<Tensor, int> _uses;
    private readonly Dictionary<Tensor, Tensor> _recomputed = [];
    private readonly Func<Call, Tensor, bool> _recompute;

    internal GradientContext(Graph graph, IEnumerable<Call> forward, Func<Call, Tensor, bool> recompute)
    {
        Graph = graph;
        _recompute = recompute;
        _uses = forward.SelectMany(c => c.Inputs).GroupBy(t => t).ToDictionary(g => g.Key, g => g.Count());
    }

    /// <summary>The graph that the rule writes to.</summary>
    public Graph Graph { get; }

    /// <summary>Gradient of the loss for an output of the call, or null if none reaches it.</summary>
    public Tensor? Gradient(Tensor? output) => output is not null && _gradients.TryGetValue(output, out var g) ? g : null;

    /// <summary>Whether a gradient is wanted for an input of the call.</summary>
    public static bool Needs(Tensor? input) => input?.RequiresGradient == true;

    /// <summary>
    /// The value of a tensor of the forward pass: itself, or, if the call that wrote it is to be recomputed, a copy that is
    /// computed again here, from what was kept.
    /// </summary>
    public Tensor Saved(Tensor tensor)
    {
        if (tensor.Producer is not { } producer)
            return tensor;
        if (_recomputed.TryGetValue(tensor, out var again))
            return again;
        if (!IsRecomputed(tensor))
            return tensor;
        if (producer.Op.Again?.Invoke(producer) is { } shortcut && shortcut.Output == tensor && !IsRecomputed(shortcut.Source))
        {
            _recomputed[tensor] = Graph.Like(tensor);
            using (Graph.ScopeOf(producer.Label))
                shortcut.Emit(Graph, shortcut.Source, _recomputed[tensor]);
            return _recomputed[tensor];
        }

        var operands = new Tensor?[producer.Operands.Length];
        for (var i = 0; i < operands.Length; i++)
        {
            if (producer.Operands[i] is not { } operand)
                continue;
            operands[i] = producer.Op.AccessOf(i) == Access.In ? Saved(operand) : null;
        }

        if (producer.Op.IsView)
        {
            // The same view of the recomputed input.
            var source = operands[0]!;
            for (var i = 1; i < operands.Length; i++)
            {
                if (producer.Operands[i] is { } view)
                    operands[i] = new Tensor(Graph, source.Storage, view.DType, [.. view.Shape], [.. view.Strides],
                        source.Offset + view.Offset - producer.Operands[0]!.Offset);
            }
        }
        else
        {
            for (var i = 0; i < operands.Length; i++)
            {
                if (operands[i] is null && producer.Operands[i] is { } output)
                    operands[i] = Graph.Like(output);
            }
        }

        for (var i = 0; i < operands.Length; i++)
        {
            if (producer.Op.AccessOf(i) != Access.In && operands[i] is { } copy)
                _recomputed[producer.Operands[i]!] = copy;
        }

        if (!producer.Op.IsView)
        {
            using (Graph.ScopeOf(producer.Label))
                Graph.Emit(producer.Op, operands, [.. producer.Attributes]);
        }

        return _recomputed[tensor];
    }

    /// <summary>
    /// Where a rule writes the gradient of an input: a new tensor, or, if the input is a piece of a larger tensor, that piece
    /// of the larger gradient, so that nothing has to be put together afterwards.
    /// </summary>
    public Tensor OutputFor(Tensor input)
    {
        if (_uses.GetValueOrDefault(input) == 1 && !_gradients.ContainsKey(input) && input.Producer is { Op.IsView: true } view)
        {
            var parent = view.Operands[0]!;
            if (view.Op == Ops.Views.Split)
            {
                var slot = SlotOf(parent);
                return new Tensor(Graph, slot.Storage, input.DType, [.. input.Shape], [.. input.Strides],
                    slot.Offset + input.Offset - parent.Offset);
            }

            if (view.Op == Ops.Views.Reshape && OutputFor(parent).TryReshapeAlias(input.Shape, out var reshaped))
                return reshaped;
        }

        return Graph.Like(input);
    }

    /// <summary>The gradient tensor that pieces of <paramref name="parent"/> write into; laid out as the parent.</summary>
    internal Tensor SlotOf(Tensor parent)
    {
        if (!_slots.TryGetValue(parent, out var slot))
        {
            if (!parent.IsContiguous)
                throw new InvalidOperationException($"{parent} is split, but does not lie dense");
            _slots[parent] = slot = OutputFor(parent) is { IsContiguous: true } inner ? inner : Graph.Like(parent);
        }

        return slot;
    }

    /// <summary>Adds to the gradient of an input. Tensors given here must not be written afterwards.</summary>
    public void Add(Tensor input, Tensor gradient)
    {
        if (!Needs(input))
            return;
        if (!gradient.Shape.SequenceEqual(input.Shape))
            throw new InvalidOperationException($"the gradient of {input} has the shape {gradient.ShapeText}");
        if (input.Storage.Kind == StorageKind.Parameter)
        {
            Graph.Emit(Ops.Elementwise.AccumulateOp, [gradient, Sink(input)]);
            return;
        }

        _gradients[input] = _gradients.TryGetValue(input, out var known)
            ? Ops.Elementwise.Add(Ops.Views.Contiguous(known), Ops.Views.Contiguous(gradient))
            : gradient;
    }

    /// <summary>
    /// Where the gradient of a parameter is summed up, in fp32. Whether a call that writes it replaces what is there or adds
    /// to it is settled afterwards (<see cref="Passes.Accumulation"/>).
    /// </summary>
    public Tensor Sink(Tensor parameter) => Graph.GradientOf(parameter);

    /// <summary>Whether it is not kept; a view is kept or not with what it is a view of.</summary>
    private bool IsRecomputed(Tensor t) =>
        t.Producer is { } producer && (producer.Op.IsView ? IsRecomputed(producer.Operands[0]!) : _recompute(producer, t));
}
