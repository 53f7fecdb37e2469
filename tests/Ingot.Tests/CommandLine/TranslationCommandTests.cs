using System.IO.Compression;
using System.Text.Json;
using Ingot.Generation;
using Ingot.Tests.Generation;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>`ingot translate` and `ingot summarize` as processes, on models with random weights.</summary>
public sealed class TranslationCommandTests : FolderTests
{
    private string _model = "";

    [SetUp]
    public void WriteModel() => _model = EncoderDecoderDecodingTests.WriteTranslator(In("m2m"));

    [Test]
    public void AFileComesOutLineByLine()
    {
        // Longer and shorter ones in turn, an empty line, more than are read ahead at once, and the same without a newline at the end.
        string[] lines = [.. Enumerable.Range(0, 50).Select(i => i == 7 ? "" : new string((char)('a' + (i % 26)), 1 + (i * 7 % 19)))];
        Write("texts.txt", string.Join('\n', lines));
        Write("german.txt", "old");
        var file = Translate("--input", In("texts.txt"), "--output", In("german.txt"), "--numBeams", "1", "--maxNewTokens", "9", "--batchSize", "3");
        Assert.That(file.ExitCode, Is.Zero, file.Error);
        Assert.That(file.Output, Is.Empty);
        Assert.That(file.Error, Does.Contain("50 texts in ").And.Contain($"written to {In("german.txt")}"));
        Assert.That(File.Exists(In("german.txt.partial")), Is.False);
        var expected = Expected(lines, new GenerationOptions { DoSample = false, MaxNewTokens = 9 });
        Assert.That(File.ReadAllText(In("german.txt")), Is.EqualTo(string.Concat(expected.Select(text => text + "\n"))));
        Assert.That(expected[7], Is.Empty);
        Assert.That(expected.Distinct().Count(), Is.GreaterThan(10), "or else the order would not show");

        // The same of standard input, of gzip, and of JSON Lines with other fields and empty lines.
        var input = IngotProcess.RunWithInput(["translate", "--model", _model, "--from", "en", "--to", "de", "--numBeams", "1", "--maxNewTokens", "9"],
            string.Join('\n', lines));
        Assert.That(input.Output, Is.EqualTo(File.ReadAllText(In("german.txt"))), input.Error);
        Write("texts.jsonl.gz", Gzip(string.Join("\n\n", lines.Select(line => JsonSerializer.Serialize(new { id = 1, title = line })))));
        var json = Translate("--input", In("texts.jsonl.gz"), "--field", "title", "--json", "--numBeams", "1", "--maxNewTokens", "9");
        JsonElement[] texts = [.. json.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(texts.Select(text => text.GetProperty("source").GetString()), Is.EqualTo(lines));
        Assert.That(texts.Select(text => text.GetProperty("text").GetString()!.ReplaceLineEndings(" ")), Is.EqualTo(expected));
        Assert.That(texts[1].GetProperty("sourceTokens").GetInt32(), Is.EqualTo(lines[1].Length + 2), "the language's token and the end");
    }

    [Test]
    public void BeamsAreTheModelsOrFour()
    {
        string[] texts = ["a house", "the sea is deep"];
        var two = Translate([.. texts, "--maxNewTokens", "9"]);
        Assert.That(two.Output.Split('\n')[..2], Is.EqualTo(Expected(texts, new GenerationOptions { NumBeams = 2, MaxNewTokens = 9 })));
        File.Delete(Path.Combine(_model, "generation_config.json"));
        var four = Translate([.. texts, "--maxNewTokens", "9"]);
        Assert.That(four.Output.Split('\n')[..2], Is.EqualTo(Expected(texts, new GenerationOptions { NumBeams = 4, MaxNewTokens = 9 })));
    }

    [Test]
    public void LongTextsAreErrorsOrCutAndSaid()
    {
        Write("texts.txt", $"short\n{new string('a', 40)}\n");
        Write("german.txt", "old");
        var refused = Translate("--input", In("texts.txt"), "--output", In("german.txt"));
        Assert.That(refused.ExitCode, Is.EqualTo(1));
        Assert.That(refused.Error, Does.Contain("texts.txt, line 2: the text has 42 tokens, and the model reads 24 at most").And.Contain("--truncation"));
        Assert.That(File.ReadAllText(In("german.txt")), Is.EqualTo("old"));
        var cut = Translate("--input", In("texts.txt"), "--output", In("german.txt"), "--truncation", "--maxNewTokens", "5");
        Assert.That(cut.ExitCode, Is.Zero, cut.Error);
        Assert.That(cut.Error, Does.Match("warning: 1 of 2 texts lost .*texts.txt, line 2"));
        Assert.That(File.ReadAllLines(In("german.txt")), Has.Length.EqualTo(2));
        var input = IngotProcess.RunWithInput(["translate", "--model", _model, "--from", "en", "--to", "de"], $"\n{new string('a', 40)}\n");
        Assert.That(input.Error, Does.Contain("standard input, line 2: the text has 42 tokens"));
    }

    [Test]
    public void TheLanguageIsToldByTheText()
    {
        Write("texts.txt", "der See ist\nla vie est belle\n?\nund das ist es\n");
        var result = IngotProcess.Run(["translate", "--model", _model, "--from", "auto", "--to", "en", "--input", In("texts.txt"), "--json",
            "--maxNewTokens", "3"]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Does.Contain("languages: de 3, fr 1"));
        var languages = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("sourceLanguage").GetString());
        Assert.That(languages, Is.EqualTo(new[] { "de", "fr", "de", "de" }));
        var none = IngotProcess.Run(["translate", "--model", _model, "--from", "auto", "--to", "en", "???"]);
        Assert.That(none.ExitCode, Is.EqualTo(1));
        Assert.That(none.Error, Does.Contain("\"???\" does not show which of the model's languages it is in (de, en, fr)"));
    }

