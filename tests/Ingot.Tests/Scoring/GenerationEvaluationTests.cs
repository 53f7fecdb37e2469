using System.Text.Json;
using Ingot.Evaluation;
using Ingot.Generation;
using Ingot.Scoring;
using Ingot.Tests.Generation;
using NUnit.Framework;

namespace Ingot.Tests.Scoring;

/// <summary>A model writes for the items of some data, and its texts are scored: all at once, or with an interruption.</summary>
public sealed class GenerationEvaluationTests : FolderTests
{
    private static readonly string[] Prompts = ["Once", "upon", "a time", "there", "was"];

    private EvaluationOptions _options = null!;

    [SetUp]
    public void WriteModel()
    {
        RandomModel.Write(In("model"));
        Write("data.jsonl", string.Concat(Prompts.Select((prompt, i) =>
            JsonSerializer.Serialize(new { source = prompt, target = new[] { $"first {i}", $"second {i}" } }) + "\n")));
        _options = new EvaluationOptions
        {
            Metric = ["chrf", "bleu"],
            Model = In("model"),
            Data = [In("data.jsonl")],
            PromptField = "source",
            ReferenceField = "target",
            Output = In("out.jsonl"),
            MaxNewTokens = 8,
            BatchSize = 2,
            Device = "cpu",
        };
    }

    [Test]
    public void TextsAreThoseOfTheModelAndScoresThoseOfTheTexts()
    {
        var results = GenerationEvaluation.Run(_options);

        var texts = Greedy(Prompts);
        var lines = Lines("out.jsonl");
        Assert.That(lines.Select(line => line.GetProperty("text").GetString()), Is.EqualTo(texts));
        Assert.That(lines.Select(line => line.GetProperty("prompt").GetString()), Is.EqualTo(Prompts));
        var score = new ChrfMetric(new()).Evaluate(SegmentStream.Of(texts),
            [SegmentStream.Of([.. Prompts.Select((_, i) => $"first {i}")]), SegmentStream.Of([.. Prompts.Select((_, i) => $"second {i}")])]);
        Assert.That((results[0].Score.Value, results[0].Score.ToString()), Is.EqualTo((score.Value, score.ToString())));
        var file = JsonDocument.Parse(File.ReadAllText(In("out.scores.json"))).RootElement;
        Assert.That(file.EnumerateArray().Select(entry => entry.GetProperty("score").GetDouble()),
            Is.EqualTo(results.Select(result => result.Score.Value)));
        Assert.That(File.Exists(In("out.jsonl.partial")), Is.False);
    }

    [Test]
    public void AnInterruptedRunGoesOnWhereItEnded()
    {
        var whole = GenerationEvaluation.Run(_options with { Output = In("whole.jsonl") });
        Interrupt(after: 2);
        // As if the machine had stopped in the middle of a line.
        File.AppendAllText(In("out.jsonl.partial"), """{"index":4,"te""");

        var seen = new List<long>();
        var results = GenerationEvaluation.Run(_options, null, (done, _) => seen.Add(done));
        Assert.That(seen, Is.EqualTo(new[] { 3, 4, 5 }));
        Assert.That(results[0].Score.Value, Is.EqualTo(whole[0].Score.Value));
        Assert.That(File.ReadAllText(In("out.jsonl")), Is.EqualTo(File.ReadAllText(In("whole.jsonl"))));

        // With other settings it starts anew.
        Interrupt(after: 2);
        seen.Clear();
        GenerationEvaluation.Run(_options with { MaxNewTokens = 3 }, null, (done, _) => seen.Add(done));
        Assert.That(seen, Is.EqualTo(new[] { 1, 2, 3, 4, 5 }));
    }

    [Test]
    public void SourcesMayBeLinesAndConversationsEndWithTheReference()
    {
        Write("source.txt", "Once\nupon\n");
        Write("target.txt", "one\ntwo\n");
        GenerationEvaluation.Run(_options with { Data = [In("source.txt")], PromptField = null, References = [In("target.txt")] });
        Assert.That(Lines("out.jsonl").Select(line => line.GetProperty("text").GetString()), Is.EqualTo(Greedy(["Once", "upon"])));
        Assert.That(Lines("out.jsonl").Select(line => line.GetProperty("reference").GetString()), Is.EqualTo(new[] { "one", "two" }));

        Write("chats.jsonl", """{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}""");
        Write("plain.jinja", "{% for m in messages %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}>{% endif %}");
        GenerationEvaluation.Run(_options with { Data = [In("chats.jsonl")], PromptField = null, ChatTemplate = In("plain.jinja") });
        var line = Lines("out.jsonl").Single();
        Assert.That(line.GetProperty("reference").GetString(), Is.EqualTo("yes"));
        Assert.That(line.GetProperty("messages").GetArrayLength(), Is.EqualTo(1));
        // Behind an answer the template writes ";", which ends it.
        Assert.That(line.GetProperty("text").GetString(), Is.EqualTo(Greedy(["hi;>"])[0].Split(';')[0]));
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        Refuses("neither a text nor a list of texts", _options with { Data = [Write("n.jsonl", """{"source": "a", "target": 1}""")] });
        Refuses("data.jsonl:1: there is no \"text\" among the fields \"source\", \"target\"", _options with { ReferenceField = "text" });
        Refuses("n2.jsonl:2: there are 1 references, where the first has 2", _options with
        {
            Data = [Write("n2.jsonl", "{\"source\": \"a\", \"target\": [\"b\", \"c\"]}\n{\"source\": \"a\", \"target\": \"b\"}")],
        });
        Refuses("which is read", _options with { Output = In("data.jsonl") });
        Refuses("is not there", _options with { Output = In("no/such/out.jsonl") });
        Assert.That(_options.Validate(), Is.Empty);
        Assert.That((_options with { Output = null }).Validate().Single().Key, Is.EqualTo("output"));

        static void Refuses(string message, EvaluationOptions options) =>
            Assert.That(() => GenerationEvaluation.Run(options), Throws.Exception.With.Message.Contains(message));
    }

    private void Interrupt(int after)
    {
        using var source = new CancellationTokenSource();
        Assert.That(() => GenerationEvaluation.Run(_options, null, (done, _) =>
        {
            if (done == after)
                source.Cancel();
        }, source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(File.ReadLines(In("out.jsonl.partial")).Count(), Is.EqualTo(1 + after));
    }

    private List<JsonElement> Lines(string name) =>
        [.. File.ReadLines(In(name)).Select(line => JsonDocument.Parse(line).RootElement)];

    private string[] Greedy(string[] prompts)
    {
        using var generator = TextGenerator.Load(In("model"));
        return [.. prompts.Select(prompt =>
            string.Concat(generator.Stream(prompt, generator.Options with { MaxNewTokens = 8, DoSample = false })))];
    }
}
