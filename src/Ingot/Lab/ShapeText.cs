using System.Globalization;
using Ingot.Bindings;

namespace Ingot.Lab;

/// <summary>
/// A call's sizes as text: "B=1,T=1024,H=12,D=64,causal=1". Names of dimensions are those of the op's operands, others are its
/// attributes. Dimensions that follow from others may be left out: S is T, KV is H, P is T, R is half of D.
/// </summary>
public sealed class ShapeText
{
    private readonly Dictionary<string, long> _sizes;

    private ShapeText(OpSignature signature, Dictionary<string, long> sizes, List<OpAttribute> attributes) =>
        (Signature, _sizes, Attributes) = (signature, sizes, attributes);

    /// <summary>The op.</summary>
    public OpSignature Signature { get; }

    /// <summary>The attributes.</summary>
    public IReadOnlyList<OpAttribute> Attributes { get; }

    /// <summary>Reads the sizes of a call.</summary>
    /// <exception cref="ArgumentException">A name is no dimension and no attribute of the op, a value is none, or a dimension is
    /// missing.</exception>
    public static ShapeText Parse(OpSignature signature, string text)
    {
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        var attributes = new List<OpAttribute>();
        foreach (var part in text.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.Split('=') is not [{ Length: > 0 } name, { Length: > 0 } value])
                throw new ArgumentException($"\"{part}\" in \"{text}\" is not of the form NAME=SIZE, for example "
                    + $"{signature.Letters[0]}=64");
            if (signature.Letters.Contains(name))
            {
                if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size < 1 || size > int.MaxValue)
                    throw new ArgumentException($"{name}={value} in \"{text}\": a size is a whole number from 1 to {int.MaxValue}");
                sizes[name] = size;
            }
            else if (signature.Attributes.Contains(name))
            {
                attributes.Add(Attribute(name, value));
            }
            else
            {
                throw new ArgumentException($"{signature.Op.Name} has no dimension and no attribute \"{name}\": its dimensions are "
                    + $"{string.Join(", ", signature.Letters)}{(signature.Attributes.Count > 0 ? $", its attributes {string.Join(", "
                        + "", signature.Attributes)}" : "")}");
            }
        }

        Derive("S", "T", 1);
        Derive("KV", "H", 1);
        Derive("P", "T", 1);
        Derive("R", "D", 2);
        if (signature.Operands.Any(o => o.Dimensions is null))
            sizes.TryAdd("C", 1);
        if (signature.Letters.FirstOrDefault(letter => !sizes.ContainsKey(letter)) is { } missing)
        {
            throw new ArgumentException($"the shape \"{text}\" lacks {missing}: {signature.Op.Name} takes {signature.Op.Operands}; "
                + $"write for example "
                + string.Join(',', signature.Letters.Select(letter => $"{letter}={sizes.GetValueOrDefault(letter, 64)}")));
        }

        return new ShapeText(signature, sizes, attributes);

        void Derive(string letter, string from, long divisor)
        {
            if (signature.Letters.Contains(letter) && sizes.TryGetValue(from, out var size))
                sizes.TryAdd(letter, size / divisor);
        }
    }

    /// <summary>The shape of an operand.</summary>
    public long[] ShapeOf(OperandSpec operand) => [.. (operand.Dimensions ?? OpSignature.AnyShape).Select(dimension =>
        char.IsAsciiDigit(dimension[0]) ? long.Parse(dimension, CultureInfo.InvariantCulture) : _sizes[dimension])];

    /// <summary>The length of a dimension.</summary>
    public long this[string letter] => _sizes[letter];

    /// <summary>The dtype of an operand when computations are in <paramref name="type"/>.</summary>
    public static DType TypeOf(OperandSpec operand, DType type) => operand.Type switch
    {
        "f32" => DType.F32,
        "bf16" => DType.Bf16,
        "i32" => DType.I32,
        "i64" => DType.I64,
        "u8" => DType.U8,
        _ => type,
    };

    /// <summary>The call without memory, for asking kernels: all operands that are not optional, dense.</summary>
    public OpCall Shapes(DType type) => new(Signature.Op.Name, [.. Signature.Operands.Select(operand =>
        operand.IsOptional ? default : new Operand(null!, 0, TypeOf(operand, type), ShapeOf(operand)))])
    {
        Attributes = Attributes,
    };

    /// <inheritdoc/>
    public override string ToString() => string.Join(',',
        Signature.Letters.Select(letter => $"{letter}={_sizes[letter]}").Concat(Attributes.Select(a => a.Kind switch
        {
            AttributeKind.Integer => $"{a.Name}={a.Integer}",
            AttributeKind.Number => string.Create(CultureInfo.InvariantCulture, $"{a.Name}={a.Number}"),
            _ => $"{a.Name}={a.Text}",
        })));

    private static OpAttribute Attribute(string name, string value) =>
        long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer) ? new(name, integer)
        : double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? new(name, number)
        : new(name, value);
}
