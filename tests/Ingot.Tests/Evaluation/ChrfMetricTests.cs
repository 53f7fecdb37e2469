using Ingot.Evaluation;
using NUnit.Framework;

namespace Ingot.Tests.Evaluation;

/// <summary>chrF and chrF++ against the values that sacreBLEU 2.6.0 gives.</summary>
public sealed class ChrfMetricTests
{
    private static readonly ChrfOptions Beta3 = new() { Beta = 3 };

    [Test]
    public void ReadmeExampleByOptions()
    {
        Assert.That(Score(new()), Is.EqualTo(59.7275178).Within(5e-8));
        Assert.That(Score(new() { WordOrder = 2 }), Is.EqualTo(59.1531044).Within(5e-8));
        Assert.That(Score(new() { WordOrder = 1 }), Is.EqualTo(60.8382580).Within(5e-8));
        Assert.That(Score(new() { Lowercase = true }), Is.EqualTo(60.0230273).Within(5e-8));
        Assert.That(Score(new() { Whitespace = true }), Is.EqualTo(65.8764867).Within(5e-8));
    }

    [Test]
    public void TheLineIsSacreBleus()
    {
        var streams = ReadmeExample.References.Select(stream => SegmentStream.Of(stream)).ToArray();
        var score = TextMetrics.Create("chrF++")[0].Evaluate(SegmentStream.Of(ReadmeExample.Hypotheses), streams);
        Assert.That(score.ToString(), Is.EqualTo("chrF2++|nrefs:2|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0+ingot = 59.15"));
    }

    [TestCase("abcdefg", "hijklmnop", 0)]
    [TestCase("", "reference", 0)]
    [TestCase("aa", "ab", 8.3333)]
    [TestCase("a", "a", 16.6667)]
    [TestCase("a b c", "a b c", 50)]
    [TestCase("a b c", "abc", 50)]
    [TestCase(" risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .",
        "risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .", 63.361730)]
    [TestCase(" Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. ",
        "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.", 64.1302698)]
    [TestCase("Niemand hat die Absicht, eine Mauer zu errichten", "Niemand hat die Absicht, eine Mauer zu errichten", 100)]
    public void EpsilonSmoothing(string hypothesis, string reference, double expected) => Assert.That(
        new ChrfMetric(Beta3 with { EpsSmoothing = true }).EvaluateSegment(hypothesis, reference).Value, Is.EqualTo(expected).Within(1e-4));

    [TestCase("a", "a", 100)]
    [TestCase("", "c", 0)]
    [TestCase("a b c", "abc", 100)]
    [TestCase("aa", "ab", 25)]
    public void EffectiveOrder(string hypothesis, string reference, double expected) => Assert.That(
        new ChrfMetric(Beta3).EvaluateSegment(hypothesis, reference).Value, Is.EqualTo(expected).Within(1e-12));

    [TestCase("Die Beziehung zwischen Obama und Netanjahu ist nicht gerade freundlich.",
        "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.", 67.3481606)]
    [TestCase("risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .",
        "risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .", 65.2414427)]
    public void WhitespaceKept(string hypothesis, string reference, double expected) => Assert.That(
        new ChrfMetric(Beta3 with { Whitespace = true }).EvaluateSegment(hypothesis, reference).Value, Is.EqualTo(expected).Within(5e-8));

    [TestCase("Co nás nejvíc trápí, protože lékaři si vybírají, kdo bude žít a kdo zemře.",
        "Nejvíce smutní jsme z toho, že musíme rozhodovat o tom, kdo bude žít a kdo zemře.", 39.14078509)]
    [TestCase("Lapali po dechu, jejich životy skončily dřív, než skutečně začaly.",
        "Lapali po dechu a pak jejich život skončil - dřív, než skutečně mohl začít, připomněli.", 57.15704367)]
    public void Sentences(string hypothesis, string reference, double expected) => Assert.That(
        new ChrfMetric(new() { EpsSmoothing = true }).EvaluateSegment(hypothesis, reference).Value, Is.EqualTo(expected).Within(5e-9));

    [Test]
    public void CharactersBeyondTheFirstPlaneAreOneEach() =>
        Assert.That(new ChrfMetric(Beta3).EvaluateSegment("😀a", "😁a").Value, Is.EqualTo(25), "one of two, and no pair: as for aa and ab");

    private static double Score(ChrfOptions options) => new ChrfMetric(options).Evaluate(SegmentStream.Of(ReadmeExample.Hypotheses),
        [.. ReadmeExample.References.Select(stream => SegmentStream.Of(stream))]).Value;
}
