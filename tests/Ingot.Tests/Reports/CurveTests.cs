using Ingot.Reports;
using NUnit.Framework;

namespace Ingot.Tests.Reports;

/// <summary>Reduction of long curves, and the round numbers of axes.</summary>
[TestFixture]
public sealed class CurveTests
{
    [TestCase(1)]
    [TestCase(Curve.Capacity)]
    [TestCase(Curve.Capacity + 1)]
    [TestCase(100_003)]
    public void NothingIsLostInBuckets(int count)
    {
        var curve = new Curve();
        var random = new Random(3);
        double sum = 0, lowest = double.PositiveInfinity, highest = double.NegativeInfinity;
        var finite = 0;
        for (var i = 0; i < count; i++)
        {
            var value = i % 7 == 3 ? double.NaN : random.NextDouble();
            curve.Add(i, value);
            if (double.IsNaN(value))
                continue;
            finite++;
            sum += value;
            lowest = Math.Min(lowest, value);
            highest = Math.Max(highest, value);
        }

        var buckets = curve.Buckets;
        Assert.That(buckets, Has.Count.LessThanOrEqualTo(Curve.Capacity));
        Assert.That(buckets.Sum(bucket => bucket.Points), Is.EqualTo(count));
        Assert.That(buckets.Sum(bucket => bucket.Finite), Is.EqualTo(finite));
        Assert.That(buckets.Sum(bucket => bucket.Sum), Is.EqualTo(sum).Within(1e-9 * count));
        Assert.That(buckets.Where(bucket => bucket.Finite > 0).Min(bucket => bucket.Minimum), Is.EqualTo(lowest));
        Assert.That(buckets.Where(bucket => bucket.Finite > 0).Max(bucket => bucket.Maximum), Is.EqualTo(highest));
        Assert.That(
            buckets.Zip(buckets.Skip(1)),
            Is.All.Matches<(Curve.Bucket A, Curve.Bucket B)>(pair => pair.B.FirstX == pair.A.LastX + 1));
    }

    [Test]
    public void SmoothingIgnoresASpikeAndKeepsTheEnds()
    {
        var curve = new Curve();
        for (var i = 0; i < 200; i++)
            curve.Add(i, i == 77 ? 1e9 : 100 - (i * 0.5));
        foreach (var (x, y) in curve.Smooth(0.02))
            Assert.That(y, Is.EqualTo(100 - (x * 0.5)).Within(0.26));
    }

    [TestCase(0, 1, "0 0.2 0.4 0.6 0.8 1")]
    [TestCase(1.37, 4.9, "1 2 3 4 5")]
    [TestCase(0, 6e-4, "0 2e-4 4e-4 6e-4")]
    [TestCase(0, 41_000, "0 10k 20k 30k 40k 50k")]
    [TestCase(2, 2, "1.8 1.9 2 2.1 2.2")]
    [TestCase(0, 0, "-1 -0.5 0 0.5 1")]
    [TestCase(-3, 5, "-4 -2 0 2 4 6")]
    public void TicksAreRoundNumbers(double lowest, double highest, string expected) =>
        Assert.That(string.Join(' ', Axis.Around(lowest, highest, 5).Ticks().Select(tick => tick.Text)), Is.EqualTo(expected));

    [TestCase(124_439_808, "124M")]
    [TestCase(1_536_000, "1.54M")]
    [TestCase(810_432, "810k")]
    [TestCase(999, "999")]
    [TestCase(6.5535, "6.55")]
    [TestCase(1.5e15, "1500T")]
    public void CountsTakeThreeDigits(double value, string expected) => Assert.That(Axis.Short(value), Is.EqualTo(expected));
}
