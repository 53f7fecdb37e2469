using System.Text.Json;
using Ingot.Tests.Evaluation;
using Ingot.Tests.Generation;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>`ingot evaluate` as a process: what it prints, and what it refuses.</summary>
public sealed class EvaluateCommandTests : FolderTests
{
    [SetUp]
    public void WriteExample()
    {
        Write("hyp", Lines(ReadmeExample.Hypotheses));
        Write("ref0", Lines(ReadmeExample.References[0]));
        Write("ref1", Lines(ReadmeExample.References[1]));
    }

    [Test]
    public void PrintsALineForEachMetric() => Assert.That(Evaluate("--metric", "bleu", "chrF", "--references", In("ref0"), In("ref1")), Is.EqualTo(
        "BLEU|nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0+ingot = 48.53 82.4/50.0/45.5/37.5 "
        + "(BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)\n"
        + "chrF2|nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0+ingot = 59.73\n"));

    [Test]
    public void JsonHasFullPrecisionAndTheInterval()
    {
        var output = Evaluate("--metric", "bleu", "--references", In("ref0"), In("ref1"), "--json", "--confidence");
        var score = JsonDocument.Parse(output).RootElement[0];
        Assert.That(score.GetProperty("score").GetDouble(), Is.EqualTo(48.530827).Within(5e-7));
        Assert.That(score.GetProperty("signature").GetString(),
            Is.EqualTo("nrefs:2|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0+ingot"));
        Assert.That(score.GetProperty("confidence_low").GetDouble(), Is.LessThan(score.GetProperty("confidence_high").GetDouble()));
        Assert.That(score.GetProperty("count1").GetDouble(), Is.EqualTo(14));
    }

