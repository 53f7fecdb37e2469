using Ingot.Chat;
using Ingot.Generation;
using Microsoft.Extensions.AI;
using NUnit.Framework;
using ChatMessage = Ingot.Chat.ChatMessage;

namespace Ingot.Tests.Generation;

/// <summary>Text, one or many, at once or in pieces, and conversations, of a model with random weights.</summary>
public sealed class TextGeneratorTests : FolderTests
{
    private static readonly GenerationOptions Options = new() { MaxNewTokens = 30, Temperature = 1, TopK = 0 };

    private TextGenerator _generator = null!;

    [SetUp]
    public void Load() => _generator = TextGenerator.Load(RandomModel.Write(In("model"),
        """{"do_sample": true, "temperature": 1, "top_k": 0, "max_new_tokens": 30, "eos_token_id": 0}"""));

    [TearDown]
    public void Free() => _generator.Dispose();

    [Test]
    public async Task AllWaysToWriteGiveTheSameText()
    {
        string[] prompts = ["Once", "upon a time there was", "x"];
        var alone = prompts.Select(prompt => string.Concat(_generator.Stream(prompt, Options))).ToArray();
        Assert.That(_generator.Generate(prompts, Options).OrderBy(text => text.Prompt).Select(text => text.Text), Is.EqualTo(alone));
        foreach (var (prompt, text) in prompts.Zip(alone))
        {
            var pieces = new List<string>();
            await foreach (var piece in _generator.StreamAsync(prompt, Options))
                pieces.Add(piece);
            Assert.That(string.Concat(pieces), Is.EqualTo(text));
            // A token is a character.
            Assert.That(pieces, Has.Count.EqualTo(text.Length));
        }

        // Several callers at once take turns.
        var together = await Task.WhenAll(prompts.Select(async prompt =>
        {
            var text = "";
            await foreach (var piece in _generator.StreamAsync(prompt, Options))
                text += piece;
            return text;
        }));
        Assert.That(together, Is.EqualTo(alone));
    }

    [Test]
    public void TheModelsFileSaysHowItIsWritten()
    {
        Assert.That(_generator.Options.EosTokenIds, Is.EqualTo(new[] { 0 }));
        Assert.That(string.Concat(_generator.Stream("abc")), Is.EqualTo(string.Concat(_generator.Stream("abc", _generator.Options))));
        // Token 0 ends the text also where the settings are others.
        var forced = _generator.Generate(["abc"], Options with { ForcedEosTokenIds = [0], MaxNewTokens = 5 }).Single();
        Assert.That((forced.Tokens.Count, forced.FinishReason), Is.EqualTo((4, FinishReason.Stop)));
    }

    [Test]
    public void TextsOfAPromptAreNumberedAndSayHowTheyEnded()
    {
        int[] ends = [.. Enumerable.Range(0, 96).Where(id => id % 8 == 0)];
        var options = Options with { NumReturnSequences = 8, MaxNewTokens = 12, EosTokenIds = ends };
        var texts = _generator.Generate(["abc", "d"], options).ToList();
        Assert.That(texts, Has.Count.EqualTo(16));
        Assert.That(texts.Select(text => (text.Prompt, text.Number)).Distinct().Count(), Is.EqualTo(16));
        Assert.That(texts.Select(text => text.FinishReason).Distinct().Count(), Is.EqualTo(2), "some end by themselves");
        foreach (var text in texts)
        {
            Assert.That(text.Tokens.Intersect(ends), Is.Empty);
            Assert.That(text.Tokens.Count == 12, Is.EqualTo(text.FinishReason == FinishReason.Length));
            Assert.That(text.Text, Is.EqualTo(_generator.Tokenizer.Decode([.. text.Tokens])));
        }
    }

