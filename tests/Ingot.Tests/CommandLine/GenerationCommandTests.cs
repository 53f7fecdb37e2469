using System.Text.Json;
using Ingot.Tests.Generation;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>`ingot generate` and `ingot chat` as processes.</summary>
public sealed class GenerationCommandTests : FolderTests
{
    private string _model = "";

    [SetUp]
    public void WriteModel() => _model = RandomModel.Write(In("model"), """{"max_new_tokens": 12, "guidance_scale": 2.0}""");

    [Test]
    public void ManyPromptsGoSideBySide()
    {
        Write("prompts.jsonl", """
            {"prompt": "one", "more": 1}

            "two \"quoted\""
            """);
        var result = IngotProcess.Run(["generate", "--model", _model, "--promptFile", In("prompts.jsonl"), "--json", "--output", In("texts.jsonl"),
            "--temperature", "1", "--numReturnSequences", "2"]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Does.Contain("guidance_scale is 2.0, which is not supported"));
        var texts = File.ReadLines(In("texts.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.That(texts.Select(text => text.GetProperty("prompt").GetString()),
            Is.EqualTo(new[] { "one", "one", "two \"quoted\"", "two \"quoted\"" }));
        Assert.That(texts.Select(text => text.GetProperty("newTokens").GetInt32()), Is.All.EqualTo(12), "as the model's file says");
        Assert.That(texts[0].GetProperty("text").GetString(), Is.Not.EqualTo(texts[1].GetProperty("text").GetString()));
        Assert.That(File.Exists(In("texts.jsonl.partial")), Is.False);

        // As text, and drawn as the command line says: the first text of the prompt by itself.
        var alone = IngotProcess.Run(["generate", "--model", _model, "--prompt", "one", "--temperature", "1"]);
        Assert.That(alone.Output, Is.EqualTo("one" + texts[0].GetProperty("text").GetString() + "\n"));
        var both = IngotProcess.Run(["generate", "--model", _model, "--prompt", "one", "two \"quoted\"", "--temperature", "1"]);
        Assert.That(both.Output, Is.EqualTo(alone.Output + "\ntwo \"quoted\"" + texts[2].GetProperty("text").GetString() + "\n"));
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        Write("bad.jsonl", "{\"prompt\": 1}\n");
        Write("empty.txt", "\n");
        void Refuses(int code, string message, params string[] arguments)
        {
            var result = IngotProcess.Run(["generate", "--model", _model, .. arguments]);
            Assert.That(result.ExitCode, Is.EqualTo(code), result.ToString());
            Assert.That(result.Error, Does.Contain(message));
        }

        Refuses(1, "bad.jsonl, line 1: neither a text nor an object", "--promptFile", In("bad.jsonl"));
        Refuses(1, "empty.txt has no prompt", "--promptFile", In("empty.txt"));
        Refuses(2, "--prompt and --promptFile cannot both be given", "--promptFile", In("empty.txt"), "--prompt", "x");
        Refuses(2, "--topP is 2; it must be", "--topP", "2");
        Refuses(1, "the prompt has 300 tokens, the model's context 256", "--prompt", new string('a', 300));
    }

    [Test]
    public void AChatIsALineForEachMessage()
    {
        string[] arguments = ["chat", "--model", _model, "--chatTemplate", "plain", "--temperature", "1"];
        var result = IngotProcess.RunWithInput(arguments, $"Hello?\n/undo\nHello?\nSecond\\\nline\n/save {In("chat.jsonl")}\n/nothing\n/exit\nnot read\n");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Contain("(taken back: Hello?)").And.Contain("(there is no command /nothing; /help shows them)"));
        var messages = JsonDocument.Parse(File.ReadAllText(In("chat.jsonl"))).RootElement.GetProperty("messages").EnumerateArray().ToList();
        Assert.That(messages.Select(message => message.GetProperty("role").GetString()),
            Is.EqualTo(new[] { "user", "assistant", "user", "assistant" }));
        Assert.That(messages[2].GetProperty("content").GetString(), Is.EqualTo("Second\nline"));
    }

    [Test]
    public void AModelWithoutATemplateIsNamedWithTheWayOut()
    {
        var result = IngotProcess.RunWithInput(["chat", "--model", _model], "Hello?\n");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("--chatTemplate").And.Contain("chatml"));
    }
}
