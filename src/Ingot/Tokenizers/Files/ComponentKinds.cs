using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ingot.Tokenizers.Files;

/// <summary>A part of a tokenizer's pipeline, as tokenizer.json has it: an object with a "type" and the type's own members.</summary>
internal interface IComponent
{
    /// <summary>Its "type".</summary>
    string Type { get; }

    /// <summary>Writes the other members.</summary>
    void WriteMembers(Utf8JsonWriter json);
}

/// <summary>The types of one kind of component, each with what reads it.</summary>
internal sealed class ComponentKinds<T>(string kind, Dictionary<string, Func<JsonPart, T>> readers)
    where T : class, IComponent
{
    /// <summary>Reads a component.</summary>
    /// <exception cref="InvalidDataException">Its type or a member is not known, or a value is wrong.</exception>
    public T Read(JsonPart json) => Read(json, null);

    /// <summary>Reads a component that may be without a type.</summary>
    /// <param name="json">The component.</param>
    /// <param name="type">Its type, or null if it says so itself.</param>
    public T Read(JsonPart json, string? type)
    {
        json.Ignore("type");
        type ??= json.Required("type").AsText();
        if (!readers.TryGetValue(type, out var read))
        {
            var known = string.Join(", ", readers.Keys.Order(StringComparer.Ordinal));
            throw json.Error($"the {kind} \"{type}\" is not supported; there are {known}");
        }

        try
        {
            var component = read(json);
            json.RejectOthers();
            return component;
        }
        catch (FormatException e)
        {
            throw json.Error(e.Message.TrimEnd('.'));
        }
    }

    /// <summary>Reads a member that may be absent or null.</summary>
    public T? ReadOptional(JsonPart json, string name) => json.Optional(name) is { } part ? Read(part) : null;

    /// <summary>Reads a member that is an array of components.</summary>
    public T[] ReadAll(JsonPart json, string name) => [.. json.Required(name).Items().Select(Read)];
}

/// <summary>Writing components.</summary>
internal static class Components
{
    private const int LongestText = 1000;

    /// <summary>Writes a component as a member, or null.</summary>
    public static void Write(this Utf8JsonWriter json, string name, IComponent? component)
    {
        json.WritePropertyName(name);
        if (component is null)
        {
            json.WriteNullValue();
        }
        else
        {
            json.Write(component);
        }
    }

    /// <summary>Writes a component as a value.</summary>
    public static void Write(this Utf8JsonWriter json, IComponent component)
    {
        json.WriteStartObject();
        json.WriteString("type", component.Type);
        component.WriteMembers(json);
        json.WriteEndObject();
    }

    /// <summary>A component as JSON on one line, cut if it is very long; "none" for null.</summary>
    public static string ToText(IComponent? component)
    {
        if (component is null)
        {
            return "none";
        }

        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.Write(component);
        }

        var text = Encoding.UTF8.GetString(bytes.WrittenSpan);
        return text.Length <= LongestText ? text : text[..LongestText] + " ...";
    }

    /// <summary>Writes components as a member that is an array.</summary>
    public static void WriteAll(this Utf8JsonWriter json, string name, IEnumerable<IComponent> components)
    {
        json.WriteStartArray(name);
        foreach (var component in components)
        {
            json.Write(component);
        }

        json.WriteEndArray();
    }
}
