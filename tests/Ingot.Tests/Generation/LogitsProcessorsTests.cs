using Ingot.Generation;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>Each processor alone, on the vectors of Hugging Face Transformers' test_logits_process.py.</summary>
public sealed class LogitsProcessorsTests
{
    private delegate void Processor(Span<float> logits);

    [TestCase(new[] { .3, .1, .1, .5 }, new[] { .3, 0, 0, .5 })]
    [TestCase(new[] { .15, .3, .3, .25 }, new[] { 0, .3, .3, .25 })]
    public void TopP(double[] before, double[] after) => AssertKeeps(before, after, logits => LogitsProcessors.TopP(logits, 0.8));

    [TestCase(new[] { .9, .0274, .047, .0274 }, new[] { .9, 0, .047, 0 })]
    [TestCase(new[] { .15, .3, .3, .25 }, new[] { .15, .3, .3, .25 })]
    [TestCase(new[] { .97, .01, .01, .01 }, new[] { .97, 0, 0, 0 })]
    public void MinP(double[] before, double[] after) => AssertKeeps(before, after, logits => LogitsProcessors.MinP(logits, 0.05));

    [TestCase(new[] { .97, .01, .01, .01 }, new[] { .97, 0, 0, 0 })]
    [TestCase(new[] { .4, .2, .2, .2 }, new[] { 0, .2, .2, .2 })]
    public void TypicalP(double[] before, double[] after) => AssertKeeps(before, after, logits => LogitsProcessors.TypicalP(logits, 0.5));

    [TestCase(new[] { .87, .099, .001, .03 }, new[] { .87, 0, 0, 0 })]
    [TestCase(new[] { .4, .299, .101, .2 }, new[] { .4, .299, .101, .2 })]
    public void EpsilonCutoff(double[] before, double[] after) =>
        AssertKeeps(before, after, logits => LogitsProcessors.EpsilonCutoff(logits, 0.1));

    [TestCase(new[] { 0, .1, .8, .1 }, new[] { 0, .1, .8, .1 })]
    [TestCase(new[] { .01, .04, .9, .05 }, new[] { 0, 0, .9, 0 })]
    public void EtaCutoff(double[] before, double[] after) =>
        AssertKeeps(before, after, logits => LogitsProcessors.EtaCutoff(logits, 0.0625));

    // The inputs of test_bias_dist_processor and test_no_bad_words_dist_processor.
    [TestCase(new[] { 0, 1, 3, 1 }, new[] { 0, 1, 3, 4 }, new[] { -99.8, 100.2, .2, -99.8, 100.2 })]
    [TestCase(new[] { 0, 1, 0, 1 }, new[] { 0, 1, 2, 4 }, new[] { -99.8, 100.2, -99.8, .2, 100.2 })]
    public void BiasAndBadWords(int[] tokens, int[] banned, double[] biased)
    {
        int[][] words = [[1], [4], [1, 0], [0, 1, 2], [1, 3, 1, 3]];
        float[] uniform = [.. Enumerable.Repeat(.2f, 5)];
        Assert.That(Kept(uniform, logits =>
        {
            foreach (var word in words)
                LogitsProcessors.Bias(logits, tokens, word, float.NegativeInfinity);
        }), Is.EqualTo(Enumerable.Range(0, 5).Except(banned)));

        foreach (var word in words)
            LogitsProcessors.Bias(uniform, tokens, word, word.Length == 1 ? 100 : -100);
        Assert.That(uniform, Is.EqualTo(biased).Within(1e-4));
    }

    [Test]
    public void SuppressAndForce()
    {
        Assert.That(Kept(Ramp(), logits => LogitsProcessors.Suppress(logits, [0, 9])), Is.EqualTo(Enumerable.Range(1, 8)));
        var forced = Ramp();
        LogitsProcessors.Force(forced, [3, 4]);
        Assert.That(forced.Index().Where(logit => logit.Item == 0).Select(logit => logit.Index), Is.EqualTo(new[] { 3, 4 }));
        Assert.That(forced.Count(float.IsNegativeInfinity), Is.EqualTo(8));
    }

    [Test]
    public void GreatestAreInFallingOrderEqualOnesById()
    {
        var random = new Random(3);
        float[] logits = [.. Enumerable.Range(0, 1000).Select(_ => random.Next(-50, 50) / 7f)];
        int[] expected = [.. Enumerable.Range(0, 1000).OrderByDescending(id => logits[id]).ThenBy(id => id)];
        foreach (var count in new[] { 1, 7, 999, 1000, 2000 })
            Assert.That(LogitsProcessors.Greatest(logits, count), Is.EqualTo(expected.Take(count)));
    }

