using System.IO.Compression;
using System.Text;
using Ingot.Chat;
using NUnit.Framework;

namespace Ingot.Tests.Chat;

public class ExampleFilesTests
{
    private const string Chat = """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}""";

    [TestCase(Chat, "user: Hi|assistant: Ho")]
    [TestCase("""{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}, """
        + """{"from": "observation", "value": "x"}]}""", "user: Hi|assistant: Ho|tool: x")]
    [TestCase("""{"system": "Be kind.", "conversations": [{"from": "user", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]}""",
        "system: Be kind.|user: Hi|assistant: Ho")]
    [TestCase("""{"conversations": [{"role": "user", "content": "Hi"}]}""", "user: Hi")]
    [TestCase("""{"instruction": "Add.", "input": "1 2", "output": "3"}""", "user: Add.\n\n1 2|assistant: 3")]
    [TestCase("""{"instruction": "Sing.", "input": "", "output": "La"}""", "user: Sing.|assistant: La")]
    [TestCase("""{"instruction": "Sing.", "input": null, "system": "You sing.", "output": "La", "id": 5}""",
        "system: You sing.|user: Sing.|assistant: La")]
    [TestCase("""{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Ho"}]}""",
        "user: Hi|assistant: Ho")]
    public void ConversationsInEveryForm(string json, string expected)
    {
        var example = (ConversationExample)ReadOne("a.jsonl", json);
        Assert.That(string.Join("|", example.Messages), Is.EqualTo(expected));
        Assert.That(example.PromptLength, Is.EqualTo(json.Contains("completion", StringComparison.Ordinal) ? 1 : 0));
    }

    [Test]
    public void TextsInEveryForm()
    {
        Assert.That(ReadOne("a.jsonl", """{"prompt": "1+1=", "completion": "2"}"""), Is.InstanceOf<CompletionExample>()
            .With.Property("Prompt").EqualTo("1+1=").And.Property("Completion").EqualTo("2"));
        Assert.That(((TextExample)ReadOne("a.jsonl", """{"text": "some\ntext"}""")).Text, Is.EqualTo("some\ntext"));
        Assert.That(((TextExample)ReadOne("a.jsonl", "\"text\"")).Text, Is.EqualTo("text"));
        Assert.That(((TextExample)ReadOne("a.txt", "\n  \nsome text\n")).Text, Is.EqualTo("some text"));
        Assert.That(ReadOne("a.txt", "\n  \nsome text\n").Place, Does.EndWith("a.txt:3"));
    }

    [Test]
    public void ToolsBelongToAConversation()
    {
        const string Tools = """[{"type":"function"}]""";
        var list = (ConversationExample)ReadOne("a.jsonl", Chat[..^1] + $", \"tools\": {Tools}}}");
        var text = (ConversationExample)ReadOne("a.jsonl", Chat[..^1] + ", \"tools\": \"[{\\\"type\\\":\\\"function\\\"}]\"}");
        Assert.That(list.Tools!.Value.GetRawText(), Is.EqualTo(Tools));
        Assert.That(text.Tools!.Value.GetRawText(), Is.EqualTo(Tools));
    }

