using System.IO.Compression;
using System.Text.Json;
using Ingot.Data;
using Ingot.Data.Preparation;
using Ingot.Data.Preparation.Cleaning;
using Ingot.Tests.CommandLine;
using Ingot.Tests.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Data.Preparation;

/// <summary>Whole preparations: what comes out, that it is always the same, and that interruptions do not show.</summary>
public class PreparationTests : FolderTests
{
    [Test]
    public void DuplicatesGoAndTheRestIsWritten()
    {
        var text = string.Join(' ', Enumerable.Range(0, 100).Select(i => $"word{i}"));
        var near = text.Replace("word50", "other");
        var input = WriteJson("a.jsonl", text, "Another <b>one</b> by jane@example.org.", text, near, "", "Another one by joe@example.org.");
        var report = Prepare(new() { Input = [input], KeepFields = ["id"] });
        Assert.That(Lines("train-00000.jsonl"), Is.EqualTo(new[]
        {
            $$"""{"text":"{{text}}","id":0}""",
            """{"text":"Another one by <EMAIL>.","id":1}""",
        }));
        Assert.That(Removed(report), Is.EqualTo(new Dictionary<string, long> { ["duplicateDocuments"] = 2, ["nearDuplicates"] = 1, ["minCharacters"] = 1 }));
        Assert.That(report.Rules.Single(rule => rule.Name == "nearDuplicates").Tally.Examples[0].Measured, Does.StartWith("similarity 0.9"));
        Assert.That(report.Rules.Single(rule => rule.Name == "emails").Tally.DocumentsChanged, Is.EqualTo(2));
        Assert.That(report.Records, Is.EqualTo(6));
        Assert.That(report.Splits["train"].Words, Is.EqualTo(104));
        Assert.That(report.Splits["train"].Lengths, Is.EqualTo(new[] { 0, 0, 1, 0, 0, 0, 1 }));
        Assert.That(Directory.GetFileSystemEntries(In("out")).Select(Path.GetFileName), Is.EquivalentTo(new[] { "train-00000.jsonl", "report.json", "report.html" }));
        var saved = PreparationReport.Load(Path.Combine(In("out"), "report.json"));
        Assert.That(saved.Documents, Is.EqualTo(2));
        var page = File.ReadAllText(Path.Combine(In("out"), "report.html"));
        Assert.That(page, Does.Contain("nearDuplicates").And.Contains("a.jsonl:4").And.Not.Contains("<script"));
    }

    [Test]
    public void LinesThatStoodBeforeGo()
    {
        var menu = "Home - About - Contact - and all the other pages of the site";
        var input = WriteJson("a.jsonl", $"{menu}\nFirst.\n{menu}", $"Second.\n{menu}\nshort", "Third.\nshort");
        Prepare(new() { Input = [input], Rules = Rules("duplicateLines=20") });
        Assert.That(Texts(), Is.EqualTo(new[] { $"{menu}\nFirst.", "Second.\nshort", "Third.\nshort" }));
    }

    [Test]
    public void RulesOfTheWebAreAsked()
    {
        var good = "This is the first sentence of a page that has enough words to be kept. "
            + string.Join(' ', Enumerable.Range(0, 50).Select(i => $"Then comes {i} with thought and have."));
        var input = WriteJson("a.jsonl", good, "Too short.", good + " Different here.\nPlease enable JavaScript to see this.",
            good.Replace("the", "xx").Replace("Then", "Now") + " lorem ipsum");
        var report = Prepare(new()
        {
            Input = [input],
            RuleSet = RuleSet.Web,
            Rules = Rules("nearDuplicates=off repeated5Grams=off repeated6Grams=off repeated7Grams=off "
            + "repeated8Grams=off repeated9Grams=off repeated10Grams=off top2Gram=off top3Gram=off top4Gram=off wordsWithLetter=0.5")
        });
        Assert.That(Removed(report).Keys, Is.EquivalentTo(new[] { "minWords", "loremIpsum" }));
        Assert.That(Texts(), Is.EqualTo(new[] { good, good + " Different here." }));
    }

