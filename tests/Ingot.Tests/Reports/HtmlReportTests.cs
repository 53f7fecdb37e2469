using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Ingot.Reports;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Reports;

/// <summary>The page: whole for any number of rows, true to its numbers, and safe against what it is given.</summary>
[TestFixture]
public sealed class HtmlReportTests
{
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(10)]
    [TestCase(5_000)]
    [TestCase(200_000)]
    public void DrawsAnyNumberOfRows(int rows)
    {
        var page = HtmlReport.Page(Summary(Enumerable.Range(1, rows).Select(step => Row(
            step,
            3 - (2.0 * step / rows) + (0.1 * Math.Sin(step))))));
        Assert.That(page, Does.EndWith("</html>\n"));
        Assert.That(page, Has.Length.LessThan(400_000));
        var charts = Charts(page);
        Assert.That(charts, Has.Count.EqualTo(rows == 0 ? 0 : 4));
        foreach (var chart in charts)
            CheckCoordinates(chart);
    }

    [Test]
    public void TheCurveRunsThroughItsValues()
    {
        // A straight line stays straight under smoothing: from the axis's 1 at step 0 (bottom) to its 3 at step 100 (top).
        var page = HtmlReport.Page(Summary(Enumerable.Range(0, 101).Select(step => Row(step, 1 + (step / 50.0)))));
        var loss = Charts(page)[0];
        var labels = loss.Elements().Where(e => e.Name.LocalName == "text").Select(e => e.Value).ToList();
        Assert.That(labels, Does.Contain("1").And.Contain("3").And.Contain("100"));
        var points = Numbers(loss.Descendants().Single(e => e.Attribute("class")?.Value == "main").Attribute("d")!.Value).Chunk(2).ToList();
        Assert.That(points, Has.Count.EqualTo(101));
        Assert.That(points[0][1], Is.GreaterThan(points[^1][1]));
        for (var i = 0; i < points.Count; i++)
        {
            Assert.That(points[i][0], Is.EqualTo(points[0][0] + ((points[^1][0] - points[0][0]) * i / 100)).Within(0.11));
            Assert.That(points[i][1], Is.EqualTo(points[0][1] + ((points[^1][1] - points[0][1]) * i / 100)).Within(0.11));
        }
    }

    [Test]
    public void ScoresOfWhatTheModelWritesHaveChartsOfTheirOwn()
    {
        var page = HtmlReport.Page(Summary(Enumerable.Range(1, 20).Select(step => Row(step, step) with
        {
            EvalScores = step % 5 == 0 ? new Dictionary<string, double> { ["bleu"] = step, ["rougeL"] = step / 20.0 } : null,
        })));
        Assert.That(Charts(page), Has.Count.EqualTo(6));
        Assert.That(page, Does.Contain("<b>bleu</b>").And.Contain("<b>rougeL</b>"));
        foreach (var chart in Charts(page))
            CheckCoordinates(chart);
    }

    [Test]
    public void MissingValuesAreGaps()
    {
        var page = HtmlReport.Page(Summary(Enumerable.Range(1, 9).Select(step => Row(step, step is 3 or 4 or 6 ? double.NaN : step))));
        var raw = Charts(page)[0].Descendants().Single(e => e.Attribute("class")?.Value == "raw").Attribute("d")!.Value;
        Assert.That(raw.Count(c => c == 'M'), Is.EqualTo(3), "steps 1-2, 5, 7-9");
        Assert.That(raw, Does.Contain("h0.01"), "step 5 is a dot");
        Assert.That(page, Does.Not.Contain("NaN"));
    }

    [Test]
    public void RowsWithoutAnyValueSaySo()
    {
        var page = HtmlReport.Page(Summary(Enumerable.Range(1, 9).Select(step => Row(step, double.NaN))));
        Assert.That(page, Does.Contain("Nothing was logged."));
        Assert.That(Charts(page), Has.Count.EqualTo(3));
    }

    [Test]
    public void OneSpikeDoesNotFlattenTheRest()
    {
        var page = HtmlReport.Page(Summary(Enumerable.Range(1, 500).Select(step => Row(step, step == 251 ? 1e6 : 2 + (step % 2)))));
        Assert.That(page, Does.Contain("Off the scale: up to 1M near step 251."));
        Assert.That(Charts(page)[0].Elements().Where(e => e.Name.LocalName == "text").Select(e => e.Value), Does.Contain("3"));
    }

    [Test]
    public void WhatItIsGivenIsTextAndNothingElse()
    {
        const string Evil = "<script>alert('1')</script>&\"\0\u001b\ud800";
        var page = HtmlReport.Page(Summary([Row(1, 1)]) with
        {
            Start = new TrainingStart(Evil, Evil, Evil, 1, Evil, Evil, 0, 1, 1),
            End = End with { Reason = Evil },
            Configuration = [new(Evil, Evil)],
            ModelFacts = [new(Evil, Evil)],
            Environment = [new(Evil, Evil)],
            Samples = [new SampleReport(1, Evil, Evil)],
        });
        Assert.That(page, Does.Not.Contain("<script").And.Not.Contain("\0").And.Not.Contain("\u001b").And.Not.Contain("\ud800"));
        Assert.That(Regex.Count(page, "&lt;script&gt;alert\\(&#39;1&#39;\\)&lt;/script&gt;&amp;&quot;"), Is.EqualTo(14));
    }

    [Test]
    public void ShowsFirstAndLastOfManySamples()
    {
        var samples = Enumerable.Range(1, 1000).Select(i => new SampleReport(i, "", $"text-{i}.")).ToList();
        var page = HtmlReport.Page(Summary([Row(1, 1)]) with { Samples = samples });
        Assert.That(page, Does.Contain("text-1.").And.Contain("text-1000.").And.Contain("24 of 1,000"));
        Assert.That(Regex.Count(page, "<article>"), Is.EqualTo(24));
    }

    [Test]
    public void MarksWhatTheModelWasGiven()
    {
        var page = HtmlReport.Page(Summary([Row(1, 1)]) with { Samples = [new(1, "ROMEO:", "\nO!"), new(2, "\n", "\n\nThe king")] });
        Assert.That(page, Does.Contain("<pre><mark>ROMEO:</mark>\nO!</pre>").And.Contain("<pre>The king</pre>"));
    }

    [Test]
    public void NeedsNothingFromElsewhere()
    {
        var page = HtmlReport.Page(Summary([Row(1, 1)]));
        Assert.That(page, Does.Not.Contain("http://").And.Not.Contain("https://").And.Not.Contain("src=").And.Not.Contain("url("));
        Assert.That(page, Does.Contain("Content-Security-Policy"));
    }

    [Test]
    public void ReplacesAnOlderPageWhole()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("report.html", new byte[1_000_000]);
        HtmlReport.Write(path, Summary([Row(1, 1)]));
        Assert.That(File.ReadAllText(path), Does.StartWith("<!DOCTYPE html>").And.EndsWith("</html>\n"));
        Assert.That(Directory.GetFiles(directory.FullPath), Has.Length.EqualTo(1));
    }

    private static TrainingEnd End { get; } =
        new("2,000 steps done", true, 2000, 1.5, 1.88, 2.71, 1_536_000, TimeSpan.FromSeconds(38), 41_000, 612L << 20, null);

    private static RunSummary Summary(IEnumerable<MetricsRow> rows) => new()
    {
        Start = new TrainingStart("run", "runs/run", "gpt2", 810_432, "CPU", "fp32", 0, 2000, 768),
        End = End,
        Metrics = rows,
    };

    private static MetricsRow Row(long step, double loss) => new()
    {
        Step = step,
        Loss = loss,
        LearningRate = 1e-3,
        GradNorm = 0.5,
        TokensPerSecond = 40_000,
        Epoch = 0.1,
        Tokens = step * 768,
        ElapsedSeconds = step * 0.02,
        EvalLoss = step % 5 == 0 && double.IsFinite(loss) ? loss : null,
    };

    private static List<XElement> Charts(string page) =>
        [.. Regex.Matches(page, "<svg viewBox=.*?</svg>\n</svg>\n", RegexOptions.Singleline).Select(match => XElement.Parse(match.Value))];

    private static IEnumerable<double> Numbers(string path) =>
        Regex.Matches(path, @"-?\d+(\.\d+)?").Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture));

    /// <summary>All that is drawn lies within the chart; only outliers may leave it, and these rows have none.</summary>
    private static void CheckCoordinates(XElement chart)
    {
        var paths = chart.Descendants().Where(e => e.Name.LocalName == "path").Select(e => e.Attribute("d")!.Value).ToList();
        Assert.That(paths, Is.Not.Empty);
        foreach (var path in paths)
            Assert.That(Numbers(path), Is.All.InRange(-5, 1000));
        foreach (var rect in chart.Descendants().Where(e => e.Name.LocalName == "rect"))
            Assert.That(double.Parse(rect.Attribute("width")!.Value, CultureInfo.InvariantCulture), Is.Positive);
    }
}
