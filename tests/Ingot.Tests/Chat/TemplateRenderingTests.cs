using System.Text.Json;
using Ingot.Chat;
using NUnit.Framework;

namespace Ingot.Tests.Chat;

/// <summary>
/// What templates give is compared with what Jinja2 3.1.6 gives in its immutable sandbox, with the settings, functions and the tojson of
/// Hugging Face's libraries: the expected texts in the JSON files were written by it.
/// </summary>
public class TemplateRenderingTests
{
    private static readonly string Folder = TestData.InRepository("tests", "Ingot.Tests", "Chat");

    private static IEnumerable<TestCaseData> Expressions()
    {
        JsonElement file = Read("expressions.json");
        return file.GetProperty("cases").EnumerateArray().Select((entry, number) =>
            new TestCaseData(file, entry.GetProperty("template").GetString(), entry.GetProperty("expected").GetString())
                .SetName($"Jinja2 agrees on case {number}"));
    }

    private static IEnumerable<TestCaseData> Conversations()
    {
        JsonElement file = Read("renderings.json");
        foreach (JsonElement entry in file.GetProperty("renderings").EnumerateArray())
        {
            string template = entry.GetProperty("template").GetString()!;
            string conversation = entry.GetProperty("conversation").GetString()!;
            bool prompt = entry.GetProperty("addGenerationPrompt").GetBoolean();
            bool tools = entry.GetProperty("tools").GetBoolean();
            int extra = entry.GetProperty("variables").EnumerateObject().Count();
            yield return new TestCaseData(file, entry).SetName(
                $"Jinja2 agrees on {template}, {conversation}, prompt {prompt}, tools {tools}, {extra} variables");
        }
    }

    [TestCaseSource(nameof(Expressions))]
    public void ConstructsGiveWhatJinja2Gives(JsonElement file, string template, string expected)
    {
        string text = ChatTemplate.Parse(template).Render(
            Messages(file.GetProperty("messages")), addGenerationPrompt: true, file.GetProperty("tools"),
                Variables(file.GetProperty("variables")));
        Assert.That(text, Is.EqualTo(expected), template);
    }

    // Found by comparing random expressions with Jinja2.
    [TestCase("{{ 3 | round }} {{ 2.5 | round }} {{ -3 | round }}", "3 2.0 -3")]
    [TestCase("{{ range(true) | list }}", "[0]")]
    [TestCase("{{ 'a1a' | replace(1, nosuch) }}", "aa")]
    [TestCase("{{ 'True' | replace(true, 2.0) }}", "2.0")]
    public void CornersGiveWhatJinja2Gives(string template, string expected) =>
        Assert.That(ChatTemplate.Parse(template).Render([]), Is.EqualTo(expected));

    [TestCaseSource(nameof(Conversations))]
    public void ConversationsGiveWhatJinja2Gives(JsonElement file, JsonElement entry)
    {
        string name = entry.GetProperty("template").GetString()!;
        var variables = Variables(file.GetProperty("variables"));
        foreach ((string key, object? value) in Variables(entry.GetProperty("variables")))
        {
            variables[key] = value;
        }

        ChatTemplate template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(Folder, "Templates", name)), name, variables);
        string Render() => template.Render(
            Messages(file.GetProperty("conversations").GetProperty(entry.GetProperty("conversation").GetString()!)),
            entry.GetProperty("addGenerationPrompt").GetBoolean(),
            entry.GetProperty("tools").GetBoolean() ? file.GetProperty("tools") : null);

        // Jinja2 fails where the template refuses the conversation or adds text to something else.
        if (entry.GetProperty("expected").ValueKind == JsonValueKind.Null)
        {
            Assert.That(Render, Throws.TypeOf<TemplateException>().With.Message.StartsWith($"{name}, line "));
        }
        else
        {
            Assert.That(Render(), Is.EqualTo(entry.GetProperty("expected").GetString()));
        }
    }

    private static JsonElement Read(string file)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, file)));
        return json.RootElement.Clone();
    }

    private static List<ChatMessage> Messages(JsonElement json) => [.. json.EnumerateArray().Select(ChatMessage.FromJson)];

    private static Dictionary<string, object?> Variables(JsonElement json) =>
        json.EnumerateObject().ToDictionary(property => property.Name, property => (object?)property.Value);
}
