using Ingot.Chat;
using Ingot.Pairs;

namespace Ingot.Training;

/// <summary>Something of the validation data that a model can be asked to write, and what it should come near to.</summary>
/// <param name="Prompt">What the model goes on from, or the source that an encoder-decoder reads; empty for a conversation.</param>
/// <param name="Messages">The conversation that the model answers; null for a prompt.</param>
/// <param name="Reference">The text that would be right.</param>
internal sealed record WritingItem(string Prompt, IReadOnlyList<ChatMessage>? Messages, string Reference)
{
    /// <summary>Codes of the languages of a source and of what is made of it; null where they are not said.</summary>
    public (string? Source, string? Target) Languages { get; init; }

    /// <summary>A pair of texts: of the source, the target is written.</summary>
    public static WritingItem Of(TextPair pair) =>
        new(pair.Source, null, pair.Target) { Languages = (pair.SourceLanguage, pair.TargetLanguage) };

    /// <summary>
    /// An example: the last answer of a conversation, or what follows a prompt. Null where nothing is asked, or the answer is empty.
    /// </summary>
    public static WritingItem? Of(TrainingExample example)
    {
        var item = example switch
        {
            CompletionExample completion => new WritingItem(completion.Prompt, null, completion.Completion),
            ConversationExample conversation => OfLastAnswer(conversation.Messages),
            _ => null,
        };
        return string.IsNullOrWhiteSpace(item?.Reference) ? null : item;
    }

    private static WritingItem? OfLastAnswer(IReadOnlyList<ChatMessage> messages)
    {
        var last = messages.ToList().FindLastIndex(message => message.Role == ChatMessage.Assistant);
        return last > 0 ? new WritingItem("", [.. messages.Take(last)], messages[last].Content) : null;
    }
}
