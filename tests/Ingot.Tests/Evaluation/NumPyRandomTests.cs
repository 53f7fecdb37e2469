using Ingot.Evaluation;
using NUnit.Framework;

namespace Ingot.Tests.Evaluation;

/// <summary>The generator against what NumPy's documentation shows of <c>default_rng(12345)</c>.</summary>
public sealed class NumPyRandomTests
{
    [Test]
    public void TheFirstDouble() =>
        Assert.That((new NumPyRandom(12345).NextUInt64() >> 11) * Math.ScaleB(1, -53), Is.EqualTo(0.22733602246716966));

    [Test]
    public void TheFirstIntegersBelowTen()
    {
        var random = new NumPyRandom(12345);
        Assert.That(new[] { random.Next(10), random.Next(10), random.Next(10) }, Is.EqualTo(new[] { 6, 2, 7 }));
    }
}
