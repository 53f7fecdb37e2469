using System.Text.Json;
using Ingot.Chat.Templates;

namespace Ingot.Chat;

/// <summary>
/// One turn of a conversation: who speaks, and what. Whatever else belongs to it (tool calls, a name, reasoning) is carried along for the
/// chat template.
/// </summary>
public sealed class ChatMessage
{
    /// <summary>The role of what the model writes.</summary>
    public const string Assistant = "assistant";

    /// <summary>The role of what people write.</summary>
    public const string User = "user";

    /// <summary>The role of what is said ahead of a conversation about the model's part in it.</summary>
    public const string System = "system";

    private ChatMessage(OrderedDictionary<string, object?> fields, string role)
    {
        Fields = fields;
        Role = role;
    }

    /// <summary>Makes a message of plain text.</summary>
    /// <param name="role">Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c>, <c>tool</c> or another that the template knows.</param>
    /// <param name="content">What is said.</param>
    public ChatMessage(string role, string content)
    {
        ArgumentException.ThrowIfNullOrEmpty(role);
        ArgumentNullException.ThrowIfNull(content);
        Role = role;
        Fields = new(StringComparer.Ordinal) { ["role"] = role, ["content"] = content };
    }

    /// <summary>Who speaks.</summary>
    public string Role { get; }

    /// <summary>
    /// What is said; of several parts the texts, one after the other. Empty where there is none, as with a mere tool call.
    /// </summary>
    public string Content => Fields.GetValueOrDefault("content") switch
    {
        string text => text,
        ListValue parts => string.Concat(
            parts.Items.OfType<OrderedDictionary<string, object?>>().Select(part => part.GetValueOrDefault("text") as string)),
        _ => "",
    };

    /// <summary>All of the message as templates see it.</summary>
    internal OrderedDictionary<string, object?> Fields { get; }

    /// <summary>Reads a message as chat interfaces write it: an object with <c>role</c> and <c>content</c>, and perhaps more.</summary>
    /// <exception cref="ArgumentException">The JSON is no message; the message says why.</exception>
    public static ChatMessage FromJson(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new ArgumentException($"a message is an object with 'role' and 'content', not {DescribeKind(json.ValueKind)}");
        }

        var fields = (OrderedDictionary<string, object?>)Values.FromJson(json)!;
        if (fields.GetValueOrDefault("role") is not string { Length: > 0 } role)
        {
            throw new ArgumentException("a message has no 'role', which says who speaks, such as \"user\"");
        }

        if (fields.GetValueOrDefault("content") is not (null or string or ListValue))
        {
            throw new ArgumentException("the 'content' of a message is a string or a list of parts");
        }

        return new ChatMessage(fields, role);
    }

    /// <summary>The role and the content.</summary>
    public override string ToString() => $"{Role}: {Content}";

    /// <summary>What JSON is there, for errors.</summary>
    internal static string DescribeKind(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}
