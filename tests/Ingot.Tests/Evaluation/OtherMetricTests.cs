using Ingot.Evaluation;
using NUnit.Framework;

namespace Ingot.Tests.Evaluation;

/// <summary>TER against sacreBLEU's vectors, METEOR against NLTK's, accuracy and F1 against counts by hand.</summary>
public sealed class OtherMetricTests
{
    [TestCase("aaaa bbbb cccc dddd", "aaaa bbbb cccc dddd", 0)]
    [TestCase("dddd eeee ffff", "aaaa bbbb cccc", 100)]
    [TestCase("", "a", 100)]
    [TestCase("a", "", 100)]
    [TestCase("", "", 0)]
    [TestCase("d e f g h a b c", "a b c d e f g h", 12.5)]
    public void Ter(string hypothesis, string reference, double expected) =>
        Assert.That(new TerMetric().EvaluateSegment(hypothesis, reference).Value, Is.EqualTo(expected));

    [Test]
    public void TerOfTheReadmesExample()
    {
        var score = new TerMetric().Evaluate(SegmentStream.Of(ReadmeExample.Hypotheses),
            [.. ReadmeExample.References.Select(stream => SegmentStream.Of(stream))]);
        Assert.That(score.ToString(),
            Is.EqualTo("TER|nrefs:2|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0+ingot = 40.00"));
    }

    [TestCase("a b (c) d.", "a b ( c ) d .")]
    [TestCase("Jim's car.", "jim 's car .")]
    public void TerNormalizes(string text, string tokens) => Assert.That(
        new TerMetric(new() { Normalized = true }).EvaluateSegment(text, tokens.Replace(" (", " ( ", StringComparison.Ordinal)).Value, Is.Zero);

    [Test]
    public void TerSetsIdeographsApart() => Assert.That(
        new TerMetric(new() { Normalized = true, AsianSupport = true }).EvaluateSegment("りの拳銃を持", "りの 拳 銃 を 持").Measures["ref_length"],
        Is.EqualTo(5));

    private const string Guide = "It is a guide to action which ensures that the military always obeys the commands of the party";
    private const string Insure = "It is to insure the troops forever hearing the activity guidebook that party direct";
    private const string Reference1 = "It is a guide to action that ensures that the military will forever heed Party commands";
    private const string Reference2 =
        "It is the guiding principle which guarantees the military forces always being under the command of the Party";
    private const string Reference3 = "It is the practical guide for the army always to heed the directions of the party";

    [TestCase(Guide, Reference1, .6944444)]
    [TestCase(Guide, Reference2, .625)]
    [TestCase(Guide, Reference3, .5114198)]
    [TestCase(Insure, Reference1, .3035391)]
    [TestCase(Insure, Reference2, .2113636)]
    [TestCase(Insure, Reference3, .3035391)]
    [TestCase("THIS Is a tEST", "this is a test", .9921875)]
    [TestCase("the cat sat on the mat", "the cat sat on the mat", .9976852)]
    [TestCase("on the mat sat the cat", "the cat sat on the mat", .5)]
    [TestCase("the cat was sat on the mat", "the cat sat on the mat", .9653916)]
    [TestCase("non matching hypothesis", "this is a cat", 0)]
    public void Meteor(string hypothesis, string reference, double expected) => Assert.That(
        new MeteorMetric(new() { WordNetFolder = "" }).EvaluateSegment(hypothesis, reference).Value, Is.EqualTo(expected).Within(5.1e-8));

    [Test]
    public void MeteorTakesTheBestReferenceAndSaysHow()
    {
        var metric = new MeteorMetric(new() { WordNetFolder = "" });
        Assert.That(metric.EvaluateSegment(Guide, Reference1, Reference2, Reference3).ToString(),
            Is.EqualTo("METEOR|nrefs:3|tok:none|stem:porter|wn:no|version:nltk+ingot = 0.6944"));
        Assert.That(metric.EvaluateSegment("the car is quick", "the automobile is fast").Value, Is.EqualTo(.25).Within(1e-12));
    }

    [Test]
    public void MeteorMatchesSynonymsWhereWordNetIsThere()
    {
        var folder = Environment.GetEnvironmentVariable("INGOT_TEST_WORDNET") ?? WordNet.DefaultFolder;
        if (!WordNet.IsIn(folder))
            Assert.Ignore($"{folder} has no WordNet; the Debian package wordnet-base has it.");
        var metric = new MeteorMetric(new() { WordNetFolder = folder });
        Assert.That(metric.EvaluateSegment("the car is quick", "the automobile is fast").Value, Is.EqualTo(.638889).Within(5.1e-7));
        Assert.That(metric.EvaluateSegment(Guide, Reference1).Value, Is.EqualTo(.6944444).Within(5.1e-8));
    }

    [Test]
    public void AccuracyAndF1()
    {
        string[] given = ["a", "a", "b", "c", "a "], right = ["a", "b", "b", "b", "a"];
        Assert.That(new AccuracyMetric().Evaluate(given, right).Value, Is.EqualTo(.6));
        // a: 2 of 3 given and of 2 right, so 4/5; b: 1 of 1 and of 3, so 1/2; c: 0.
        Assert.That(new F1Metric().Evaluate(given, right).Value, Is.EqualTo((.8 + .5) / 3).Within(1e-15));
        Assert.That(new F1Metric(F1Average.Micro).Evaluate(given, right).Value, Is.EqualTo(.6).Within(1e-15));
        Assert.That(new F1Metric(F1Average.Binary, "b").Evaluate(given, right).Value, Is.EqualTo(.5).Within(1e-15));
        Assert.That(() => new F1Metric(F1Average.Binary).Evaluate(given, right), Throws.ArgumentException.With.Message.Contains("positiveLabel"));
    }
}
