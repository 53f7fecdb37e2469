using Ingot.Chat;

namespace Ingot.Generation;

/// <summary>A conversation as a prompt that a model answers.</summary>
/// <param name="Text">The prompt: the conversation by the template, and the beginning of the answer.</param>
/// <param name="Options">
/// The settings, with the end of an answer as a stop string, and no more tokens than the context has room for.
/// </param>
/// <param name="Forgotten">How many of the oldest messages were left out for want of room.</param>
internal sealed record ChatPrompt(string Text, GenerationOptions Options, int Forgotten)
{
    /// <summary>
    /// Writes a conversation down. Where it leaves less than a quarter of the context for the answer, and less than the answer may have,
    /// its oldest turns are left out; messages of the system stay.
    /// </summary>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    /// <exception cref="ArgumentException">Even the last message alone is too long.</exception>
    public static ChatPrompt Make(TextGenerator generator, ChatTemplate template, IReadOnlyList<ChatMessage> messages,
        GenerationOptions options)
    {
        List<ChatMessage> left = [.. messages];
        while (true)
        {
            var text = template.Render(left, addGenerationPrompt: true);
            var room = generator.Context - generator.Tokenizer.Encode(text).Length;
            if (room >= Math.Min(options.MaxNewTokens, generator.Context / 4) || !ForgetOldest(left))
            {
                if (room < 1)
                {
                    throw new ArgumentException($"the last message alone leaves no room for an answer: with its template it has "
                        + $"{generator.Context - room} tokens, the model's context is {generator.Context}");
                }

                var stop = FindEnd(template);
                return new ChatPrompt(text, options with
                {
                    MaxNewTokens = Math.Min(options.MaxNewTokens, room),
                    MaxLength = null,
                    NumBeams = 1,
                    NumReturnSequences = 1,
                    HasSpecialTokens = true,
                    Stop = stop is null ? options.Stop : [.. options.Stop, stop],
                }, messages.Count - left.Count);
            }
        }
    }

    /// <summary>Takes the oldest turn away, up to the next one of the user; false if only the last one is left.</summary>
    private static bool ForgetOldest(List<ChatMessage> messages)
    {
        var first = messages.FindIndex(message => message.Role != ChatMessage.System);
        var next = first < 0 ? -1 : messages.FindIndex(first + 1, message => message.Role == ChatMessage.User);
        if (next < 0)
            return false;
        messages.RemoveRange(first, next - first);
        return true;
    }

    /// <summary>
    /// What the template writes after an answer: the model has learnt to end with it. Where that is white space only, what stands between
    /// an answer and the next message. Null if there is neither.
    /// </summary>
    private static string? FindEnd(ChatTemplate template)
    {
        const string Answer = "answer-answer", Next = "next-next";
        try
        {
            ChatMessage[] turn = [new(ChatMessage.User, "question"), new(ChatMessage.Assistant, Answer)];
            var end = After(template.Render(turn), Answer).Trim();
            if (end.Length > 0)
                return end;
            var between = After(template.Render([.. turn, new(ChatMessage.User, Next)]), Answer).Split(Next)[0].TrimEnd();
            return between.Length > 0 ? between : null;
        }
        catch (TemplateException)
        {
            // It wants more of a conversation than that.
            return null;
        }
    }

    private static string After(string text, string part) =>
        text.LastIndexOf(part, StringComparison.Ordinal) is var at and >= 0 ? text[(at + part.Length)..] : "";
}
