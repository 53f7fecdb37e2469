using System.Buffers;
using System.Text;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Chat;

/// <summary>
/// Turns examples into tokens of which only the answers are learnt: the assistant's turns with their end-of-turn token, completions, texts.
/// <para>A conversation is rendered and tokenized as a whole. Which of its characters are answers is what the template marks with
/// <c>{% generation %}</c> or, if it marks nothing, what comes between two renderings: the turns before an answer with the generation
/// prompt, and the same turns with the answer. A token is learnt if all of it lies in an answer.</para>
/// </summary>
public sealed class ExampleEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly ChatTemplate? _template;
    private readonly ExampleEncoderOptions _options;

    /// <summary>Makes an encoder.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="template">Its chat template; null if there are no conversations among the examples.</param>
    /// <param name="options">How to encode.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
    public ExampleEncoder(Tokenizer tokenizer, ChatTemplate? template = null, ExampleEncoderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _template = template;
        _options = options ?? new ExampleEncoderOptions();
        ArgumentOutOfRangeException.ThrowIfNegative(_options.MaxLength, nameof(options));
    }

    /// <summary>What happened so far.</summary>
    public ExampleCounts Counts { get; private set; }

    /// <summary>Encodes examples one by one, and leaves out those that have nothing to learn.</summary>
    /// <exception cref="InvalidDataException">None is left, or an example cannot be encoded; the message says why.</exception>
    public IEnumerable<TokenizedExample> Encode(IEnumerable<TrainingExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        foreach (TrainingExample example in examples)
        {
            if (Encode(example) is { } encoded)
            {
                yield return encoded;
            }
        }

        CheckTargets();
    }

    /// <summary>Encodes preference pairs one by one, and leaves out those of which an answer has nothing to learn.</summary>
    /// <exception cref="InvalidDataException">None is left, or an example cannot be encoded; the message says why.</exception>
    public IEnumerable<(TokenizedExample Chosen, TokenizedExample Rejected)> EncodePairs(IEnumerable<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        foreach (PreferencePair pair in pairs)
        {
            if (Encode(pair.Chosen) is { } chosen && Encode(pair.Rejected) is { } rejected)
            {
                yield return (chosen, rejected);
            }
        }

        CheckTargets();
    }

    /// <summary>Encodes an example.</summary>
    /// <returns>The example, or null if nothing in it is to be learnt, or it is too long and to be dropped.</returns>
    /// <exception cref="InvalidDataException">It cannot be encoded; the message names its place and the reason.</exception>
    public TokenizedExample? Encode(TrainingExample example)
    {
        ArgumentNullException.ThrowIfNull(example);
        Draft draft = MakeDraft(example);
        bool tooLong = IsTooLong(draft);
        if (tooLong && _options.Truncation == ExampleTruncation.Turns && example is ConversationExample conversation)
        {
            draft = CutTurns(conversation) ?? draft with { Learned = [] };
        }
        else if (tooLong && _options.Truncation != ExampleTruncation.Drop)
        {
            draft = new Draft(draft.Tokens[.._options.MaxLength], draft.Learned[.._options.MaxLength]);
        }

        bool dropped = (tooLong && _options.Truncation == ExampleTruncation.Drop) || Array.IndexOf(draft.Learned, true) < 0;
        ExampleCounts counts = Counts;
        Counts = counts with
        {
            Examples = counts.Examples + 1,
            Truncated = counts.Truncated + (tooLong && !dropped ? 1 : 0),
            TooLong = counts.TooLong + (tooLong && dropped ? 1 : 0),
            WithoutTargets = counts.WithoutTargets + (!tooLong && dropped ? 1 : 0),
            Tokens = counts.Tokens + (dropped ? 0 : draft.Tokens.Length),
            Targets = counts.Targets + (dropped ? 0 : draft.Learned.Count(learned => learned)),
        };
        return dropped ? null : new TokenizedExample(draft.Tokens, draft.Learned);
    }

    /// <summary>Checks that something is left to learn.</summary>
    /// <exception cref="InvalidDataException">All examples were dropped, or there was none; the message says how many and why.</exception>
    public void CheckTargets()
    {
        if (Counts.Examples == 0)
        {
            throw new InvalidDataException("there are no examples to learn from");
        }

        if (Counts.Examples == Counts.TooLong + Counts.WithoutTargets)
        {
            throw new InvalidDataException(
                $"none of the {Counts.Examples} examples has a token to learn: {Counts.TooLong} are longer than {_options.MaxLength} "
                + $"tokens and keep none of their answers, {Counts.WithoutTargets} have no answer "
                + "(a turn of the assistant, a completion or a text)");
        }
    }

    private bool IsTooLong(Draft draft) => _options.MaxLength > 0 && draft.Tokens.Length > _options.MaxLength;

    private Draft MakeDraft(TrainingExample example)
    {
        try
        {
            return example switch
            {
                ConversationExample conversation => EncodeConversation(conversation),
                CompletionExample completion => EncodeText(completion.Prompt + completion.Completion, completion.Prompt.Length),
                TextExample text => EncodeText(text.Text, 0),
                _ => throw new NotSupportedException($"{example.GetType().Name} is no known kind of example"),
            };
        }
        catch (TemplateException e)
        {
            throw new InvalidDataException($"{example.Place}: {e.Message}", e);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{example.Place}: {e.Message}", e);
        }
    }

    private Draft EncodeText(string text, int learnedFrom)
    {
        Draft draft = EncodeSpans(text, [new TextSpan(learnedFrom, text.Length - learnedFrom)]);
        return _options.AddEndOfText && _tokenizer.EndOfTextId is { } end
            ? new Draft([.. draft.Tokens, end], [.. draft.Learned, draft.Tokens.Length > 0])
            : draft;
    }

    // The most turns that fit and end with an answer that is learnt; null if there are none.
    private Draft? CutTurns(ConversationExample conversation)
    {
        int[] ends =
        [
            .. Enumerable.Range(1, conversation.Messages.Count - 1)
                .Where(end => end > conversation.PromptLength && conversation.Messages[end - 1].Role == ChatMessage.Assistant),
        ];
        Draft? best = null;
        int low = 0;
        int high = ends.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            Draft draft = MakeDraft(conversation with { Messages = [.. conversation.Messages.Take(ends[middle])] });
            if (IsTooLong(draft))
            {
                high = middle - 1;
            }
            else
            {
                best = draft;
                low = middle + 1;
            }
        }

        return best;
    }

    private Draft EncodeConversation(ConversationExample conversation)
    {
        if (_template is null)
        {
            throw new InvalidDataException(
                $"a conversation needs a chat template; built in are {string.Join(", ", ChatTemplate.BuiltInNames)}");
        }

        if (conversation.Messages.All(message => message.Role != ChatMessage.Assistant))
        {
            return new Draft([], []);
        }

        ChatRendering rendering = _template.RenderSpans(conversation.Messages, false, conversation.Tools, _options.TemplateVariables);
        IEnumerable<TextSpan> answers = _template.MarksGeneration ? MarkedAnswers(conversation, rendering)
            : FindAnswers(conversation, rendering.Text);
        return EncodeSpans(rendering.Text, _options.Answers == LearnedAnswers.Last ? [.. answers.TakeLast(1)] : [.. answers]);
    }

    private IEnumerable<TextSpan> MarkedAnswers(ConversationExample conversation, ChatRendering rendering)
    {
        int promptEnd = 0;
        if (conversation.PromptLength > 0)
        {
            string prompt = Render(conversation, conversation.PromptLength, addGenerationPrompt: false);
            promptEnd = prompt.Length;
            CheckPrefix(prompt, rendering.Text, $"the first {conversation.PromptLength} turns");
        }

        return rendering.Generated.Where(span => span.Start >= promptEnd);
    }

    private List<TextSpan> FindAnswers(ConversationExample conversation, string text)
    {
        var spans = new List<TextSpan>();
        IReadOnlyList<ChatMessage> messages = conversation.Messages;
        for (int i = conversation.PromptLength; i < messages.Count; i++)
        {
            if (messages[i].Role != ChatMessage.Assistant
                || (_options.Answers == LearnedAnswers.Last && messages.Skip(i + 1).Any(later => later.Role == ChatMessage.Assistant)))
            {
                continue;
            }

            string before = Render(conversation, i, addGenerationPrompt: true);
            string after = i + 1 == messages.Count ? text : Render(conversation, i + 1, addGenerationPrompt: false);
            CheckPrefix(before, after, $"the turns before number {i + 1} with the generation prompt");
            CheckPrefix(after, text, $"the first {i + 1} turns");
            spans.Add(new TextSpan(before.Length, EndOfTurn(after, before.Length, messages[i].Content) - before.Length));
        }

        return spans;
    }

    private string Render(ConversationExample conversation, int turns, bool addGenerationPrompt) =>
        _template!.Render([.. conversation.Messages.Take(turns)], addGenerationPrompt, conversation.Tools, _options.TemplateVariables);

    // What comes behind the end-of-turn token, such as ChatML's line end, is not the model's; where there is none, the line end is it.
    private static int EndOfTurn(string text, int start, string content)
    {
        string said = content.Trim();
        int at = text.LastIndexOf(said, StringComparison.Ordinal);
        int contentEnd = said.Length > 0 && at >= start ? at + said.Length : start;
        int end = text.AsSpan().TrimEnd().Length;
        return end > contentEnd ? end : text.Length;
    }

    private void CheckPrefix(string beginning, string whole, string what)
    {
        if (whole.StartsWith(beginning, StringComparison.Ordinal))
        {
            return;
        }

        int differs = beginning.AsSpan().CommonPrefixLength(whole);
        throw new InvalidDataException(
            $"{_template!.Name}: what it writes for {what} is not how it begins the whole conversation: at character {differs} "
            + $"'{Excerpt(beginning, differs)}' stands against '{Excerpt(whole, differs)}'. So it cannot be told what is to be learnt. "
            + "Learn the last answer only, mark answers with {% generation %} in the template, or choose another one");
    }

    private static string Excerpt(string text, int from) =>
        text.Substring(from, Math.Min(20, text.Length - from)).Replace("\n", "\\n", StringComparison.Ordinal);

    // Tokenizes the text as a whole, and marks the tokens that lie inside the spans.
    private Draft EncodeSpans(string text, IReadOnlyList<TextSpan> spans)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var ids = new List<int>();
        _tokenizer.EncodeUtf8(utf8, ids);
        Draft draft = TokenEnds(utf8, ids) is { } ends
            ? new Draft([.. ids], MarkBytes(text, spans, ends))
            : MarkPlaces(_tokenizer.Tokenize(text, options: new EncodeOptions { AddSpecialTokens = false }), spans);
        if (draft.Learned.Length > 0)
        {
            draft.Learned[0] = false; // Nothing comes before it.
        }

        return draft;
    }

    private static bool[] MarkBytes(string text, IReadOnlyList<TextSpan> spans, int[] ends)
    {
        var learned = new bool[ends.Length];
        int token = 0;
        int characters = 0;
        int bytes = 0;
        foreach (TextSpan span in spans)
        {
            int start = bytes + Encoding.UTF8.GetByteCount(text.AsSpan(characters, span.Start - characters));
            int end = start + Encoding.UTF8.GetByteCount(text.AsSpan(span.Start, span.Length));
            (characters, bytes) = (span.End, end);
            for (; token < ends.Length && ends[token] <= end; token++)
            {
                learned[token] = (token == 0 ? 0 : ends[token - 1]) >= start;
            }
        }

        return learned;
    }

    // Tokenizers that change the text, such as SentencePiece's, say where each token comes from. Not every token comes from somewhere.
    private static Draft MarkPlaces(TokenEncoding encoding, IReadOnlyList<TextSpan> spans)
    {
        var learned = new bool[encoding.Ids.Length];
        int span = 0;
        for (int i = 0; i < learned.Length; i++)
        {
            (int start, int end) = encoding.Offsets[i];
            while (span < spans.Count && spans[span].End < end)
            {
                span++;
            }

            learned[i] = end > start && span < spans.Count && start >= spans[span].Start;
        }

        return new Draft(encoding.Ids, learned);
    }

    // Where each token's text ends, in bytes; null if the tokens' texts are not together the text.
    private int[]? TokenEnds(byte[] utf8, List<int> ids)
    {
        var ends = new int[ids.Count];
        var written = new ArrayBufferWriter<byte>(utf8.Length + 16);
        for (int i = 0; i < ends.Length; i++)
        {
            _tokenizer.DecodeUtf8([ids[i]], written);
            ends[i] = written.WrittenCount;
        }

        return written.WrittenSpan.SequenceEqual(utf8) ? ends : null;
    }

    private sealed record Draft(int[] Tokens, bool[] Learned);
}
