using System.Text;
using System.Text.Json;
using Ingot.Chat;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Chat;

public class ChatTemplateTests
{
    private static readonly ChatMessage[] Conversation =
    [
        new("system", "Be brief."), new("user", "2+2?"), new("assistant", "4"), new("user", "3+3?"), new("assistant", "6"),
    ];

    [TestCase("chatml", "<|im_start|>system\nBe brief.<|im_end|>\n"
        + "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n«4<|im_end|>»\n"
        + "<|im_start|>user\n3+3?<|im_end|>\n<|im_start|>assistant\n«6<|im_end|>»\n")]
    [TestCase("qwen", "<|im_start|>system\nBe brief.<|im_end|>\n"
        + "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n«4<|im_end|>»\n"
        + "<|im_start|>user\n3+3?<|im_end|>\n<|im_start|>assistant\n«6<|im_end|>»\n")]
    [TestCase("llama3", "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        + "<|start_header_id|>user<|end_header_id|>\n\n2+2?<|eot_id|>"
        + "<|start_header_id|>assistant<|end_header_id|>\n\n«4<|eot_id|>»<|start_header_id|>user<|end_header_id|>\n\n3+3?<|eot_id|>"
        + "<|start_header_id|>assistant<|end_header_id|>\n\n«6<|eot_id|>»")]
    [TestCase("mistral", "<s>[INST] Be brief.\n\n2+2?[/INST]« 4</s>»[INST] 3+3?[/INST]« 6</s>»")]
    [TestCase("gemma", "<s><start_of_turn>user\nBe brief.\n\n2+2?<end_of_turn>\n<start_of_turn>model\n«4<end_of_turn>»\n"
        + "<start_of_turn>user\n3+3?<end_of_turn>\n<start_of_turn>model\n«6<end_of_turn>»\n")]
    [TestCase("phi3", "<|system|>\nBe brief.<|end|>\n<|user|>\n2+2?<|end|>\n<|assistant|>\n«4<|end|>»\n"
        + "<|user|>\n3+3?<|end|>\n<|assistant|>\n«6<|end|>»\n")]
    [TestCase("zephyr", "<|system|>\nBe brief.</s>\n<|user|>\n2+2?</s>\n<|assistant|>\n«4</s>»\n"
        + "<|user|>\n3+3?</s>\n<|assistant|>\n«6</s>»\n")]
    [TestCase("plain", "System: Be brief.\nUser: 2+2?\nAssistant:« 4</s>»User: 3+3?\nAssistant:« 6</s>»")]
    public void BuiltInTemplatesMarkTheAnswersWithTheirEnds(string name, string expected)
    {
        ChatTemplate template = ChatTemplate.BuiltIn(
            name, new Dictionary<string, object?> { ["bos_token"] = "<s>", ["eos_token"] = "</s>" });
        ChatRendering rendering = template.RenderSpans(Conversation);
        Assert.That(Mark(rendering), Is.EqualTo(expected));
        Assert.That(template.MarksGeneration, Is.True);

        // The generation prompt is what comes between a question and its answer.
        string prompt = template.Render(Conversation[..4], addGenerationPrompt: true);
        Assert.That(rendering.Text, Does.StartWith(prompt));
        Assert.That(prompt, Has.Length.EqualTo(rendering.Generated[1].Start));
    }

    [Test]
    public void EveryBuiltInTemplateIsTested() =>
        Assert.That(ChatTemplate.BuiltInNames,
            Is.EqualTo(new[] { "chatml", "gemma", "llama3", "mistral", "phi3", "plain", "qwen", "zephyr" }));

    [Test]
    public void AnUnknownBuiltInTemplateIsAnErrorThatListsThem() =>
        Assert.That(() => ChatTemplate.BuiltIn("lama"), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("lama")
            .And.Message.Contains("llama3"));

    [Test]
    public void ATemplateComesFromTheConfiguration()
    {
        using var folder = new TemporaryDirectory();
        folder.Write("tokenizer_config.json", """
            {"bos_token": {"content": "<bos>", "special": true}, "eos_token": "<eos>", "pad_token": null,
             "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token is defined }}"}
            """u8);
        Assert.That(ChatTemplate.Load(folder.FullPath).Render([new ChatMessage("user", "Hi")]), Is.EqualTo("<bos>Hi<eos>False"));
        Assert.That(ChatTemplate.Load(folder.FullPath, "mistral").Render([new ChatMessage("user", "Hi")]),
            Is.EqualTo("<bos>[INST] Hi[/INST]"));
    }

    [Test]
    public void NamedTemplatesAreChosenByName()
    {
        using var folder = new TemporaryDirectory();
        folder.Write("tokenizer_config.json",
            """{"chat_template": [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]}"""u8);
        Assert.That(ChatTemplate.Load(folder.FullPath).Render([]), Is.EqualTo("a"));
        Assert.That(ChatTemplate.Load(folder.FullPath, "tool_use").Render([]), Is.EqualTo("b"));
        Assert.That(
            () => ChatTemplate.Load(folder.FullPath, "rag"),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("default, tool_use").And.Message.Contains("chatml"));
    }

