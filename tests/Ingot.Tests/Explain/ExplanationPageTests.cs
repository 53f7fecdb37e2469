using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.Bindings;
using Ingot.Explain;
using Ingot.Tests.CommandLine;
using Ingot.Tests.Generation;
using NUnit.Framework;

namespace Ingot.Tests.Explain;

/// <summary>The page and the JSON of an explanation, and the command that writes both.</summary>
public sealed partial class ExplanationPageTests : FolderTests
{
    private const string Hostile = "</script><script>alert(1)</script><!-- & \"'";

    [Test]
    public void ThePageAsksForNothingAndRunsOneScript()
    {
        var page = ExplanationPage.Make(Explain(Hostile));
        Assert.That(page, Does.Not.Contain("http:").And.Not.Contain("https:").And.Not.Contain("src=").And.Not.Contain("url(").And.Not.Contain("@import"));
        Assert.That(page, Does.Not.Contain("alert(1)<"));
        var scripts = Script().Matches(page);
        Assert.That(scripts.Select(script => script.Groups[1].Value), Is.EqualTo(new[] { " type=\"application/json\" id=data", "" }));
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(scripts[1].Groups[2].Value)));
        Assert.That(page, Does.Contain($"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'\""));
        Assert.That(page, Does.Contain("prefers-color-scheme:dark").And.EndsWith("</html>\n"));
        Assert.That(scripts[1].Groups[2].Value, Does.Not.Contain("innerHTML"), "texts never become markup");
    }

    [Test]
    public void ThePagesDataIsTheExplanation()
    {
        var explanation = Explain(Hostile);
        using var data = JsonDocument.Parse(Script().Matches(ExplanationPage.Make(explanation))[0].Groups[2].Value);
        ExplanationJson.Write(In("data.json"), explanation);
        using var file = JsonDocument.Parse(File.ReadAllText(In("data.json")));
        foreach (var root in new[] { data.RootElement, file.RootElement })
        {
            Assert.That(string.Concat(root.GetProperty("tokens").EnumerateArray().Select(token => token.GetProperty("text").GetString())), Is.EqualTo(Hostile));
            var prediction = root.GetProperty("predictions")[0];
            Assert.That(prediction.GetProperty("tokens").EnumerateArray().Select(value => value.GetDouble()),
                Is.EqualTo(explanation.Predictions[0].Values.Tokens).Within(1e-5).Percent);
            var top = root.GetProperty("lens")[2][0].GetProperty("top");
            Assert.That(top.GetArrayLength(), Is.EqualTo(5));
            Assert.That(root.GetProperty("texts").GetProperty(top[0][0].ToString()).GetString(),
                Is.EqualTo(explanation.TextOf(explanation.Lens[2][0].Top[0].Id)));
        }

        var map = explanation.Attention[1];
        var packed = data.RootElement.GetProperty("attention")[1].GetProperty("probabilities").GetBytesFromBase64();
        var lists = file.RootElement.GetProperty("attention")[1].GetProperty("probabilities");
        var at = 0;
        for (var head = 0; head < map.Heads; head++)
        {
            for (var query = 0; query < map.Queries; query++)
            {
                Assert.That(lists[head][query].EnumerateArray().Select(p => p.GetSingle()), Is.EqualTo(map.Row(head, query).ToArray()));
                for (var key = 0; key <= query; key++, at += 2)
                    Assert.That(BinaryPrimitives.ReadUInt16LittleEndian(packed.AsSpan(at)) / 65535.0, Is.EqualTo(map[head, query, key]).Within(1e-5));
            }
        }

        Assert.That(at, Is.EqualTo(packed.Length));
    }

    [Test]
    public void TheCommandWritesBoth()
    {
        var model = RandomModel.Write(In("model"));
        File.WriteAllText(In("text.txt"), "Once upon\n");
        var result = IngotProcess.Run(["explain", "--model", model, "--textFile", In("text.txt"), "--output", In("page.html"), "--json", In("data.json")]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.StartWith("9 \"").And.Contain("page.html: ").And.Contain("2 attention maps"));
        Assert.That(File.ReadAllText(In("page.html")), Does.Contain("Inside model"));
        using var json = JsonDocument.Parse(File.ReadAllText(In("data.json")));
        Assert.That(json.RootElement.GetProperty("tokens").GetArrayLength(), Is.EqualTo(9));

        var refused = IngotProcess.Run(["explain", "--model", model, "--text", new string('a', 300), "--output", In("other.html")]);
        Assert.That(refused.ExitCode, Is.EqualTo(1));
        Assert.That(refused.Error, Does.Contain("the text has 300 tokens, and 256 are the most that the model reads"));
        Assert.That(File.Exists(In("other.html")), Is.False);
    }

    private Explanation Explain(string text)
    {
        using var explainer = ModelExplainer.Load(RandomModel.Write(In("model")), Device.Cpu);
        return explainer.Explain(text);
    }

    [GeneratedRegex(@"<script([^>]*)>(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();
}