    [Test]
    public void CtrlCLeavesWholeLinesAndResumeGoesOnBehindThem()
    {
        string[] lines = [.. Enumerable.Range(0, 40).Select(i => new string((char)('a' + (i % 26)), 1 + (i * 7 % 19)))];
        Write("texts.txt", string.Concat(Enumerable.Repeat(string.Join('\n', lines) + "\n", 500)));
        Write("german.txt", "old");
        string[] arguments = ["translate", "--model", _model, "--from", "en", "--to", "de", "--output", In("german.txt"), "--numBeams", "1",
            "--maxNewTokens", "9", "--batchSize", "1"];
        using (var process = IngotProcess.Start([.. arguments, "--input", In("texts.txt")]))
        {
            while (!process.HasExited && (!File.Exists(In("german.txt.partial")) || new FileInfo(In("german.txt.partial")).Length == 0))
                Thread.Sleep(20);
            process.Signal(IngotProcess.Interrupt);
            var ended = process.Wait();
            Assert.That(ended.ExitCode, Is.EqualTo(130), ended.Error);
            Assert.That(ended.Error, Does.Match(@"interrupted: [\d,]+ of 20,000 texts are in .*german\.txt\.partial; .*german\.txt is as it was\. "
                + "The same command with --resume goes on behind them"));
        }

        var expected = Expected(lines, new GenerationOptions { DoSample = false, MaxNewTokens = 9 });
        var partial = File.ReadAllText(In("german.txt.partial"));
        var written = partial.Split('\n')[..^1];
        Assert.That(partial, Does.EndWith("\n"));
        Assert.That(written, Has.Length.GreaterThanOrEqualTo(16), "what was read ahead together");
        Assert.That(written, Is.EqualTo(written.Select((_, i) => expected[i % lines.Length])));
        Assert.That(File.ReadAllText(In("german.txt")), Is.EqualTo("old"));

        // As if of fewer texts ten had been written, and a part of the next.
        Write("texts.txt", string.Join('\n', lines));
        Write("german.txt.partial", string.Concat(expected[..10].Select(text => text + "\n")) + expected[10][..1]);
        var resumed = IngotProcess.Run([.. arguments, "--input", In("texts.txt"), "--resume"]);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Error, Does.Contain("30 texts in "));
        Assert.That(File.ReadAllText(In("german.txt")), Is.EqualTo(string.Concat(expected.Select(text => text + "\n"))));
        Assert.That(File.Exists(In("german.txt.partial")), Is.False);

