using System.Runtime.CompilerServices;
using Ingot.Chat;
using Microsoft.Extensions.AI;
using AIMessage = Microsoft.Extensions.AI.ChatMessage;
using ChatMessage = Ingot.Chat.ChatMessage;

namespace Ingot.Generation;

/// <summary>
/// A model as an <see cref="IChatClient"/> of Microsoft.Extensions.AI, so that .NET code that talks to any model talks to this one.
/// Calls from several threads take turns. It keeps no conversation: each call brings its own. Tools and response formats other than text
/// are not supported and refused.
/// </summary>
/// <param name="generator">The model; disposed of with this client.</param>
/// <param name="template">How it knows conversations.</param>
/// <param name="name">The model's name, for <see cref="ChatClientMetadata"/>.</param>
public sealed class ModelChatClient(TextGenerator generator, ChatTemplate template, string name = "ingot") : IChatClient
{
    private readonly ChatClientMetadata _metadata = new("ingot", defaultModelId: name);

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<AIMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var updates = GetStreamingResponseAsync(messages, options, cancellationToken);
        return await updates.ToChatResponseAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<AIMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var settings = Convert(options) with { KeepsRead = true };
        var prompt = ChatPrompt.Make(generator, template, Convert(messages, options), settings);
        var id = Guid.NewGuid().ToString("N");
        ChatResponseUpdate Update(IList<AIContent> contents) => new(ChatRole.Assistant, contents)
        {
            ResponseId = id,
            MessageId = id,
            ModelId = name,
            CreatedAt = DateTimeOffset.UtcNow,
        };
        await foreach (var (sequence, piece) in generator.PiecesAsync(prompt.Text, prompt.Options, cancellationToken).ConfigureAwait(false))
        {
            if (piece.Length > 0)
                yield return Update([new TextContent(piece)]);
            if (sequence.Ending is not { } ending)
                continue;
            var last = Update(
            [
                new UsageContent(new UsageDetails
                {
                    InputTokenCount = sequence.Prompt.Count,
                    CachedInputTokenCount = sequence.Held,
                    OutputTokenCount = sequence.Written,
                    TotalTokenCount = sequence.Tokens.Count,
                }),
            ]);
            last.FinishReason = ending == FinishReason.Stop ? ChatFinishReason.Stop : ChatFinishReason.Length;
            yield return last;
        }
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(generator) ? generator
            : null;
    }

    /// <inheritdoc/>
    public void Dispose() => generator.Dispose();

    private static List<ChatMessage> Convert(IEnumerable<AIMessage> messages, ChatOptions? options)
    {
        List<ChatMessage> all = [.. messages.Select(message => new ChatMessage(message.Role.Value, message.Text))];
        if (!string.IsNullOrEmpty(options?.Instructions))
            all.Insert(0, new ChatMessage(ChatMessage.System, options.Instructions));
        return all;
    }

    private GenerationOptions Convert(ChatOptions? options)
    {
        var own = generator.Options;
        if (options is null)
            return own;
        if (options.Tools is { Count: > 0 })
            throw new NotSupportedException("tools are not supported: the model is not told of them");
        if (options.ResponseFormat is not (null or ChatResponseFormatText))
            throw new NotSupportedException("the only response format that is supported is text");
        var draws = options.Temperature is not null || options.TopK is not null || options.TopP is not null;
        return own with
        {
            MaxNewTokens = options.MaxOutputTokens ?? own.MaxNewTokens,
            DoSample = draws || own.DoSample,
            Temperature = options.Temperature ?? own.Temperature,
            TopK = options.TopK ?? own.TopK,
            TopP = options.TopP ?? own.TopP,
            FrequencyPenalty = options.FrequencyPenalty ?? own.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? own.PresencePenalty,
            Seed = options.Seed ?? own.Seed,
            Stop = options.StopSequences is { } stop ? [.. stop] : own.Stop,
        };
    }
}
