namespace Ingot.Lab;

/// <summary>Times of the same thing, and what they say together.</summary>
public sealed class Samples
{
    private readonly double[] _sorted;

    /// <summary>Takes at least one time, in seconds, in the order in which they were measured.</summary>
    public Samples(IEnumerable<double> seconds)
    {
        Seconds = [.. seconds];
        if (Seconds.Count == 0)
            throw new ArgumentException("there are no times");
        _sorted = [.. Seconds.Order()];
    }

    /// <summary>The times.</summary>
    public IReadOnlyList<double> Seconds { get; }

    /// <summary>The middle one.</summary>
    public double Median => Quantile(0.5);

    /// <summary>A quarter of the times is below it.</summary>
    public double LowerQuartile => Quantile(0.25);

    /// <summary>A quarter of the times is above it.</summary>
    public double UpperQuartile => Quantile(0.75);

    /// <summary>The shortest.</summary>
    public double Best => _sorted[0];

    /// <summary>Half the distance of the quartiles, as a share of the median.</summary>
    public double Spread => Median > 0 ? (UpperQuartile - LowerQuartile) / 2 / Median : 0;

    /// <summary>
    /// Standard error of the median: 1.2533 σ / √n, with σ from the quartiles (their distance is 1.349 σ of a normal distribution), so
    /// that a few
    /// outliers do not count.
    /// </summary>
    public double MedianError => 1.2533 * (UpperQuartile - LowerQuartile) / 1.349 / Math.Sqrt(_sorted.Length);

    // Between the two nearest, as most tools do.
    private double Quantile(double share)
    {
        var at = share * (_sorted.Length - 1);
        var below = (int)at;
        var above = Math.Min(below + 1, _sorted.Length - 1);
        return _sorted[below] + ((at - below) * (_sorted[above] - _sorted[below]));
    }
}
