using System.Text.Json;

namespace Ingot.Chat;

/// <summary>Tells by its fields what form an example in JSON has, and reads it.</summary>
internal static class JsonExample
{
    private const string Forms =
        "known are messages; conversations; instruction with output; prompt with completion; prompt with chosen and rejected; text";

    /// <summary>Reads an example or a preference pair.</summary>
    /// <exception cref="InvalidDataException">It has none of the known forms.</exception>
    public static (TrainingExample? Example, PreferencePair? Pair) Read(string place, JsonElement json)
    {
        try
        {
            return json.ValueKind switch
            {
                JsonValueKind.String => (new TextExample(place, json.GetString()!), null),
                JsonValueKind.Object when json.TryGetProperty("chosen", out _) => (null, Pair(place, json)),
                JsonValueKind.Object => (Example(place, json), null),
                _ => throw new ArgumentException($"an example is an object or a string, not {ChatMessage.DescribeKind(json.ValueKind)}"),
            };
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // JSON may hold half a surrogate pair, which is no text: reading the string fails then.
            throw new InvalidDataException($"{place}: {(e is ArgumentException ? e.Message : "a string in it is not valid Unicode")}", e);
        }
    }

    /// <summary>What is wrong with JSON, without the place, which counts from the example's start.</summary>
    public static string Explain(JsonException e)
    {
        int place = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return place < 0 ? e.Message : e.Message[..place];
    }

    private static TrainingExample Example(string place, JsonElement json)
    {
        if (json.TryGetProperty("messages", out JsonElement messages))
        {
            return new ConversationExample(place, Messages(messages, "messages"), 0, Tools(json));
        }

        if (json.TryGetProperty("conversations", out JsonElement conversation))
        {
            return new ConversationExample(place, ShareGpt(json, conversation), 0, Tools(json));
        }

        if (json.TryGetProperty("instruction", out _))
        {
            return new ConversationExample(place, Alpaca(json));
        }

        if (json.TryGetProperty("completion", out JsonElement completion))
        {
            return Answered(place, json, Required(json, "prompt"), completion, "completion");
        }

        if (json.TryGetProperty("text", out _))
        {
            return new TextExample(place, Text(json, "text"));
        }

        string fields = string.Join(", ", json.EnumerateObject().Take(10).Select(field => $"'{field.Name}'"));
        throw new ArgumentException($"the fields {fields} are no known form: {Forms}");
    }

    private static PreferencePair Pair(string place, JsonElement json)
    {
        JsonElement chosen = json.GetProperty("chosen");
        JsonElement rejected = Required(json, "rejected");
        if (json.TryGetProperty("prompt", out JsonElement prompt))
        {
            return new PreferencePair(Answered(place, json, prompt, chosen, "chosen"), Answered(place, json, prompt, rejected, "rejected"));
        }

        // Without a prompt both are whole conversations, and the prompt is what they have in common.
        List<ChatMessage> better = Messages(chosen, "chosen");
        List<ChatMessage> worse = Messages(rejected, "rejected");
        int common = 0;
        while (common < Math.Min(chosen.GetArrayLength(), rejected.GetArrayLength())
            && JsonElement.DeepEquals(chosen[common], rejected[common]))
        {
            common++;
        }

        if (common == better.Count || common == worse.Count)
        {
            throw new ArgumentException("'chosen' and 'rejected' do not differ, or one is only the beginning of the other");
        }

        return new PreferencePair(
            new ConversationExample(place, better, common, Tools(json)), new ConversationExample(place, worse, common, Tools(json)));
    }

    // A prompt and an answer are both strings, or both messages.
    private static TrainingExample Answered(string place, JsonElement json, JsonElement prompt, JsonElement answer, string name)
    {
        if (prompt.ValueKind == JsonValueKind.String && answer.ValueKind == JsonValueKind.String)
        {
            return new CompletionExample(place, prompt.GetString()!, answer.GetString()!);
        }

        if (prompt.ValueKind == JsonValueKind.Array && answer.ValueKind == JsonValueKind.Array)
        {
            List<ChatMessage> given = Messages(prompt, "prompt");
            return new ConversationExample(place, [.. given, .. Messages(answer, name)], given.Count, Tools(json));
        }

        throw new ArgumentException(
            $"'prompt' and '{name}' are both strings or both lists of messages, but here {ChatMessage.DescribeKind(prompt.ValueKind)} and "
            + ChatMessage.DescribeKind(answer.ValueKind));
    }

