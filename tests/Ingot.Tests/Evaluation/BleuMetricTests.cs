using Ingot.Evaluation;
using NUnit.Framework;

namespace Ingot.Tests.Evaluation;

/// <summary>BLEU against the values that sacreBLEU 2.6.0 gives.</summary>
public sealed class BleuMetricTests
{
    private const string Romanian = "Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;";
    private const string RomanianReference = "producţia de zahăr brut se exprimă în zahăr alb;";

    private static readonly BleuOptions Raw = new()
    {
        Tokenize = "none",
        Smoothing = BleuSmoothing.Floor,
        SmoothValue = .01,
        EffectiveOrder = true,
    };

    [TestCase("13a", 48.530827)]
    [TestCase("none", 49.1919566)]
    [TestCase("intl", 43.91623493)]
    [TestCase("char", 72.6106415)]
    public void CorpusScoreByTokenizer(string tokenizer, double expected) => Assert.That(
        Score(new() { Tokenize = tokenizer }, ReadmeExample.Hypotheses, ReadmeExample.References).Value, Is.EqualTo(expected).Within(5e-8));

    [TestCase(1, "77.65")]
    [TestCase(2, "60.50")]
    [TestCase(3, "53.93")]
    [TestCase(4, "48.53")]
    [TestCase(5, "46.14")]
    [TestCase(6, "43.28")]
    public void CorpusScoreByOrder(int order, string expected)
    {
        var score = Score(new() { MaxNgramOrder = order }, ReadmeExample.Hypotheses, ReadmeExample.References);
        Assert.That(score.ValueText(2), Is.EqualTo(expected));
    }

    [Test]
    public void TheLineIsSacreBleus()
    {
        var score = Score(new(), ReadmeExample.Hypotheses, ReadmeExample.References);
        Assert.That(score.ToString(), Is.EqualTo("BLEU|nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0+ingot = 48.53 "
            + "82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)"));
        Assert.That(score.Measures["bp"], Is.EqualTo(.9428731).Within(5e-8));
        Assert.That(Counts(score, "count"), Is.EqualTo(new[] { 14, 7, 5, 3 }));
        Assert.That(Counts(score, "total"), Is.EqualTo(new[] { 17, 14, 11, 8 }));
        Assert.That(Score(new() { Smoothing = BleuSmoothing.AddK, Lowercase = true }, ["a"], [["a"]]).Signature.ToString(),
            Is.EqualTo("nrefs:1|case:lc|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0+ingot"));
    }

    [Test]
    public void OneStreamEmptyHypothesesAndNoSmoothing()
    {
        Assert.That(Score(new(), ReadmeExample.Hypotheses, ReadmeExample.References[..1]).Value, Is.EqualTo(45.0675063).Within(5e-8));
        Assert.That(Score(new(), ["", "", ""], ReadmeExample.References).Value, Is.Zero);
        Assert.That(Score(new() { Smoothing = BleuSmoothing.None }, ReadmeExample.Hypotheses, ReadmeExample.References).Value,
            Is.EqualTo(48.530827).Within(5e-7));
    }

    [TestCase("this is a test", "this is a test", 1)]
    [TestCase("this is a fest", "this is a test", .223606797749979)]
    [TestCase("test", "a test", .3678794411714425)]
    [TestCase("a test", "a test", 1)]
    [TestCase("a little test", "a test", .03218297948685433)]
    [TestCase("this is a cat", "okay thanks", 0)]
    public void RawScores(string hypothesis, string reference, double expected) =>
        Assert.That(Score(Raw, [hypothesis], [[reference]]).Value / 100, Is.EqualTo(expected).Within(1e-15));

    [Test]
    public void FloorTakesTheGivenNumberOfMatches()
    {
        string[] hypothesis = ["am I am a character sequence"], reference = ["I am a symbol string sequence a a"];
        var score = Score(Raw with { SmoothValue = null }, hypothesis, [reference]);
        Assert.That(Counts(score, "count"), Is.EqualTo(new[] { 4, 2, 1, 0 }));
        Assert.That(Counts(score, "total"), Is.EqualTo(new[] { 6, 5, 4, 3 }));
        Assert.That(score.Value / 100, Is.EqualTo(.1555722182).Within(1e-10), "sacreBLEU cuts its digits off");
        Assert.That(Score(Raw with { SmoothValue = 0 }, hypothesis, [reference]).Value, Is.Zero);
    }

    // sacreBLEU's own table, of the sentence in its issue 98.
    [TestCase(BleuSmoothing.Exp, null, false, "13a", 8.493)]
    [TestCase(BleuSmoothing.None, null, false, "13a", 0)]
    [TestCase(BleuSmoothing.Floor, null, false, "13a", 4.51688)]
    [TestCase(BleuSmoothing.Floor, .5, false, "13a", 10.10)]
    [TestCase(BleuSmoothing.AddK, null, false, "13a", 14.882)]
    [TestCase(BleuSmoothing.AddK, 2.0, false, "13a", 21.389)]
    [TestCase(BleuSmoothing.Exp, null, false, "none", 7.347)]
    [TestCase(BleuSmoothing.Exp, null, false, "intl", 8.493)]
    [TestCase(BleuSmoothing.Exp, null, false, "char", 40.8759)]
    [TestCase(BleuSmoothing.Exp, null, true, "char", 42.0267)]
    public void SentenceScores(BleuSmoothing smoothing, double? value, bool lowercase, string tokenizer, double expected)
    {
        var metric = new BleuMetric(new()
        {
            Smoothing = smoothing,
            SmoothValue = value,
            Lowercase = lowercase,
            Tokenize = tokenizer,
            EffectiveOrder = true,
        });
        Assert.That(metric.EvaluateSegment(Romanian, RomanianReference).Value, Is.EqualTo(expected).Within(1e-3), "the table has three digits");
    }

    [Test]
    public void TheNearestReferenceLengthCountsAndTheShorterOfTwo()
    {
        var score = new BleuMetric().EvaluateSegment("a b c d", "a b c d e f", "a b", "x y z u v w");
        Assert.That(score.Measures["ref_len"], Is.EqualTo(2));
        Assert.That(new BleuMetric().EvaluateSegment("a b c d", "a b c d e", "a b").Measures["ref_len"], Is.EqualTo(5));
    }

    [Test]
    public void ThousandsOfWordsInOneLine()
    {
        // More different n-grams than the tables begin with, and then a short line, for which nothing of them may be left.
        var random = new Random(1);
        var text = string.Join(' ', Enumerable.Range(0, 5000).Select(_ => $"w{random.Next(2000)}"));
        Assert.That(Score(new(), [text, "w1 w2 w3 w4"], [[text, "v1 v2 v3 v4"]]).Measures["count1"], Is.EqualTo(5000));
    }

    private static MetricScore Score(BleuOptions options, string[] hypotheses, string[][] references) =>
        new BleuMetric(options).Evaluate(SegmentStream.Of(hypotheses), [.. references.Select(stream => SegmentStream.Of(stream))]);

    private static IEnumerable<int> Counts(MetricScore score, string name) =>
        Enumerable.Range(1, 4).Select(n => (int)score.Measures[name + n]);
}
