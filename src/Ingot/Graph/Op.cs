namespace Ingot.Graphs;

/// <summary>What a call does to an operand.</summary>
public enum Access
{
    /// <summary>Reads it.</summary>
    In,

    /// <summary>Writes all of it.</summary>
    Out,

    /// <summary>Reads and writes it.</summary>
    InOut,
}

/// <summary>Writes the gradient of one call: reads the gradients of its outputs, adds those of its inputs.</summary>
public delegate void GradientRule(Call call, GradientContext context);

/// <summary>How an output can be computed again from another output of the same call.</summary>
/// <param name="Output">What is computed.</param>
/// <param name="Source">From what.</param>
/// <param name="Emit">Writes the call: (graph, source, output).</param>
public sealed record Shortcut(Tensor Output, Tensor Source, Action<Graph, Tensor, Tensor> Emit);

/// <summary>An op as the graph sees it: operands in the native op's order, gradient rule, FLOPs.</summary>
public sealed class Op
{
    /// <summary>Makes an op.</summary>
    /// <param name="name">Name of the native op.</param>
    /// <param name="operands">
    /// Operands in the native order, inputs first, separated by spaces, outputs behind an arrow:
    /// "x residual? weight -> y lse?"; '&amp;' marks one that is read and written, '?' one that may be absent: as an output
    /// it is left out when nobody reads it.
    /// </param>
    /// <param name="gradient">Its gradient, or null if none can be taken.</param>
    /// <param name="flops">Floating-point operations of a call, or null if they do not count.</param>
    public Op(string name, string operands, GradientRule? gradient = null, Func<Call, double>? flops = null)
    {
        Name = name;
        Gradient = gradient;
        Flops = flops;
        var access = Access.In;
        foreach (var word in operands.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word == "->")
            {
                access = Access.Out;
                continue;
            }

            _optional.Add(word.Contains('?'));
            _names.Add(word.TrimEnd('?', '&'));
            _access.Add(word.Contains('&') ? Access.InOut : access);
        }
    }

    private readonly List<string> _names = [];
    private readonly List<Access> _access = [];
    private readonly List<bool> _optional = [];

    /// <summary>Name of the native op.</summary>
    public string Name { get; }

    /// <summary>Writes the gradient of a call; null if none can be taken.</summary>
    public GradientRule? Gradient { get; }

    /// <summary>Floating-point operations of a call.</summary>
    public Func<Call, double>? Flops { get; }

    /// <summary>A view of its input: recorded for the gradient, but nothing is computed.</summary>
    public bool IsView { get; init; }

    /// <summary>The output may take the place of the input of that name, if it is not needed any more.</summary>
    public string? InPlaceOf { get; init; }

    /// <summary>A cheaper way to compute one of a call's outputs again than the whole call; gives null if there is none.</summary>
    public Func<Call, Shortcut?>? Again { get; init; }

    /// <summary>Names of the operands.</summary>
    public IReadOnlyList<string> Operands => _names;

    /// <summary>What is done to operand <paramref name="index"/>.</summary>
    public Access AccessOf(int index) => _access[index];

    /// <summary>Whether operand <paramref name="index"/> may be left out.</summary>
    public bool IsOptional(int index) => _optional[index];

    /// <summary>Index of an operand by name.</summary>
    public int IndexOf(string operand)
    {
        var i = _names.IndexOf(operand);
        return i >= 0 ? i : throw new ArgumentException($"op {Name} has no operand '{operand}'; it has {string.Join(", ", _names)}");
    }
}