        Write("german.txt.partial", "a\nb\nc\n");
        var few = IngotProcess.Run([.. arguments, "one", "two", "--resume"]);
        Assert.That(few.Error, Does.Contain("--resume: 3 texts are written already, and the input has only 2"));
        Assert.That(File.ReadAllText(In("german.txt.partial")), Is.EqualTo("a\nb\nc\n"));
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        Write("bad.jsonl", "{\"text\": \"fine\"}\n{\"title\": \"x\"}\n");
        var gpt = RandomModel.Write(In("gpt2"));
        void Refuses(int code, string message, params string[] arguments)
        {
            var result = IngotProcess.Run(arguments);
            Assert.That(result.ExitCode, Is.EqualTo(code), result.ToString());
            Assert.That(result.Error, Does.Contain(message));
        }

        Refuses(2, "--to xx: that is none of the model's languages, which are de, en, fr", "translate", "--model", _model, "--from", "en", "--to", "xx", "a");
        Refuses(2, "--from is not given, and the model knows several languages: auto, de, en, fr", "translate", "--model", _model, "--to", "de", "a");
        Refuses(1, "a gpt2 for causal-lm has no encoder", "translate", "--model", gpt, "a");
        Refuses(1, "`ingot summarize` takes an encoder-decoder: marian, m2m_100, t5, mt5", "summarize", "--model", gpt, "a");
        Refuses(1, "bad.jsonl, line 2: the object has no \"text\"; its fields are \"title\"", "translate", "--model", _model, "--from", "en", "--to", "de",
            "--input", In("bad.jsonl"));
        Refuses(2, "give texts or --input, not both", "translate", "--model", _model, "--input", In("bad.jsonl"), "a");
        Refuses(2, "there is no such file", "translate", "--model", _model, "--input", In("absent.txt"));
        Refuses(2, "--resume goes on with a file: name it with --output", "translate", "--model", _model, "--resume", "a");
        Refuses(2, "there is no none.txt.partial to go on with", "translate", "--model", _model, "--resume", "--output", "none.txt", "a");
        Refuses(2, "--numBeams is 0; it must be", "translate", "--model", _model, "--numBeams", "0", "a");
        Refuses(2, "--language is not given", "summarize", "--model", _model, "a");
    }

    [Test]
    public void SummariesRepeatNothing()
    {
        // A model of random weights repeats itself soon.
        string[] texts = ["a house by the sea"];
        var plain = IngotProcess.Run(["summarize", "--model", _model, "--language", "en", .. texts, "--maxNewTokens", "20", "--noRepeatNgramSize", "0"]);
        var result = IngotProcess.Run(["summarize", "--model", _model, "--language", "en", .. texts, "--maxNewTokens", "20"]);
        var options = new GenerationOptions { SourceLanguage = "en", TargetLanguage = "en", NumBeams = 2, MaxNewTokens = 20 };
        Assert.That(plain.Output, Is.EqualTo(Expected(texts, options)[0] + "\n"), plain.Error);
        Assert.That(result.Output, Is.EqualTo(Expected(texts, options with { NoRepeatNgramSize = 3 })[0] + "\n"), result.Error);
        Assert.That(result.Output, Is.Not.EqualTo(plain.Output));
    }

    /// <summary>What the model writes of each text by itself.</summary>
    private string[] Expected(string[] texts, GenerationOptions options)
    {
        using var generator = TextGenerator.Load(_model);
        options = options with { SourceLanguage = "en", TargetLanguage = options.TargetLanguage ?? "de" };
        return [.. texts.Select(text => text.Length == 0 ? "" : string.Concat(generator.Stream(text, options)).ReplaceLineEndings(" "))];
    }

    private IngotProcess.Result Translate(params string[] arguments) =>
        IngotProcess.Run(["translate", "--model", _model, "--from", "en", "--to", "de", .. arguments]);

    private static byte[] Gzip(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
            gzip.Write(System.Text.Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }
}
