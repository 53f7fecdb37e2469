using Ingot.Bindings;

namespace Ingot.Lab;

/// <summary>An operand as its op describes it.</summary>
/// <param name="Name">Name.</param>
/// <param name="Dimensions">Letters or lengths of the dimensions; null for any shape.</param>
/// <param name="Type">A dtype's name, or a letter that stands for f32 or bf16.</param>
/// <param name="IsIn">Whether it is read.</param>
/// <param name="IsOut">Whether it is written.</param>
/// <param name="IsOptional">Whether it may be absent.</param>
public sealed record OperandSpec(string Name, IReadOnlyList<string>? Dimensions, string Type, bool IsIn, bool IsOut, bool IsOptional);

/// <summary>What an op takes: its operands and attributes, read from the native library's description of it.</summary>
public sealed class OpSignature
{
    private OpSignature(Op op)
    {
        Op = op;
        Operands = [.. SplitOperands(op.Operands).Select(ParseOperand)];
        Attributes = [.. op.Attributes.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(text => text.Split('=')[0])];
    }

    /// <summary>The op.</summary>
    public Op Op { get; }

    /// <summary>The operands in the op's order.</summary>
    public IReadOnlyList<OperandSpec> Operands { get; }

    /// <summary>Names of the attributes.</summary>
    public IReadOnlyList<string> Attributes { get; }

    /// <summary>
    /// Letters of the dimensions in the order in which they first occur; an operand of any shape has N and C. Those of operands that may
    /// be absent alone are not among them.
    /// </summary>
    public IReadOnlyList<string> Letters => [.. Operands.Where(o => !o.IsOptional).SelectMany(o => o.Dimensions ?? AnyShape)
        .Where(d => !char.IsAsciiDigit(d[0])).Distinct()];

    /// <summary>The dimensions that stand for any shape.</summary>
    public static IReadOnlyList<string> AnyShape { get; } = ["N", "C"];

    /// <summary>The signature of an op.</summary>
    /// <exception cref="ArgumentException">There is no such op; the message gives the nearest.</exception>
    public static OpSignature Find(string name)
    {
        var ops = Op.GetAll();
        return ops.FirstOrDefault(op => op.Name == name) is { } found ? new OpSignature(found)
            : throw new ArgumentException($"there is no op \"{name}\": "
                + $"{(NearestName.Find(name, ops.Select(op => op.Name)) is { } near ? $"did you mean {near}? " : "")}"
                + $"There are {string.Join(", ", ops.Select(op => op.Name))}");
    }

    // "q[B,T,H,D]:T, out lse[B,H,T]:f32?": the commas between operands are those outside of brackets.
    private static IEnumerable<string> SplitOperands(string text)
    {
        for (int begin = 0, depth = 0, i = 0; i <= text.Length; i++)
        {
            if (i == text.Length || (text[i] == ',' && depth == 0))
            {
                yield return text[begin..i].Trim();
                begin = i + 1;
            }
            else
            {
                depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
            }
        }
    }

    private static OperandSpec ParseOperand(string text)
    {
        var (open, close) = (text.IndexOf('['), text.IndexOf(']'));
        var words = text[..open].Split(' ');
        var access = words.Length > 1 ? words[0] : "in";
        var shape = text[(open + 1)..close];
        return new OperandSpec(words[^1], shape == "*" ? null : shape.Split(','), text[(close + 2)..].TrimEnd('?'), access != "out",
            access != "in", text.EndsWith('?'));
    }
}
