using Ingot.Pairs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

public sealed class PairPartTests
{
    [Test]
    public void PairsThatShareATextStayTogetherAndBothDirectionsHoldBackTheSame()
    {
        // Texts with up to three translations each, which may be those of other texts; one text has 60 of them.
        var random = new Random(1);
        TextPair[] pairs =
        [
            .. Enumerable.Range(0, 400).Select(i => new TextPair("", $"source {i / 2}", $"target {(i / 2) + random.Next(2)}")),
            .. Enumerable.Range(0, 400).Select(i => new TextPair("", $"lone {i}", $"alone {i}")),
            .. Enumerable.Range(0, 100).Select(i => new TextPair("", "Yes.", $"yes {i}")),
        ];

        var held = PairPart.HeldBack(pairs, 0.1);

        Assert.That(held.Count(h => h), Is.InRange(85, 90));
        var (there, here) = (TextsOf(pairs.Where((_, i) => held[i])), TextsOf(pairs.Where((_, i) => !held[i])));
        Assert.That(there.Intersect(here), Is.Empty);
        Assert.That(here, Does.Contain("Yes."), "a group that is larger than the share is learnt");
        Assert.That(PairPart.HeldBack([.. pairs.Select(pair => new TextPair("", pair.Target, pair.Source))], 0.1), Is.EqualTo(held));
        Assert.That(PairPart.HeldBack(pairs, 0), Has.None.True);

        static HashSet<string> TextsOf(IEnumerable<TextPair> pairs) => [.. pairs.SelectMany(pair => new[] { pair.Source, pair.Target })];
    }
}