    [Test]
    public void DocumentsThatHoldAPieceOfAnEvaluationGo()
    {
        var question = "what is the name of the river that flows through the old town of the city";
        Write("eval.jsonl", $$"""{"question": "{{question}}", "choices": ["a", "b"], "id": 3}""");
        Write("eval.csv", "prompt,answer\nTell me a story about nine small blue birds please,yes\n");
        var input = WriteJson("a.jsonl",
            "So WHAT is the name -- of the river that flows through the old town, of the city? I know.",
            "What is the name of the river? It flows.",
            "He said: tell me a story about nine small blue birds, please!");
        var report = Prepare(new() { Input = [input], Decontaminate = [In("eval.jsonl"), In("eval.csv")] });
        Assert.That(Texts(), Is.EqualTo(new[] { "What is the name of the river? It flows." }));
        Assert.That(report.Rules.Single(rule => rule.Name == "contamination").Tally.Examples[0].Measured,
            Is.EqualTo("\"WHAT is the name -- of the river that flows through the old town,\""));
    }

    [Test]
    public void SplitsGoByTheTextAlone()
    {
        var texts = Enumerable.Range(0, 2000).Select(i => $"Document number {i} is about {i * 7}.").ToArray();
        var options = new PreparationOptions { ValidationFraction = 0.1, TestFraction = 0.05, Rules = Rules("nearDuplicates=off") };
        var report = Prepare(options with { Input = [WriteJson("a.jsonl", texts)] });
        Assert.That(report.Splits["validation"].Documents, Is.EqualTo(200).Within(60));
        Assert.That(report.Splits["test"].Documents, Is.EqualTo(100).Within(45));
        var validation = Texts("validation-00000.jsonl");
        Prepare(options with { Input = [WriteJson("b.jsonl", [.. texts.Reverse().Skip(500)])], Output = In("out2") });
        Assert.That(Texts("validation-00000.jsonl", "out2"), Is.EqualTo(validation.AsEnumerable().Reverse().Where(text => Array.IndexOf(texts, text) < 1500)));
    }

    [Test]
    public void ThreadsDoNotShow()
    {
        var options = Large();
        Prepare(options with { Threads = 1 });
        foreach (var threads in new[] { 2, 5 })
        {
            Prepare(options with { Threads = threads, Output = In("other"), OverwriteOutput = true });
            AssertSameFiles(In("out"), In("other"));
        }
    }

    [TestCase(false)]
    [TestCase(true)]
    public void InterruptionsDoNotShow(bool gzip)
    {
        var options = Large() with { Gzip = gzip };
        Prepare(options);
        var random = new Random(1);
        for (var stops = 0; ; stops++)
        {
            using var stop = new CancellationTokenSource();
            var batches = random.Next(1, 4);
            try
            {
                Prepare(options with { Output = In("other"), Threads = random.Next(1, 4) }, new Call<PreparationProgress>(_ =>
                {
                    if (--batches == 0)
                        stop.Cancel();
                }), stop.Token);
                Assert.That(stops, Is.GreaterThan(1));
                break;
            }
            catch (OperationCanceledException)
            {
                Assert.That(() => TextSource.Open(In("other")), Throws.TypeOf<InvalidDataException>().With.Message.Contains("unfinished").Or.Message.Contains("no text"));
                Assert.That(() => Prepare(options with { Output = In("other"), Examples = 4 }),
                    File.Exists(In("other/.progress/state.json")) ? Throws.TypeOf<IOException>().With.Message.Contains("other options") : Throws.Nothing);
                if (File.Exists(In("other/report.json")))
                    Directory.Delete(In("other"), recursive: true);
            }
        }

        AssertSameFiles(In("out"), In("other"));
    }