    [Test]
    public void PreferencePairs()
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.jsonl", Encoding.UTF8.GetBytes("""
            {"prompt": "1+1=", "chosen": "2", "rejected": "3"}
            {"prompt": [@user], "chosen": [@good], "rejected": [@bad]}
            {"chosen": [@user, @good], "rejected": [@user, @bad]}
            """
            .Replace("@user", """{"role": "user", "content": "Hi"}""", StringComparison.Ordinal)
            .Replace("@good", """{"role": "assistant", "content": "Ho"}""", StringComparison.Ordinal)
            .Replace("@bad", """{"role": "assistant", "content": "No"}""", StringComparison.Ordinal)));
        PreferencePair[] pairs = [.. ExampleFiles.Open(file).ReadPairs()];
        Assert.That(pairs[0].Rejected, Is.EqualTo(new CompletionExample($"{file}:1", "1+1=", "3")));
        foreach (PreferencePair pair in pairs[1..])
        {
            var rejected = (ConversationExample)pair.Rejected;
            Assert.That(string.Join("|", rejected.Messages), Is.EqualTo("user: Hi|assistant: No"));
            Assert.That(rejected.PromptLength, Is.EqualTo(1));
        }

        // As plain examples they are the better answers.
        Assert.That(ExampleFiles.Open(file).Read().OfType<ConversationExample>().Select(example => example.Messages[1].Content),
            Is.EqualTo(new[] { "Ho", "Ho" }));
    }

    [Test]
    public void SomethingElseAmongPairsIsAnError()
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.jsonl", Encoding.UTF8.GetBytes(Chat));
        Assert.That(() => ExampleFiles.Open(file).ReadPairs().Count(), Throws.TypeOf<InvalidDataException>()
            .With.Message.StartsWith($"{file}:1: "));
    }

    [TestCase("[]", 0)]
    [TestCase(" \n[ \n ]\n", 0)]
    [TestCase("[\"a]\\\"\\\\\", \"b\"\n,\n\"c\"]", 3)]
    [TestCase("\n[{\"text\": \"a\"},\n {\"text\": \"[{\\\"]\"}]\n", 2)]
    [TestCase("", 0)]
    [TestCase("\n\n", 0)]
    [TestCase("{\"text\": \"a\"}\r\n\r\n{\"text\": \"b\"}", 2)]
    public void ListsAndLines(string json, int count)
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.json", Encoding.UTF8.GetBytes(json));
        Assert.That(ExampleFiles.Open(file).Read().Count(), Is.EqualTo(count));
    }

    [Test]
    public void PlacesAreLines()
    {
        using var folder = new TemporaryDirectory();
        string list = folder.Write("a.json", "\n[\"a\",\n\n  {\"text\":\n\"b\"}\n, \"c\"]"u8);
        Assert.That(ExampleFiles.Open(list).Read().Select(example => example.Place),
            Is.EqualTo(new[] { $"{list}:2", $"{list}:4", $"{list}:6" }));
        string lines = folder.Write("b.jsonl", "\"a\"\n\n\"b\"\n\"c\""u8);
        Assert.That(ExampleFiles.Open(lines).Read().Select(example => example.Place),
            Is.EqualTo(new[] { $"{lines}:1", $"{lines}:3", $"{lines}:4" }));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void LongFilesAreReadInPieces(bool isList)
    {
        // Longer than several blocks, with texts of all lengths around a block's.
        string[] texts = [.. Enumerable.Range(0, 300).Select(i => new string((char)('a' + (i % 26)), (i * 977) % 70_000) + "é\"[]\n\\")];
        IEnumerable<string> json = texts.Select(text => System.Text.Json.JsonSerializer.Serialize(new { text }));
        using var folder = new TemporaryDirectory();
        using (var gzip = new GZipStream(File.Create(folder["a.json.gz"]), CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.UTF8.GetBytes(isList ? $"[{string.Join(",\n", json)}]" : string.Join("\n", json)));
        }

        TrainingExample[] examples = [.. ExampleFiles.Open(folder["a.json.gz"]).Read()];
        Assert.That(examples.Cast<TextExample>().Select(example => example.Text), Is.EqualTo(texts));
        Assert.That(examples[^1].Place, Does.EndWith($"a.json.gz:{texts.Length}"));
    }

    [TestCase("{\"text\": \"a\"}\n{\"text\": }", 2, "not valid JSON")]
    [TestCase("{\"text\": \"a\"}\n{\"text\": \"b\"", 2, "not valid JSON")]
    [TestCase("\n5", 2, "an example is an object or a string, not a number")]
    [TestCase("{\"txt\": \"a\"}", 1, "the fields 'txt' are no known form")]
    [TestCase("{\"text\": 5}", 1, "the field 'text' is a number, not a string")]
    [TestCase("{\"messages\": []}", 1, "'messages' is a list of messages, not an empty one")]
    [TestCase("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"content\": \"a\"}]}", 1,
        "'messages', number 2: a message has no 'role'")]
    [TestCase("{\"conversations\": [{\"from\": \"me\", \"value\": \"a\"}]}", 1, "'from' is 'me'")]
    [TestCase("{\"conversations\": [{\"from\": \"gpt\"}]}", 1, "the field 'value' is missing")]
    [TestCase("{\"conversations\": 5}", 1, "'conversations' is a list of turns")]
    [TestCase("{\"instruction\": \"a\"}", 1, "the field 'output' is missing")]
    [TestCase("{\"completion\": \"a\"}", 1, "the field 'prompt' is missing")]
    [TestCase("{\"prompt\": \"a\", \"completion\": []}", 1, "are both strings or both lists of messages")]
    [TestCase("{\"prompt\": \"a\", \"chosen\": \"b\"}", 1, "the field 'rejected' is missing")]
    [TestCase("{\"chosen\": \"b\", \"rejected\": \"c\"}", 1, "'chosen' is a list of messages, not a string")]
    [TestCase("{\"chosen\": [{\"role\":\"user\"}], \"rejected\": [{\"role\":\"user\"}]}", 1, "do not differ")]
    [TestCase("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"tools\": 5}", 1, "'tools' is a list of tools")]
    [TestCase("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"tools\": \"[\"}", 1,
        "'tools' is a string that is not valid JSON")]
    [TestCase("{\"text\": \"\\ud800\"}", 1, "not valid Unicode")]
    [TestCase("{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"n\": 99999999999999999999}]}", 1, "more than 64 bits")]
    [TestCase("[\"a\",\n \"b\"", 2, "']' is missing")]
    [TestCase("[\"a\"\n \"b\"]", 2, "unexpected '\"'")]
    [TestCase("[\"a\",\n ]", 2, "unexpected ']'")]
    [TestCase("[\n\"a\"] 5", 2, "after the end of the list")]
    [TestCase("[{\"text\":\n\n x}]", 3, "not valid JSON")]
    public void BadExamplesAreNamed(string json, int line, string problem)
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.json", Encoding.UTF8.GetBytes(json));
        Assert.That(
            () => ExampleFiles.Open(file).Read().Count(),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith($"{file}:{line}: ").And.Message.Contains(problem));
    }

    [Test]
    public void DeepJsonIsAnError()
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.jsonl", Encoding.UTF8.GetBytes($"{{\"messages\": {new string('[', 1_000_000)}"));
        Assert.That(() => ExampleFiles.Open(file).Read().Count(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("depth"));
    }

    [Test]
    public void OtherEncodingsAreAnError()
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.jsonl", [(byte)'"', 0xE9, (byte)'"']);
        Assert.That(() => ExampleFiles.Open(file).Read().Count(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("not UTF-8"));
    }

    [Test]
    public void FoldersAreReadInOrder()
    {
        using var folder = new TemporaryDirectory();
        folder.Write("b.txt", "second"u8);
        folder.Write("notes.md", "none"u8);
        Directory.CreateDirectory(folder["a"]);
        folder.Write("a/z.jsonl", "\"first\""u8);
        ExampleFiles files = ExampleFiles.Open(folder.FullPath);
        Assert.That(files.Files, Has.Count.EqualTo(2));
        Assert.That(files.Read().Cast<TextExample>().Select(example => example.Text), Is.EqualTo(new[] { "first", "second" }));
    }

    [Test]
    public void WhatIsNotThereIsAnError()
    {
        using var folder = new TemporaryDirectory();
        Assert.That(() => ExampleFiles.Open(folder["nosuch.jsonl"]), Throws.TypeOf<FileNotFoundException>());
        Assert.That(() => ExampleFiles.Open(folder.FullPath), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("no examples"));
        Assert.That(() => ExampleFiles.Open(folder.Write("a.md", "x"u8)), Throws.TypeOf<InvalidDataException>()
            .With.Message.Contains(".jsonl"));
    }

    [Test]
    public void ChatterBotConversations()
    {
        const string Yaml = """
            categories:
            - greetings
            other: {a: [1, 2]}
            conversations:
            - - Hello
              - "Hi: there"
              - How are you?
            - - yes
              - 5
            - alone
            """;
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.yml", Encoding.UTF8.GetBytes(Yaml));
        var examples = ExampleFiles.Open(file).Read().Cast<ConversationExample>().ToList();
        Assert.That(examples.Select(example => string.Join("|", example.Messages)), Is.EqualTo(new[]
        {
            "user: Hello|assistant: Hi: there|user: How are you?", "user: yes|assistant: 5", "user: alone",
        }));
        Assert.That(examples[1].Place, Is.EqualTo($"{file}:8"));
    }

    [TestCase("", ":1: the key 'conversations' is expected")]
    [TestCase("- a", "the key 'conversations' is expected")]
    [TestCase("categories: [a]", "the key 'conversations' is missing")]
    [TestCase("conversations: a", "a list of conversations is expected")]
    [TestCase("conversations:\n- {a: b}", ":2: a conversation, which is a list of sentences, is expected")]
    [TestCase("conversations:\n- - a\n  - [b]", ":3: a sentence is expected")]
    [TestCase("a: &x [b]\nconversations:\n- *x", ":3: aliases (*) are not read")]
    [TestCase("conversations:\n- - 'a", "not valid YAML")]
    [TestCase("conversations:\n\t- a", "not valid YAML")]
    public void BadYamlIsNamed(string yaml, string problem)
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.yml", Encoding.UTF8.GetBytes(yaml));
        Assert.That(
            () => ExampleFiles.Open(file).Read().Count(),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith(file).And.Message.Contains(problem));
    }

    [Test]
    public void DeepYamlIsAnError()
    {
        using var folder = new TemporaryDirectory();
        string file = folder.Write("a.yml", Encoding.UTF8.GetBytes("a: " + new string('[', 100_000)));
        Assert.That(() => ExampleFiles.Open(file).Read().Count(), Throws.TypeOf<InvalidDataException>());
    }

    [Test]
    public void ChatterBotsCorpusIsReadWhole()
    {
        ExampleFiles files = ExampleFiles.Open(TestData.PathOf("dialogue"));
        var examples = files.Read().Cast<ConversationExample>().ToList();
        Assert.That(files.Files, Has.Count.EqualTo(38));
        Assert.That(examples, Has.Count.GreaterThan(1000));
        Assert.That(examples.SelectMany(example => example.Messages), Has.All.Property("Content").Not.Empty);
    }

    private static TrainingExample ReadOne(string name, string text)
    {
        using var folder = new TemporaryDirectory();
        return ExampleFiles.Open(folder.Write(name, Encoding.UTF8.GetBytes(text))).Read().Single();
    }
}
