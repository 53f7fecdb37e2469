namespace Ingot.Bindings.Generator;

/// <summary>C names in C#: <c>ingot_buffer_create</c> is <c>BufferCreate</c>.</summary>
internal static class CSharpNames
{
    private const string Prefix = "ingot_";

    /// <summary>The name without <c>ingot_</c> or <c>INGOT_</c>.</summary>
    public static string WithoutPrefix(string name) =>
        name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? name[Prefix.Length..] : name;

    /// <summary><c>memory_bytes</c> is <c>MemoryBytes</c>.</summary>
    public static string Pascal(string name) =>
        string.Concat(name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word[1..].ToLowerInvariant()));

    /// <summary><c>ingot_device_kind</c> is <c>DeviceKind</c>.</summary>
    public static string Enum(string name) => name == "ingot_dtype" ? "DType" : Pascal(WithoutPrefix(name));

    /// <summary><c>ingot_buffer</c> is <c>BufferHandle</c>.</summary>
    public static string Handle(string name) => Pascal(WithoutPrefix(name)) + "Handle";

    /// <summary><c>ingot_call</c> is <c>NativeCall</c>.</summary>
    public static string Struct(string name) => "Native" + Pascal(WithoutPrefix(name));

    /// <summary>Words that an item shares with its enum go: <c>INGOT_DEVICE_CPU</c> of <c>ingot_device_kind</c> is <c>Cpu</c>.</summary>
    public static string EnumItem(string enumName, string name)
    {
        string[] words = WithoutPrefix(name).Split('_');
        int shared = words.Zip(WithoutPrefix(enumName).Split('_'))
            .TakeWhile(pair => pair.First.Equals(pair.Second, StringComparison.OrdinalIgnoreCase)).Count();
        return Pascal(string.Join('_', words[Math.Min(shared, words.Length - 1)..]));
    }

    /// <summary><c>destination_offset</c> is <c>destinationOffset</c>; a C# keyword gets an @.</summary>
    public static string Parameter(string name)
    {
        string pascal = Pascal(name);
        string camel = char.ToLowerInvariant(pascal[0]) + pascal[1..];
        return camel is "event" or "object" or "string" or "params" or "in" or "out" or "ref" or "base" or "this" ? "@" + camel : camel;
    }
}