    [Test]
    public void OptionsMayStandInARecipeAndTextsInJsonLines()
    {
        Write("hyp.jsonl", Lines([.. ReadmeExample.Hypotheses.Select(text => JsonSerializer.Serialize(new { prompt = "x", text }))]));
        Write("ref.jsonl", Lines([.. ReadmeExample.References[0].Select(answer => JsonSerializer.Serialize(new { answer }))]));
        Write("recipe.json", $$"""
            {
              "metric": ["bleu"], "hypotheses": "{{In("hyp.jsonl")}}", "references": ["{{In("ref.jsonl")}}"], // as JSON
              "referenceField": "answer", "smoothMethod": "add-k", "decimals": 3
            }
            """);
        var result = IngotProcess.Run(["evaluate", In("recipe.json"), "--smoothMethod", "exp"]);
        Assert.That(result.Output, Does.StartWith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0+ingot = 45.068 "), result.Error);
    }

    [Test]
    public void ComparesSystems()
    {
        Write("same", Lines(ReadmeExample.Hypotheses));
        var output = Evaluate("--metric", "bleu", "--references", In("ref0"), "--compare", In("same"), "--test", "randomization", "--trials", "99");
        Assert.That(output, Does.Contain("ar:99|seed:12345").And.Contain("hyp   45.07  baseline\n"));
        Assert.That(output, Does.Match(@"same  45\.07  p = 0\.\d{4}"));
    }

    [Test]
    public void PerplexityIsPrintedAndWritten()
    {
        RandomModel.Write(In("model"), positions: 16);
        Write("text.txt", "What a model has to say of this.\n");
        var result = IngotProcess.Run(["evaluate", "--metric", "perplexity", "--model", In("model"), "--data", In("text.txt"), "--stride", "4",
            "--device", "cpu", "--output", In("figures.jsonl")]);
        // The tokenizer has no token that could come first; the first character is not predicted.
        Assert.That(result.Output, Does.Match(@"^perplexity\|of:text\|ctx:16\|stride:4\|prefix:none\|precision:fp32\|version:ingot = \d+\.\d\d "
            + @"\(bits/byte = (\d+\.\d{4}) bits/char = \1 nll = \d\.\d{4} tokens = 32 bytes = 32\)\n$"), result.ToString());
        var document = JsonDocument.Parse(File.ReadAllText(In("figures.jsonl"))).RootElement;
        var score = JsonDocument.Parse(File.ReadAllText(In("figures.scores.json"))).RootElement[0];
        Assert.That(document.GetProperty("document").GetString(), Is.EqualTo(In("text.txt")));
        Assert.That(score.GetProperty("score").GetDouble(), Is.EqualTo(document.GetProperty("perplexity").GetDouble()));
    }

    [Test]
    public void SeveralRecipesAreSeveralEvaluationsOfOneModel()
    {
        RandomModel.Write(In("model"));
        Write("data.jsonl", """{"question": "Who", "choices": ["me", "you"], "answer": 1}""");
        Write("write.json", $$"""
            {"metric": ["chrf"], "data": ["{{In("data.jsonl")}}"], "promptField": "question", "referenceField": "choices", "maxNewTokens": 4,
             "output": "{{In("out.jsonl")}}"}
            """);
        Write("choose.json", $$"""{"metric": ["multiple-choice"], "data": ["{{In("data.jsonl")}}"]}""");
        var result = IngotProcess.Run(["evaluate", In("write.json"), In("choose.json"), "--model", In("model"), "--device", "cpu"]);
        Assert.That(result.Output.Split('\n').Select(line => line.Split('|')[0]),
            Is.EqualTo(new[] { $"{In("write.json")}:", "chrF2", $"{In("choose.json")}:", "acc", "acc_norm", "acc_bytes", "" }), result.ToString());
        Assert.That(File.Exists(In("out.scores.json")), Is.True);
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        Write("short", "one\ntwo\n");
        Write("blank", "The dog.\n\nThe man.\n");
        Write("nothing", "");
        File.WriteAllBytes(In("latin1"), [0x66, 0xFC, 0x72, 0x0A]);
        Write("bad.jsonl", "{\"answer\": \"x\"}\n");
        Refuses(1, $"{In("hyp")} has 3, {In("ref0")} has 3, {In("short")} has 2", "--references", In("ref0"), In("short"));
        Refuses(1, $"{In("blank")}: segment 2 has no reference text", "--references", In("blank"));
        Refuses(1, $"{In("nothing")} is empty", "--references", In("nothing"));
        Refuses(1, $"{In("latin1")}: byte 1 (0xFC) is not UTF-8", "--references", In("latin1"));
        Refuses(1, "line 1: the object has no \"text\"; its fields are \"answer\"", "--references", In("bad.jsonl"));
        Refuses(1, "missing", "--references", In("missing"));
        Refuses(2, "there is no metric \"blue\": did you mean bleu?", "--references", In("ref0"), "--metric", "blue");
        Refuses(2, "did you mean 13a?", "--references", In("ref0"), "--tokenize", "13");
        Refuses(2, "--smoothMethod is \"exq\"", "--references", In("ref0"), "--smoothMethod", "exq");
        Refuses(2, "references is not set");
        Refuses(2, "hypotheses does not go with perplexity", "--metric", "perplexity");
        Refuses(2, "model is not set", "--metric", "perplexity");
        Refuses(2, "metric holds 2 metrics, but perplexity is computed by itself", "--metric", "bleu", "perplexity");
        Assert.That(Evaluate("--metric", "bleu", "--references", In("blank"), "--allowEmptyReferences"), Does.StartWith("BLEU|nrefs:1|"));
    }

    private static string Lines(string[] texts) => string.Concat(texts.Select(text => text + "\n"));

    private string Evaluate(params string[] arguments)
    {
        var result = IngotProcess.Run(["evaluate", "--hypotheses", In("hyp"), .. arguments]);
        Assert.That(result.ExitCode, Is.Zero, result.ToString());
        return result.Output;
    }

    private void Refuses(int code, string message, params string[] arguments)
    {
        string[] metric = arguments.Contains("--metric") ? [] : ["--metric", "bleu"];
        var result = IngotProcess.Run(["evaluate", "--hypotheses", In("hyp"), .. metric, .. arguments]);
        Assert.That(result.ExitCode, Is.EqualTo(code), result.ToString());
        Assert.That(result.Error, Does.Contain(message));
    }
}