    [Test]
    public void WithoutADefaultOneMustBeChosen()
    {
        using var folder = new TemporaryDirectory();
        folder.Write("tokenizer_config.json", """{"chat_template": [{"name": "rag", "template": "a"}]}"""u8);
        Assert.That(
            () => ChatTemplate.TryLoad(folder.FullPath),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("'default'").And.Message.Contains("rag"));
    }

    [Test]
    public void FilesOfTheirOwnComeFirst()
    {
        using var folder = new TemporaryDirectory();
        folder.Write("tokenizer_config.json", """{"chat_template": "a"}"""u8);
        folder.Write("chat_template.jinja", "file {{ messages | length }}"u8);
        Directory.CreateDirectory(folder["additional_chat_templates"]);
        folder.Write("additional_chat_templates/rag.jinja", "rag"u8);
        string chosen = folder.Write("chosen.jinja", "chosen"u8);
        Assert.That(ChatTemplate.Load(folder.FullPath).Render([]), Is.EqualTo("file 0"));
        Assert.That(ChatTemplate.Load(folder.FullPath, "rag").Render([]), Is.EqualTo("rag"));
        Assert.That(ChatTemplate.Load(folder.FullPath, chosen).Render([]), Is.EqualTo("chosen"));
    }

    [Test]
    public void WithoutATemplateTheErrorSaysWhatToDo()
    {
        using var folder = new TemporaryDirectory();
        Assert.That(
            () => ChatTemplate.Load(folder.FullPath),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("no chat template").And.Message.Contains("chatml"));
        Assert.That(ChatTemplate.TryLoad(folder.FullPath), Is.Null);
        Assert.That(() => ChatTemplate.Load(folder["nosuch"]), Throws.TypeOf<DirectoryNotFoundException>());
        Assert.That(() => ChatTemplate.Load(folder.FullPath, folder["no.jinja"]), Throws.TypeOf<FileNotFoundException>()
            .With.Message.Contains("no.jinja"));
    }

    [TestCase("{", "not valid JSON")]
    [TestCase("[]", "a JSON object is expected")]
    [TestCase("""{"chat_template": 5}""", "chat_template is a number")]
    [TestCase("""{"chat_template": [5]}""", "an entry of chat_template")]
    [TestCase("""{"chat_template": "a", "eos_token": 5}""", "eos_token is a number")]
    public void DamagedConfigurationsAreNamed(string config, string problem)
    {
        using var folder = new TemporaryDirectory();
        string path = folder.Write("tokenizer_config.json", Encoding.UTF8.GetBytes(config));
        Assert.That(() => ChatTemplate.Load(folder.FullPath), Throws.TypeOf<InvalidDataException>().With.Message.StartsWith(path)
            .And.Message.Contains(problem));
    }

    [Test]
    public void TheTokenizerSaysWhatEndsATextWhereNoFileDoes()
    {
        using var folder = new TemporaryDirectory();
        Tokenizer tokenizer = BpeTrainer.Train(["some text"u8.ToArray()], vocabularySize: 257);
        string text = ChatTemplate.Load(folder.FullPath, "plain", tokenizer).Render([new("user", "Hi"), new("assistant", "Ho")]);
        Assert.That(text, Is.EqualTo("User: Hi\nAssistant: Ho<|endoftext|>"));
    }

    [Test]
    public void TimeComesFromTheClock()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ strftime_now('%d %b %Y %H:%M:%S %A %-d %j %p %%') }}", clock: new FixedClock());
        Assert.That(template.Render([]), Is.EqualTo("07 Mar 2024 15:04:05 Thursday 7 067 PM %"));
    }

    [Test]
    public void MessagesCarryWhateverBelongsToThem()
    {
        using JsonDocument json = JsonDocument.Parse("""
            {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}],
             "tool_calls": [{"id": 1.50}]}
            """);
        ChatMessage message = ChatMessage.FromJson(json.RootElement);
        Assert.That(message.Role, Is.EqualTo("assistant"));
        Assert.That(message.Content, Is.EqualTo("ab"));
        Assert.That(ChatTemplate.Parse("{{ messages[0].tool_calls | tojson }}").Render([message]), Is.EqualTo("""[{"id": 1.5}]"""));
    }

    [TestCase("5", "an object with 'role' and 'content', not a number")]
    [TestCase("""{"content": "a"}""", "no 'role'")]
    [TestCase("""{"role": "", "content": "a"}""", "no 'role'")]
    [TestCase("""{"role": "user", "content": 5}""", "'content' of a message is a string")]
    public void WhatIsNoMessageIsAnError(string json, string problem)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.That(() => ChatMessage.FromJson(document.RootElement), Throws.TypeOf<ArgumentException>().With.Message.Contains(problem));
    }

    [Test]
    public void ManyThreadsMayUseOneTemplate()
    {
        ChatTemplate template = ChatTemplate.BuiltIn("chatml");
        string expected = template.Render(Conversation);
        Parallel.For(0, 200, _ => Assert.That(template.Render(Conversation), Is.EqualTo(expected)));
    }

    private static string Mark(ChatRendering rendering)
    {
        var text = new StringBuilder(rendering.Text);
        foreach (TextSpan span in rendering.Generated.Reverse())
        {
            text.Insert(span.End, '»').Insert(span.Start, '«');
        }

        return text.ToString();
    }

    private sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2024, 3, 7, 15, 4, 5, TimeSpan.Zero);
    }
}
