using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>One op call of a graph. The order of a graph's calls is the order in which they run.</summary>
public sealed class Call
{
    internal Call(Op op, Tensor?[] operands, IReadOnlyList<OpAttribute> attributes, string label)
    {
        if (operands.Length > op.Operands.Count)
            throw new ArgumentException($"{op.Name} takes {op.Operands.Count} operands, not {operands.Length}");
        Op = op;
        Operands = [.. operands, .. new Tensor?[op.Operands.Count - operands.Length]];
        Attributes = [.. attributes];
        Label = label;
    }

    /// <summary>What is computed.</summary>
    public Op Op { get; }

    /// <summary>Operands in the op's order; null for absent ones.</summary>
    public Tensor?[] Operands { get; }

    /// <summary>Its constants.</summary>
    public List<OpAttribute> Attributes { get; }

    /// <summary>The scope that it was written in, for example "h.3.attn".</summary>
    public string Label { get; }

    /// <summary>An operand by name; an absent one is an error.</summary>
    public Tensor this[string operand] => Find(operand)
        ?? throw new InvalidOperationException($"operand {operand} of {Op.Name} at '{Label}' is absent");

    /// <summary>An operand by name, or null if absent.</summary>
    public Tensor? Find(string operand) => Operands[Op.IndexOf(operand)];

    /// <summary>What the call reads.</summary>
    public IEnumerable<Tensor> Inputs => Select(a => a != Access.Out);

    /// <summary>What the call writes.</summary>
    public IEnumerable<Tensor> Outputs => Select(a => a != Access.In);

    /// <summary>Whole number or flag of that name; 0 if not given.</summary>
    public long Integer(string name) => Attributes.Find(a => a.Name == name).Integer;

    /// <summary>Number of that name; 0 if not given.</summary>
    public double Number(string name) => Attributes.Find(a => a.Name == name).Number;

    /// <summary>Choice of that name; null if not given.</summary>
    public string? Text(string name) => Attributes.Find(a => a.Name == name).Text;

    internal void Set(OpAttribute attribute)
    {
        Attributes.RemoveAll(a => a.Name == attribute.Name);
        Attributes.Add(attribute);
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        var outputs = string.Join(", ", Outputs);
        var inputs = string.Join(", ", Inputs);
        return $"{outputs} = {Op.Name}({inputs}) {string.Join(' ', Attributes.Select(Describe))} @{Label}";
    }

    private static string Describe(OpAttribute a) => a.Kind switch
    {
        AttributeKind.Integer => $"{a.Name}={a.Integer}",
        AttributeKind.Number => $"{a.Name}={a.Number:R}",
        _ => $"{a.Name}={a.Text}",
    };

    private IEnumerable<Tensor> Select(Func<Access, bool> wanted)
    {
        for (var i = 0; i < Operands.Length; i++)
        {
            if (Operands[i] is { } t && wanted(Op.AccessOf(i)))
                yield return t;
        }
    }
}