    [Test]
    public async Task CancellingEndsATextAndFreesTheGenerator()
    {
        using var source = new CancellationTokenSource();
        var pieces = 0;
        Assert.That(async () =>
        {
            await foreach (var _ in _generator.StreamAsync("abc", Options, source.Token))
            {
                if (++pieces == 3)
                    await source.CancelAsync();
            }
        }, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(pieces, Is.EqualTo(3));

        // While one text is under way another cannot begin without waiting, and one that waits can be cancelled.
        using (var first = _generator.Stream("abc", Options).GetEnumerator())
        {
            Assert.That(first.MoveNext(), Is.True);
            Assert.That(() => _generator.Stream("abc", Options).First(), Throws.InvalidOperationException);
            using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
            Assert.That(async () =>
            {
                await foreach (var _ in _generator.StreamAsync("abc", Options, soon.Token))
                {
                }
            }, Throws.InstanceOf<OperationCanceledException>());
        }

        Assert.That(await _generator.StreamAsync("abc", Options).FirstAsync(), Is.Not.Empty);
    }

    [Test]
    public void BeamsComeBestFirst()
    {
        var texts = _generator.Generate(["abc", "de"], Options with { NumBeams = 4, NumReturnSequences = 3, MaxNewTokens = 8 }).ToList();
        Assert.That(texts.Select(text => (text.Prompt, text.Number)),
            Is.EqualTo(new[] { (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2) }));
        Assert.That(texts.Take(3).Select(text => text.Score), Is.Ordered.Descending);
        Assert.That(string.Concat(_generator.Stream("abc", Options with { NumBeams = 4, MaxNewTokens = 8 })), Is.EqualTo(texts[0].Text));
    }

    [Test]
    public void APromptThatDoesNotFitIsNamed() => Assert.That(
        () => _generator.Generate(["a", new string('b', 300)], Options).ToList(),
        Throws.ArgumentException.With.Message.StartsWith("prompt 2: the prompt has 300 tokens, the model's context 256"));

    [Test]
    public void AConversationIsKeptTakenBackAndSaved()
    {
        var chat = new ChatSession(_generator, ChatTemplate.BuiltIn("plain"), system: "Be brief.");
        var first = string.Concat(chat.Answer("Hello?"));
        Assert.That(chat.Messages.Select(message => message.Role), Is.EqualTo(new[] { "system", "user", "assistant" }));
        Assert.That(chat.Messages[2].Content, Is.EqualTo(first.Trim()));
        var second = string.Concat(chat.Answer("And now?"));
        Assert.That(chat.Messages, Has.Count.EqualTo(5));
        Assert.That(chat.Undo(), Is.EqualTo("And now?"));
        Assert.That(string.Concat(chat.Answer("And now?")), Is.EqualTo(second), "the same conversation has the same answer");
        Assert.That(chat.Retry(), Is.EqualTo("And now?"));
        Assert.That(string.Concat(chat.Answer("And now?")), Is.Not.EqualTo(second));

        chat.Save(In("chat.jsonl"));
        using var saved = System.Text.Json.JsonDocument.Parse(File.ReadAllText(In("chat.jsonl")));
        var messages = saved.RootElement.GetProperty("messages").EnumerateArray().Select(ChatMessage.FromJson).ToList();
        Assert.That(messages.Select(message => message.ToString()), Is.EqualTo(chat.Messages.Select(message => message.ToString())));

        chat.Reset();
        Assert.That(chat.Messages.Single().Content, Is.EqualTo("Be brief."));
        Assert.That(chat.Undo(), Is.Null);
        Assert.That(string.Concat(chat.Answer("Hello?")), Is.Not.Empty);
    }

    [Test]
    public void OldTurnsAreForgottenWhenTheContextIsFull()
    {
        var chat = new ChatSession(_generator, ChatTemplate.BuiltIn("plain"), system: "Be brief.");
        for (var turn = 0; turn < 6; turn++)
            _ = string.Concat(chat.Answer(new string('a', 40)));
        Assert.That(chat.Messages, Has.Count.EqualTo(13), "all are kept");
        Assert.That(chat.Forgotten, Is.Positive.And.LessThan(11));
        Assert.That(() => chat.Answer(new string('a', 300)), Throws.ArgumentException.With.Message.StartsWith("the last message alone"));
        Assert.That(chat.Messages, Has.Count.EqualTo(13));
    }

    // The template's end of a turn ends an answer, though the vocabulary has no such token.
    [Test]
    public void AnAnswerEndsWhereTheTemplateSays()
    {
        ChatMessage[] messages = [new("user", "Hi")];
        string Stop(string template) => ChatPrompt.Make(_generator, ChatTemplate.BuiltIn(template), messages, Options).Options.Stop.Single();
        Assert.That(Stop("chatml"), Is.EqualTo("<|im_end|>"));
        Assert.That(Stop("llama3"), Is.EqualTo("<|eot_id|>"));
        Assert.That(Stop("plain"), Is.EqualTo("\nUser:"));
        var prompt = ChatPrompt.Make(_generator, ChatTemplate.BuiltIn("chatml"), messages, Options with { MaxNewTokens = 1000 });
        Assert.That(prompt.Text, Is.EqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"));
        Assert.That(prompt.Options.MaxNewTokens, Is.EqualTo(256 - prompt.Text.Length));
    }

    [Test]
    public async Task AChatClientAnswersAsTheModelDoes()
    {
        var client = new ModelChatClient(_generator, ChatTemplate.BuiltIn("plain"), "random");
        Microsoft.Extensions.AI.ChatMessage[] messages = [new(ChatRole.User, "Hello?")];
        var options = new ChatOptions { MaxOutputTokens = 12, Seed = 5, Instructions = "Be brief.", StopSequences = ["~"] };

        var response = await client.GetResponseAsync(messages, options);
        var streamed = await client.GetStreamingResponseAsync(messages, options).ToListAsync();

        var expected = string.Concat(_generator.Stream("System: Be brief.\nUser: Hello?\nAssistant:",
            _generator.Options with { MaxNewTokens = 12, Seed = 5, Stop = ["~", "\nUser:"] }));
        Assert.That(response.Text, Is.EqualTo(expected));
        Assert.That(string.Concat(streamed.Select(update => update.Text)), Is.EqualTo(expected));
        Assert.That(response.FinishReason, Is.EqualTo(streamed[^1].FinishReason).And.Not.Null);
        Assert.That(response.Usage!.InputTokenCount, Is.EqualTo("System: Be brief.\nUser: Hello?\nAssistant:".Length));
        Assert.That(response.Usage.TotalTokenCount, Is.EqualTo(response.Usage.InputTokenCount + response.Usage.OutputTokenCount));
        Assert.That(client.GetService<ChatClientMetadata>()!.DefaultModelId, Is.EqualTo("random"));
        Assert.That(client.GetService<TextGenerator>(), Is.SameAs(_generator));
        Assert.That(async () => await client.GetResponseAsync(messages, new ChatOptions { Tools = [new SomeTool()] }),
            Throws.InstanceOf<NotSupportedException>());
        Assert.That(async () => await client.GetResponseAsync(messages, new ChatOptions { ResponseFormat = ChatResponseFormat.Json }),
            Throws.InstanceOf<NotSupportedException>());
    }

    // What the model read and wrote for the turns before is not read again, and the answer is that of the whole conversation.
    [Test]
    public async Task AChatReadsOnlyWhatIsNew()
    {
        var client = new ModelChatClient(_generator, ChatTemplate.BuiltIn("plain"), "random");
        List<Microsoft.Extensions.AI.ChatMessage> messages = [new(ChatRole.User, "One more?")];
        var options = new ChatOptions { MaxOutputTokens = 12, Temperature = 0 };
        var first = await client.GetResponseAsync(messages, options);
        messages.AddRange([new(ChatRole.Assistant, first.Text), new(ChatRole.User, "Another one?")]);
        var second = await client.GetResponseAsync(messages, options);

        Assert.That(first.Usage!.CachedInputTokenCount, Is.Zero);
        Assert.That(second.Usage!.CachedInputTokenCount, Is.GreaterThanOrEqualTo(first.Usage.InputTokenCount!.Value));
        Assert.That(second.Usage.CachedInputTokenCount, Is.LessThan(second.Usage.InputTokenCount!.Value - "User: Another one?".Length));
        using var fresh = TextGenerator.Load(In("model"));
        Assert.That((await new ModelChatClient(fresh, ChatTemplate.BuiltIn("plain"), "random").GetResponseAsync(messages, options)).Text, Is.EqualTo(second.Text));

        // Other texts are read as a whole, so that what a prompt gets does not depend on what was asked before.
        _ = string.Concat(_generator.Stream("User: One more?", Options));
        var again = await client.GetResponseAsync(messages, options);
        Assert.That(again.Usage!.CachedInputTokenCount, Is.EqualTo("User: One more?".Length));
    }

    private sealed class SomeTool : AITool;
}
