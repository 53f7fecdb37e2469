using System.Text.Json;

namespace Ingot.Chat;

/// <summary>Something to learn from, as a file has it.</summary>
/// <param name="Place">The file and the line where it begins, for errors.</param>
public abstract record TrainingExample(string Place);

/// <summary>A conversation, of which the model learns its own turns.</summary>
/// <param name="Place">The file and the line where it begins, for errors.</param>
/// <param name="Messages">The turns.</param>
/// <param name="PromptLength">How many turns at the start are given, not learnt, even where the assistant speaks.</param>
/// <param name="Tools">The tools that the model may call, as a JSON list, or null.</param>
public sealed record ConversationExample(string Place, IReadOnlyList<ChatMessage> Messages, int PromptLength = 0, JsonElement? Tools = null)
    : TrainingExample(Place);

/// <summary>A text that is given and another that the model learns to write after it. No chat template is applied.</summary>
/// <param name="Place">The file and the line where it begins, for errors.</param>
/// <param name="Prompt">What is given.</param>
/// <param name="Completion">What is learnt.</param>
public sealed record CompletionExample(string Place, string Prompt, string Completion) : TrainingExample(Place);

/// <summary>A text that the model learns to write from beginning to end.</summary>
/// <param name="Place">The file and the line where it begins, for errors.</param>
/// <param name="Text">The text.</param>
public sealed record TextExample(string Place, string Text) : TrainingExample(Place);

/// <summary>Two answers to one prompt, of which one is better: what direct preference optimisation learns from.</summary>
/// <param name="Chosen">The prompt with the better answer, which alone counts as learnt.</param>
/// <param name="Rejected">The same prompt with the worse answer.</param>
public sealed record PreferencePair(TrainingExample Chosen, TrainingExample Rejected);