    [Test]
    public void KillsDoNotShow()
    {
        var options = Large();
        Prepare(options);
        string[] arguments =
        [
            "data", "prepare", options.Input[0], "--output", In("other"), "--shardSize", "1", "--validationFraction", "0.1",
            "--rules", "duplicateLines=20", "longNumbers=7", "--keepFields", "id",
        ];
        for (var shards = 1; shards <= 3; shards += 2)
        {
            using var process = IngotProcess.Start(arguments);
            SpinWait.SpinUntil(() => process.HasExited || File.Exists(In($"other/train-0000{shards}.jsonl.partial")), TimeSpan.FromMinutes(3));
            Assert.That(process.HasExited, Is.False, "there was still something to kill");
        } // Disposing kills.

        Assert.That(File.Exists(In("other/.progress/state.json")));
        var result = IngotProcess.Run(arguments);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Contain("nearDuplicates").And.Contains("train: ").And.Contains("report.html"));
        AssertSameFiles(In("out"), In("other"));
    }

    [Test]
    public void RealTextIsPreparedAndTrainedOn()
    {
        var report = Prepare(new() { Input = [TestData.PathOf("summarization")], TextFields = ["source"], ListSeparator = " ", ValidationFraction = 0.1 });
        Assert.That(report.Records, Is.EqualTo(1992 + 619 + 618));
        Assert.That(report.Documents, Is.InRange(2900, 3229));
        Assert.That(report.Languages["en"], Is.GreaterThan(0.99 * report.Documents));
        var source = TextSource.Open(In("out"));
        Assert.That(source.Files.Select(file => Path.GetFileName(file.Path)), Is.EqualTo(new[] { "train-00000.jsonl" }));
        Assert.That(source.ReadPieces().Count(piece => piece.EndsDocument), Is.EqualTo(report.Splits["train"].Documents));
        Assert.That(TextSource.OpenValidation(In("out"))!.Measure().Bytes, Is.EqualTo(report.Splits["validation"].Bytes));
        using var data = TokenDataset.Prepare(source, ByteLevelBpeTokenizerTests.Trained(), In("cache"), 0);
        Assert.That(data.Train.TextBytes, Is.EqualTo(report.Splits["train"].Bytes));
        Assert.That(data.Train.DocumentCount, Is.EqualTo(report.Splits["train"].Documents));
    }

    [Test]
    public void ShakespeareComesThroughWhole()
    {
        var path = TestData.PathOf("tinyshakespeare.txt");
        Prepare(new() { Input = [path], OutputFormat = OutputFormat.Text, Gzip = true });
        using var stream = new GZipStream(File.OpenRead(In("out/train-00000.txt.gz")), CompressionMode.Decompress);
        using var reader = new StreamReader(stream);
        var expected = string.Join('\n', File.ReadLines(path).Select(line => line.TrimEnd())).TrimEnd().Replace("\n\n\n", "\n\n");
        Assert.That(reader.ReadToEnd().TrimEnd(), Is.EqualTo(expected));
    }

    [Test]
    public void TokensAreCounted()
    {
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        tokenizer.Save(In("tokenizer"));
        var report = Prepare(new() { Input = [WriteJson("a.jsonl", "Some words.", "Other words here.")], Tokenizer = In("tokenizer") });
        Assert.That(report.Splits["train"].Tokens, Is.EqualTo(tokenizer.Encode("Some words.").Length + tokenizer.Encode("Other words here.").Length));
    }

    [Test]
    public void BadRecordsAreAnErrorOrLeftOut()
    {
        var input = Write("a.jsonl", "{\"text\": \"good\"}\n{\"text\": bad}\n{\"txt\": 1}\n");
        var options = new PreparationOptions { Input = [input] };
        Assert.That(() => Prepare(options), Throws.TypeOf<InvalidDataException>().With.Message.Contains("a.jsonl:2: not JSON").And.Message.Contains("badRecords"));
        var report = Prepare(options with { BadRecords = BadRecord.Skip, Output = In("skipped") });
        Assert.That(Removed(report), Is.EqualTo(new Dictionary<string, long> { ["badRecords"] = 1, ["missing"] = 1 }));
        Assert.That(() => Prepare(options with { BadRecords = BadRecord.Skip, Missing = MissingText.Error, Output = In("x") }), Throws.Nothing);
    }

    [Test]
    public void AnOutputFolderWithSomethingElseIsLeftAlone()
    {
        var options = new PreparationOptions { Input = [WriteJson("a.jsonl", "Some text.")] };
        Write("out/mine.txt", "mine");
        Assert.That(() => Prepare(options), Throws.TypeOf<IOException>().With.Message.Contains("not empty").And.Message.Contains("mine.txt"));
        Assert.That(() => Prepare(options with { OverwriteOutput = true }), Throws.TypeOf<IOException>().With.Message.Contains("mine.txt"));
        File.Delete(In("out/mine.txt"));
        Prepare(options);
        Assert.That(() => Prepare(options), Throws.TypeOf<IOException>().With.Message.Contains("overwriteOutput"));
        Prepare(options with { OverwriteOutput = true });
    }

    [Test]
    public void TooLittleMemoryCanBeRaised()
    {
        var options = Large();
        Prepare(options);
        var small = options with { Output = In("other"), MaxMemory = 0.0005 };
        Assert.That(() => Prepare(small), Throws.TypeOf<InsufficientMemoryException>().With.Message.Contains("maxMemory"));
        Prepare(small with { MaxMemory = 0 });
        AssertSameFiles(In("out"), In("other"));
    }

    [TestCase("--rules minWord=3", "minWords")]
    [TestCase("--rules minWords=-3", "not negative")]
    [TestCase("--rules emails=5", "on or off")]
    [TestCase("--rules language=english", "known are en")]
    [TestCase("--rules nearDuplicates=2", "nearDuplicates")]
    [TestCase("--rules missing=off", "--missing")]
    [TestCase("--validationFraction 1", "less than 1")]
    [TestCase("--format xml", "auto, text, jsonl")]
    [TestCase("--textField a", "did you mean --textFields?")]
    public void BadOptionsAreNamed(string option, string named)
    {
        var result = IngotProcess.Run($"data prepare {WriteJson("a.jsonl", "x")} --output {In("out")} {option}");
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Error, Does.StartWith("error: ").And.Contains(named));
        Assert.That(Directory.Exists(In("out")), Is.False);
    }

    [Test]
    public void ARecipeIsTaken()
    {
        WriteJson("a.jsonl", "one two", "three");
        var recipe = Write("recipe.json", $$"""{"input": ["{{In("a.jsonl")}}"], "output": "{{In("out")}}", "rules": {"minWords": 2, "emails": false} /* few */ }""");
        var result = IngotProcess.Run($"data prepare --recipe {recipe}");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(Texts(), Is.EqualTo(new[] { "one two" }));
        Write("bad.json", "{\"inputs\": []}");
        Assert.That(IngotProcess.Run($"data prepare --recipe {In("bad.json")}").Error, Does.Contain("bad.json:1: inputs is not an option: did you mean input?"));
    }

    [Test]
    public void NothingLeftIsAnError()
    {
        var result = IngotProcess.Run($"data prepare {WriteJson("a.jsonl", "one two")} --output {In("out")} --rules minWords=5");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("no document is left; minWords removed 1 of 1"));
    }

    // Documents of random words, some of which come again, some with a word changed, some with the same line in them: about 8 MB.
    private PreparationOptions Large()
    {
        var random = new Random(11);
        var path = In("large.jsonl");
        if (!File.Exists(path))
        {
            var texts = new List<string>();
            for (var i = 0; i < 12000; i++)
            {
                var kind = random.Next(20);
                var words = kind < 2 && texts.Count > 0
                    ? texts[random.Next(texts.Count)].Split(' ')
                    : [.. Enumerable.Range(0, random.Next(5, 200)).Select(_ => $"w{random.Next(20_000)}{(random.Next(9) == 0 ? ".\n" : "")}")];
                if (kind == 1)
                    words[random.Next(words.Length)] = "changed";
                if (kind == 2)
                    words[^1] += "\nThe same line at the end of many of these documents.";
                texts.Add(string.Join(' ', words));
            }

            WriteJson("large.jsonl", [.. texts]);
        }

        return new()
        {
            Input = [path],
            Output = In("out"),
            KeepFields = ["id"],
            ShardSize = 1,
            ValidationFraction = 0.1,
            Rules = Rules("duplicateLines=20 longNumbers=7"),
        };
    }

    private PreparationReport Prepare(PreparationOptions options, IProgress<PreparationProgress>? progress = null, CancellationToken ct = default) =>
        DataPreparation.Run(options with { Output = options.Output ?? In("out") }, progress, ct);

    private string WriteJson(string name, params string[] texts) => Write(
        name, string.Concat(texts.Select((text, i) => $"{{\"id\": {i}, \"text\": {JsonSerializer.Serialize(text)}}}\n")));

    private string[] Lines(string name, string folder = "out") => File.ReadAllLines(Path.Combine(In(folder), name));

    private string[] Texts(string name = "train-00000.jsonl", string folder = "out") =>
        [.. Lines(name, folder).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)];

    private static Dictionary<string, string> Rules(string changes) =>
        changes.Split(' ').Select(change => change.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);

    private static Dictionary<string, long> Removed(PreparationReport report) => report.Rules
        .Where(rule => rule.Tally.DocumentsRemoved > 0).ToDictionary(rule => rule.Name, rule => rule.Tally.DocumentsRemoved);

    private static void AssertSameFiles(string expected, string actual)
    {
        var names = Directory.GetFileSystemEntries(expected).Select(Path.GetFileName).Order(StringComparer.Ordinal).ToArray();
        Assert.That(Directory.GetFileSystemEntries(actual).Select(Path.GetFileName).Order(StringComparer.Ordinal), Is.EqualTo(names));
        Assert.That(names.Count(name => name!.StartsWith("train-", StringComparison.Ordinal)), Is.GreaterThan(2));
        foreach (var name in names)
            Assert.That(File.ReadAllBytes(Path.Combine(actual, name!)), Is.EqualTo(File.ReadAllBytes(Path.Combine(expected, name!))), name);
    }

    private sealed class Call<T>(Action<T> action) : IProgress<T>
    {
        public void Report(T value) => action(value);
    }
}
