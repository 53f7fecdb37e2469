using CppSharp.AST;
using Type = CppSharp.AST.Type;

namespace Ingot.Bindings.Generator;

/// <summary>C types in C#: always blittable, and of the same size on every platform unless they are pointers.</summary>
internal static class CSharpTypes
{
    private static readonly Dictionary<string, string> FixedWidth = new()
    {
        ["int8_t"] = "sbyte",
        ["uint8_t"] = "byte",
        ["int16_t"] = "short",
        ["uint16_t"] = "ushort",
        ["int32_t"] = "int",
        ["uint32_t"] = "uint",
        ["int64_t"] = "long",
        ["uint64_t"] = "ulong",
        ["intptr_t"] = "nint",
        ["uintptr_t"] = "nuint",
        ["size_t"] = "nuint",
    };

    /// <summary>A handle is a pointer to a struct that the header does not define, under a name of its own.</summary>
    public static bool IsHandle(TypedefNameDecl declaration) =>
        declaration.Type is PointerType { Pointee: TagType { Declaration: Class { IsIncomplete: true } } };

    /// <summary>The C# type of a parameter, field or result.</summary>
    /// <param name="type">The C type.</param>
    /// <param name="place">Where it stands, for the error.</param>
    public static string Of(Type type, string place) => type switch
    {
        TypedefType typedef when FixedWidth.TryGetValue(typedef.Declaration.Name, out string? name) => name,
        TypedefType typedef when IsHandle(typedef.Declaration) => CSharpNames.Handle(typedef.Declaration.Name),
        TypedefType typedef => Of(typedef.Declaration.Type, place),
        TagType { Declaration: Enumeration declaration } => CSharpNames.Enum(declaration.Name),
        TagType { Declaration: Class { IsIncomplete: false } declaration } => CSharpNames.Struct(declaration.Name),
        PointerType { Pointee: not FunctionType } pointer => Of(pointer.Pointee, place) + "*",
        BuiltinType { Type: PrimitiveType.Void } => "void",
        BuiltinType { Type: PrimitiveType.Char } => "byte",
        BuiltinType { Type: PrimitiveType.Float } => "float",
        BuiltinType { Type: PrimitiveType.Double } => "double",
        _ => throw new NotSupportedException(
            $"{place} is {Describe(type)}; use fixed-width integers, floats, enums, structs, handles and pointers to them."),
    };

    /// <summary>The size of a field's type in bytes, which is also its alignment.</summary>
    /// <param name="type">The C type.</param>
    /// <param name="place">Where it stands, for the error.</param>
    public static int SizeOf(Type type, string place) => Of(type, place) switch
    {
        "sbyte" or "byte" => 1,
        "short" or "ushort" => 2,
        "int" or "uint" or "float" => 4,
        "long" or "ulong" or "double" or "nint" or "nuint" => 8,
        _ when type is TypedefType typedef && IsHandle(typedef.Declaration) => 8,
        _ when type is PointerType => 8,
        string name => throw new NotSupportedException($"{place} is a field of type {name}; use numbers, handles and pointers."),
    };

    private static string Describe(Type type) =>
        type is BuiltinType builtin ? $"of C type {builtin.Type}" : $"a {type.GetType().Name} with no C# type";
}