    [Test]
    public void TopK()
    {
        Assert.That(Kept(Ramp(), logits => LogitsProcessors.TopK(logits, 3)), Is.EqualTo(new[] { 7, 8, 9 }));
        float[] raised = [.. Ramp().Select((logit, id) => id < 5 ? logit + 10 : logit)];
        Assert.That(Kept(raised, logits => LogitsProcessors.TopK(logits, 3)), Is.EqualTo(new[] { 2, 3, 4 }));
        Assert.That(Kept(Ramp(), logits => LogitsProcessors.TopK(logits, 100)), Has.Length.EqualTo(10));
        Assert.That(Kept([-1, 0, 0, -0f], logits => LogitsProcessors.TopK(logits, 2)), Is.EqualTo(new[] { 1, 2 }), "equal ones");
    }

    [Test]
    public void SomeTokensAreKeptWhateverTheFilter()
    {
        float[] centred = [.. Ramp().Select(logit => logit - 5)];
        float[] steep = [.. centred.Select(logit => logit * 100)];
        Assert.That(Kept(Ramp(), logits => LogitsProcessors.TopK(logits, 1, minTokensToKeep: 3)), Is.EqualTo(new[] { 7, 8, 9 }));
        Assert.That(Kept(centred, logits => LogitsProcessors.TopP(logits, 0.9, minTokensToKeep: 2)), Is.EqualTo(new[] { 7, 8, 9 }));
        Assert.That(Kept(steep, logits => LogitsProcessors.TopP(logits, 0.9, minTokensToKeep: 2)), Is.EqualTo(new[] { 8, 9 }));
        Assert.That(Kept(steep, logits => LogitsProcessors.MinP(logits, 0.9, minTokensToKeep: 2)), Is.EqualTo(new[] { 8, 9 }));
        Assert.That(Kept(steep, logits => LogitsProcessors.TypicalP(logits, 0.1, minTokensToKeep: 2)), Is.EqualTo(new[] { 8, 9 }));
    }

    [Test]
    public void RepetitionPenaltyDividesOrMultiplies()
    {
        float[] logits = [-0.1f, 0.1f, 0.4f, 0.4f];
        LogitsProcessors.RepetitionPenalty(logits, [2, 0, 1, 0], 2);
        Assert.That(logits, Is.EqualTo(new[] { -0.2f, 0.05f, 0.2f, 0.4f }));
    }

    [Test]
    public void PresenceCountsOnceFrequencyEachTime()
    {
        float[] logits = [1, 1, 1];
        LogitsProcessors.PresenceAndFrequency(logits, [0, 2, 0], presence: 0.5, frequency: 0.25);
        Assert.That(logits, Is.EqualTo(new[] { 0, 1, 0.25f }));
    }

    [TestCase(new[] { 1, 1, 2, 1 }, 2, new[] { 1, 2 })]
    [TestCase(new[] { 0, 1, 0, 1 }, 2, new[] { 0 })]
    [TestCase(new[] { 0, 1, 0, 1 }, 3, new[] { 0 })]
    [TestCase(new[] { 1, 2, 5, 7, 8, 5, 1, 2 }, 3, new[] { 5 })]
    [TestCase(new[] { 4, 6 }, 1, new[] { 4, 6 })]
    [TestCase(new[] { 4, 4 }, 3, new int[0])]
    public void NoRepeatNgrams(int[] tokens, int size, int[] banned) => Assert.That(
        Kept(Ramp(), logits => LogitsProcessors.NoRepeatNgrams(logits, tokens, size)), Is.EqualTo(Enumerable.Range(0, 10).Except(banned)));

    [Test]
    public void WhatIsOffChangesNothing()
    {
        float[] logits = [.. Ramp().Select(logit => (logit - 4.7f) * 1.3f)];
        var before = logits.ToArray();
        int[] tokens = [1, 2, 1, 2, 9];
        LogitsProcessors.RepetitionPenalty(logits, tokens, 1);
        LogitsProcessors.PresenceAndFrequency(logits, tokens, 0, 0);
        LogitsProcessors.NoRepeatNgrams(logits, tokens, 0);
        LogitsProcessors.TopK(logits, 0);
        LogitsProcessors.TopP(logits, 1);
        LogitsProcessors.MinP(logits, 0);
        LogitsProcessors.TypicalP(logits, 1);
        LogitsProcessors.EpsilonCutoff(logits, 0);
        LogitsProcessors.EtaCutoff(logits, 0);
        LogitsProcessors.Apply(logits, new LogitsContext(tokens, 2, 10, [3]), new GenerationOptions());
        Assert.That(logits, Is.EqualTo(before));
    }

    private static float[] Ramp() => [.. Enumerable.Range(0, 10).Select(i => (float)i)];

    private static int[] Kept(float[] logits, Processor process)
    {
        var processed = logits.ToArray();
        process(processed);
        int[] kept = [.. Enumerable.Range(0, logits.Length).Where(id => processed[id] != float.NegativeInfinity)];
        Assert.That(kept.Select(id => processed[id]), Is.EqualTo(kept.Select(id => logits[id])), "what is kept stays as it is");
        return kept;
    }

    private static void AssertKeeps(double[] before, double[] after, Processor process)
    {
        float[] logits = [.. before.Select(p => (float)Math.Log(p))];
        process(logits);
        Assert.That(logits.Select(logit => Math.Exp(logit)), Is.EqualTo(after).Within(1e-6));
    }
}