    private static List<ChatMessage> Messages(JsonElement json, string name)
    {
        if (json.ValueKind != JsonValueKind.Array || json.GetArrayLength() == 0)
        {
            string found = json.ValueKind == JsonValueKind.Array ? "an empty one" : ChatMessage.DescribeKind(json.ValueKind);
            throw new ArgumentException($"'{name}' is a list of messages, not {found}");
        }

        var messages = new List<ChatMessage>();
        foreach (JsonElement message in json.EnumerateArray())
        {
            try
            {
                messages.Add(ChatMessage.FromJson(message));
            }
            catch (ArgumentException e)
            {
                throw new ArgumentException($"'{name}', number {messages.Count + 1}: {e.Message}", e);
            }
        }

        return messages;
    }

    private static List<ChatMessage> ShareGpt(JsonElement json, JsonElement conversation)
    {
        if (conversation.ValueKind == JsonValueKind.Array && conversation.GetArrayLength() > 0
            && conversation[0].ValueKind == JsonValueKind.Object && conversation[0].TryGetProperty("role", out _))
        {
            return Messages(conversation, "conversations");
        }

        if (conversation.ValueKind != JsonValueKind.Array || conversation.GetArrayLength() == 0)
        {
            throw new ArgumentException("'conversations' is a list of turns, each with 'from' and 'value'");
        }

        var messages = new List<ChatMessage>();
        if (json.TryGetProperty("system", out JsonElement system) && system.ValueKind == JsonValueKind.String
            && system.GetString()!.Length > 0)
        {
            messages.Add(new ChatMessage(ChatMessage.System, system.GetString()!));
        }

        int number = 0;
        foreach (JsonElement turn in conversation.EnumerateArray())
        {
            number++;
            if (turn.ValueKind != JsonValueKind.Object)
            {
                throw new ArgumentException($"'conversations', number {number}: a turn is an object with 'from' and 'value'");
            }

            string from = Text(turn, "from");
            string role = from switch
            {
                "human" or "user" => ChatMessage.User,
                "gpt" or "assistant" or "chatgpt" or "bot" or "model" or "bard" or "bing" => ChatMessage.Assistant,
                "system" => ChatMessage.System,
                "tool" or "observation" => "tool",
                _ => throw new ArgumentException(
                    $"'conversations', number {number}: 'from' is '{from}': known are human, gpt, system and tool"),
            };
            messages.Add(new ChatMessage(role, Text(turn, "value")));
        }

        return messages;
    }

    private static List<ChatMessage> Alpaca(JsonElement json)
    {
        string instruction = Text(json, "instruction");
        string input = json.TryGetProperty("input", out JsonElement given) && given.ValueKind != JsonValueKind.Null ? Text(json, "input")
            : "";
        var messages = new List<ChatMessage>();
        if (json.TryGetProperty("system", out JsonElement system) && system.ValueKind == JsonValueKind.String
            && system.GetString()!.Length > 0)
        {
            messages.Add(new ChatMessage(ChatMessage.System, system.GetString()!));
        }

        messages.Add(new ChatMessage(ChatMessage.User, input.Length == 0 ? instruction : $"{instruction}\n\n{input}"));
        messages.Add(new ChatMessage(ChatMessage.Assistant, Text(json, "output")));
        return messages;
    }

    // A list, or the text of one.
    private static JsonElement? Tools(JsonElement json)
    {
        if (!json.TryGetProperty("tools", out JsonElement tools) || tools.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (tools.ValueKind == JsonValueKind.String)
        {
            try
            {
                using JsonDocument inner = JsonDocument.Parse(tools.GetString()!);
                tools = inner.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw new ArgumentException($"'tools' is a string that is not valid JSON: {Explain(e)}", e);
            }
        }

        return tools.ValueKind == JsonValueKind.Array
            ? tools.Clone()
            : throw new ArgumentException($"'tools' is a list of tools, not {ChatMessage.DescribeKind(tools.ValueKind)}");
    }

    private static JsonElement Required(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement value) ? value : throw new ArgumentException($"the field '{name}' is missing");

    private static string Text(JsonElement json, string name)
    {
        JsonElement value = Required(json, name);
        return value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new ArgumentException($"the field '{name}' is {ChatMessage.DescribeKind(value.ValueKind)}, not a string");
    }
}
