using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Chat;
using Ingot.Checkpoints;

namespace Ingot.Generation;

/// <summary>A conversation with a model, for one thread.</summary>
/// <example><code>
/// using var generator = TextGenerator.Load("models/qwen");
/// var chat = new ChatSession(generator, ChatTemplate.Load("models/qwen", tokenizer: generator.Tokenizer));
/// foreach (var piece in chat.Answer("Who are you?"))
///     Console.Write(piece);
/// </code></example>
public sealed class ChatSession
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly TextGenerator _generator;
    private readonly ChatTemplate _template;
    private readonly GenerationOptions _options;
    private readonly List<ChatMessage> _messages = [];
    private string? _system;
    private int _retries;

    /// <summary>Starts a conversation.</summary>
    /// <param name="generator">The model.</param>
    /// <param name="template">How it knows conversations.</param>
    /// <param name="options">The settings; null for the model's own. Every answer has another seed, from theirs on.</param>
    /// <param name="system">What is said ahead of it about the model's part; null for nothing.</param>
    public ChatSession(TextGenerator generator, ChatTemplate template, GenerationOptions? options = null, string? system = null)
    {
        (_generator, _template, _options) = (generator, template, (options ?? generator.Options) with { KeepsRead = true });
        System = system;
    }

    /// <summary>What is said ahead of the conversation; setting it starts the conversation anew.</summary>
    public string? System
    {
        get => _system;
        set
        {
            _system = value;
            Reset();
        }
    }

    /// <summary>The conversation so far.</summary>
    public IReadOnlyList<ChatMessage> Messages => _messages;

    /// <summary>How many of the oldest messages the last answer did not see, for want of room in the model's context.</summary>
    public int Forgotten { get; private set; }

    /// <summary>
    /// What the model answers, piece by piece. Then message and answer belong to the conversation, also when the answer was cancelled or
    /// the enumeration ended early.
    /// </summary>
    /// <exception cref="ArgumentException">The message is too long for the model; it is not kept.</exception>
    /// <exception cref="TemplateException">The template refuses the conversation; the message is not kept.</exception>
    public IEnumerable<string> Answer(string message, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        var user = new ChatMessage(ChatMessage.User, message);
        var prompt = ChatPrompt.Make(_generator, _template, [.. _messages, user],
            _options with { Seed = _options.Seed + _messages.Count + _retries });
        return Write(user, prompt, cancellationToken);
    }

    /// <summary>Forgets the conversation, but not <see cref="System"/>.</summary>
    public void Reset()
    {
        _messages.Clear();
        if (!string.IsNullOrEmpty(_system))
            _messages.Add(new ChatMessage(ChatMessage.System, _system));
    }

    /// <summary>Takes the last message and its answer back; null if there is none, else the message.</summary>
    public string? Undo()
    {
        var last = _messages.FindLastIndex(message => message.Role == ChatMessage.User);
        if (last < 0)
            return null;
        var text = _messages[last].Content;
        _messages.RemoveRange(last, _messages.Count - last);
        return text;
    }

    /// <summary>Takes the last message back to have it answered with other draws; null if there is none, else the message.</summary>
    public string? Retry()
    {
        // Apart from the seeds of later answers.
        _retries += 1_000_000;
        return Undo();
    }

    /// <summary>Writes the conversation to a file as one line {"messages": [{"role", "content"}, …]}, as data for chats has it.</summary>
    public void Save(string path)
    {
        var line = JsonSerializer.Serialize(
            new { messages = _messages.Select(message => new { role = message.Role, content = message.Content }) }, Readable);
        DurableFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(line + "\n")));
    }

    private IEnumerable<string> Write(ChatMessage user, ChatPrompt prompt, CancellationToken cancellationToken)
    {
        var answer = new StringBuilder();
        Forgotten = prompt.Forgotten;
        try
        {
            foreach (var piece in _generator.Stream(prompt.Text, prompt.Options, cancellationToken))
            {
                answer.Append(piece);
                yield return piece;
            }
        }
        finally
        {
            _messages.Add(user);
            _messages.Add(new ChatMessage(ChatMessage.Assistant, answer.ToString().Trim()));
        }
    }
}
