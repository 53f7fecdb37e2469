using System.Text.Json;
using Ingot.Chat.Templates;
using Ingot.Tokenizers;

namespace Ingot.Chat;

/// <summary>
/// Writes conversations in the form that a model knows. Templates are those of Hugging Face's models: Jinja2 with <c>trim_blocks</c> and
/// <c>lstrip_blocks</c>, the functions <c>raise_exception</c> and <c>strftime_now</c>, and <c>{% generation %}</c> blocks. What of Jinja2
/// chat templates do not use is an error that names template, line and construct. A hostile template ends with an error too: depth, work
/// and output are bounded. A template is immutable and may be used by several threads at once.
/// </summary>
public sealed class ChatTemplate
{
    private readonly Block _body;
    private readonly IReadOnlyDictionary<string, object?> _variables;
    private readonly TimeProvider _clock;

    private ChatTemplate(string name, string source, IReadOnlyDictionary<string, object?> variables, TimeProvider? clock)
    {
        Name = name;
        Source = source;
        _body = TemplateParser.Parse(name, source, out bool marksGeneration);
        MarksGeneration = marksGeneration;
        _variables = variables.ToDictionary(pair => pair.Key, pair => Values.From(pair.Value), StringComparer.Ordinal);
        _clock = clock ?? TimeProvider.System;
    }

    /// <summary>The names of the templates that need no file.</summary>
    public static IReadOnlyList<string> BuiltInNames => BuiltInTemplates.Names;

    /// <summary>The template's name or file.</summary>
    public string Name { get; }

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>Whether it says, with <c>{% generation %}</c>, what the model is to write.</summary>
    public bool MarksGeneration { get; }

    /// <summary>The special tokens that it can read, such as bos_token.</summary>
    internal SortedDictionary<string, string> SpecialTokens => new(
        _variables.Where(pair => pair.Value is string && pair.Key.EndsWith("_token", StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key, pair => (string)pair.Value!), StringComparer.Ordinal);

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="name">Its name or file, for errors.</param>
    /// <param name="variables">What it can read besides the conversation: <c>bos_token</c>, <c>eos_token</c> …</param>
    /// <param name="clock">What <c>strftime_now</c> reads; the system's if null.</param>
    /// <exception cref="TemplateException">It is wrong or asks for something that is not supported.</exception>
    public static ChatTemplate Parse(
        string source, string name = "chat template", IReadOnlyDictionary<string, object?>? variables = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new ChatTemplate(name, source, variables ?? new Dictionary<string, object?>(), clock);
    }

    /// <summary>Reads the chat template of a model's folder, or one that is chosen for it.</summary>
    /// <param name="folder">
    /// The model's folder: <c>chat_template.jinja</c>, <c>additional_chat_templates/*.jinja</c>, or <c>chat_template</c> in
    /// <c>tokenizer_config.json</c>, where also <c>bos_token</c> and its like are read.
    /// </param>
    /// <param name="choice">
    /// Null for the folder's own; otherwise a <c>.jinja</c> file, the name of one of the folder's templates, or one of
    /// <see cref="BuiltInNames"/>.
    /// </param>
    /// <param name="tokenizer">
    /// The folder's tokenizer, which says what <c>bos_token</c> and <c>eos_token</c> are where no file does.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such template; the message says what there is.</exception>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    /// <exception cref="TemplateException">The template is wrong or asks for something that is not supported.</exception>
    public static ChatTemplate Load(string folder, string? choice = null, Tokenizer? tokenizer = null) =>
        ChatTemplateFiles.Load(folder, choice, tokenizer);

    /// <summary>As <see cref="Load"/>, but null where nothing is chosen and the folder has no template.</summary>
    /// <inheritdoc cref="Load"/>
    public static ChatTemplate? TryLoad(string folder, string? choice = null, Tokenizer? tokenizer = null) =>
        ChatTemplateFiles.TryLoad(folder, choice, tokenizer);

    /// <summary>Gives one of the templates that need no file.</summary>
    /// <param name="name">One of <see cref="BuiltInNames"/>.</param>
    /// <param name="variables">What it can read besides the conversation: <c>bos_token</c>, <c>eos_token</c> …</param>
    /// <exception cref="FileNotFoundException">There is none of this name; the message lists them.</exception>
    public static ChatTemplate BuiltIn(string name, IReadOnlyDictionary<string, object?>? variables = null) =>
        Parse(
            BuiltInTemplates.Find(name) ?? throw new FileNotFoundException(
                $"there is no chat template '{name}': built in are {string.Join(", ", BuiltInNames)}"),
            $"the built-in chat template {name}",
            variables);

    /// <summary>Writes a conversation.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="addGenerationPrompt">Whether the beginning of the model's answer follows.</param>
    /// <param name="tools">The tools that the model may call, as a JSON list, or null.</param>
    /// <param name="variables">What else the template reads, such as <c>enable_thinking</c>: text, numbers, booleans, JSON.</param>
    /// <exception cref="TemplateException">The template fails, or refuses the conversation.</exception>
    public string Render(
        IReadOnlyList<ChatMessage> messages,
        bool addGenerationPrompt = false,
        JsonElement? tools = null,
        IReadOnlyDictionary<string, object?>? variables = null) =>
        RenderSpans(messages, addGenerationPrompt, tools, variables).Text;

    /// <summary>Writes a conversation, and says which parts the template marks as written by the model.</summary>
    /// <inheritdoc cref="Render"/>
    public ChatRendering RenderSpans(
        IReadOnlyList<ChatMessage> messages,
        bool addGenerationPrompt = false,
        JsonElement? tools = null,
        IReadOnlyDictionary<string, object?>? variables = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Scope globals = Globals.MakeScope();
        globals.Set("messages", new ListValue([.. messages.Select(message => message.Fields)]));
        globals.Set("add_generation_prompt", addGenerationPrompt);
        globals.Set("tools", tools is { } given ? Values.FromJson(given) : null);
        globals.Set("documents", null);
        foreach ((string name, object? value) in _variables)
        {
            globals.Set(name, value);
        }

        foreach ((string name, object? value) in variables ?? new Dictionary<string, object?>())
        {
            globals.Set(name, Values.From(value));
        }

        var context = new RenderContext(Name, new Scope(globals), _clock);
        _body.Execute(context);
        return new ChatRendering(context.Output, context.Generated);
    }
}
