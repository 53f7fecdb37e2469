using Ingot.Evaluation;
using NUnit.Framework;

namespace Ingot.Tests.Evaluation;

/// <summary>ROUGE against rouge_score's own vectors, which are those of ROUGE-1.5.5.</summary>
public sealed class RougeMetricTests
{
    private static readonly string[] Targets =
    [
        "ZfbCUIUuePaiLVUlCaUXxkpu XPeWing tUHfPMuZ',-Xd Y BrUgVJing M-HV.-DgdDaY.rFDJCRing Ht-LM EKBDXkME,yz'RBr q'wtion wIojNbN wL,b .a-'XdQggyFl "
            + "jB-RPP'iyOIcUxer tKM L",
        "KsJdPByEtAor fE-Qg Dpdbring cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMtion psing sbKao Q m qiing LMmer HqqLFXe,XPY,J XsurkMer ,ed "
            + "nB'wH'bWVHjWFEing tQ.saefZwJtKrTlixYpMMsJing UCAPwNHeYVjDing c T BUySKtion gMPfJpwGw p'NvxAoping eu pBwMBKV'I DNxqelhu,PHPxDEq,mtion SN",
    ];

    private static readonly string[] Predictions =
    [
        "rFDJCRtion Ht-LM EKtDXkME,yz'RBr q'wer wrojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxi",
        "n cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMer pstion sbKao Q m qier LMmed HqqLFXe,XPY,J XsurkMeo ,ed nB'wH'bWVHjWFEer "
            + "tQ.saefZwJtKrTlixYpMMNJtion UCAPwNHeYVjD",
    ];

    [TestCase("rouge1", 0, false, .40741, .68750, .51163)]
    [TestCase("rouge1", 0, true, .40741, .68750, .51163)]
    [TestCase("rouge2", 0, false, .30769, .53333, .39024)]
    [TestCase("rougeL", 0, false, .40741, .68750, .51163)]
    [TestCase("rouge1", 1, false, .40476, .65385, .50000)]
    [TestCase("rouge1", 1, true, .42857, .69231, .52941)]
    [TestCase("rouge2", 1, false, .29268, .48000, .36364)]
    [TestCase("rougeL", 1, false, .40476, .65385, .50000)]
    public void AgainstRouge155(string type, int index, bool stem, double recall, double precision, double f) =>
        AssertScore(type, stem, Predictions[index], Targets[index], recall, precision, f);

    [TestCase("rouge1", .66667, .75, .70588)]
    [TestCase("rouge2", .25, .28571, .26667)]
    [TestCase("rougeL", .55556, .625, .58824)]
    public void TheExampleOfItsReadme(string type, double recall, double precision, double f) => AssertScore(
        type, false, "The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog", recall, precision, f);

    [Test]
    public void SummaryLevelUnitesTheSubsequencesOfSentences()
    {
        AssertScore("rougeLsum", false, "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", .8, .4, .53333);
        AssertScore("rougeLsum", false, "/", "w1 w2 w3 w4 w5", 0, 0, 0);
        AssertScore("rougeL", false, "testing two", "testing one two", .66667, 1, .8);
        AssertScore("rouge1", false, "", "testing one two", 0, 0, 0);
    }

    [Test]
    public void TheBestReferenceCountsAndTheMeanIsReported()
    {
        var score = new RougeMetric("rouge1").Evaluate(
            SegmentStream.Of(["a b", "c"]), [SegmentStream.Of(["x", "c"]), SegmentStream.Of(["a b", "y"])], new Resampling());
        Assert.That(score.ToString(), Does.StartWith(
            "rouge1|nrefs:2|bs:1000|seed:12345|stemmer:no|tok:rouge|version:rouge_score-0.1.2+ingot = 1.0000 "));
        Assert.That(score.Confidence, Is.EqualTo(new ConfidenceInterval(1, 1, 1)));
        Assert.That(new RougeMetric("rouge1", new() { Tokenize = "zh" }).EvaluateSegment("中文", "中国").Value, Is.EqualTo(.5));
        Assert.That(new RougeMetric("rouge1").EvaluateSegment("中文", "中国").Value, Is.Zero, "as rouge_score has it");
    }

    // "Run them all through NLTK": steps 1 to 5, and what NLTK changed.
    [TestCase("caresses", "caress")]
    [TestCase("ponies", "poni")]
    [TestCase("dies", "die")]
    [TestCase("died", "die")]
    [TestCase("spied", "spi")]
    [TestCase("agreed", "agre")]
    [TestCase("feed", "feed")]
    [TestCase("plastered", "plaster")]
    [TestCase("sing", "sing")]
    [TestCase("hopping", "hop")]
    [TestCase("falling", "fall")]
    [TestCase("filing", "file")]
    [TestCase("happy", "happi")]
    [TestCase("enjoy", "enjoy")]
    [TestCase("skies", "sky")]
    [TestCase("dying", "die")]
    [TestCase("relational", "relat")]
    [TestCase("rational", "ration")]
    [TestCase("geology", "geolog")]
    [TestCase("electrical", "electr")]
    [TestCase("adoption", "adopt")]
    [TestCase("replacement", "replac")]
    [TestCase("cease", "ceas")]
    [TestCase("controlling", "control")]
    [TestCase("purchased", "purchas")]
    [TestCase("is", "is")]
    public void Stems(string word, string stem) => Assert.That(PorterStemmer.Stem(word), Is.EqualTo(stem));

    private static void AssertScore(string type, bool stem, string prediction, string target, double recall, double precision, double f)
    {
        var score = new RougeMetric(type, new() { UseStemmer = stem }).EvaluateSegment(prediction, target);
        Assert.That(score.Measures["recall"], Is.EqualTo(recall).Within(5.1e-6));
        Assert.That(score.Measures["precision"], Is.EqualTo(precision).Within(5.1e-6));
        Assert.That(score.Value, Is.EqualTo(f).Within(5.1e-6));
    }

    [TestCase("One day. Two days!", "One day.|Two days!")]
    [TestCase("\"Who?\" asked Mr. Smith of J. Doe. He left at 3.5 p.m. on foot. it went on", "\"Who?\" asked Mr. Smith of J. Doe.|"
        + "He left at 3.5 p.m. on foot. it went on")]
    [TestCase("一天。两天！三", "一天。|两天！|三")]
    [TestCase("  \n", "  \n")]
    [TestCase("", "")]
    public void SentencesOfRunningTextAreFoundByRules(string text, string sentences) =>
        Assert.That(string.Join('|', SentenceRules.Split(text).Select(range => text[range])), Is.EqualTo(sentences));

    [Test]
    public void RunningTextIsScoredLikeItsSentencesOnLines()
    {
        const string Hypothesis = "The dog ran. A cat slept.\nIt rained.", Reference = "A cat slept. The dog barked! It rained.";
        var lines = new RougeMetric("rougeLsum").EvaluateSegment(
            Hypothesis.Replace(". ", ".\n", StringComparison.Ordinal), "A cat slept.\nThe dog barked!\nIt rained.");
        var text = new RougeMetric("rougeLsum", new() { SplitSummaries = true }).EvaluateSegment(Hypothesis, Reference);
        Assert.That(text.Value, Is.EqualTo(lines.Value));
        Assert.That(new RougeMetric("rougeLsum").EvaluateSegment(Hypothesis, Reference).Value, Is.Not.EqualTo(lines.Value));
        Assert.That(text.Signature.ToString(), Does.Contain("|split:rules|"));
    }
}
