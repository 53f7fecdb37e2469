namespace Ingot.Training;

/// <summary>
/// Knows what losses and gradient norms are usual: exponential averages of their values and squares. A value so many standard
/// deviations above the average is an outlier.
/// </summary>
public sealed class OutlierGuard
{
    /// <summary>Steps that an average looks back, and that must have passed before anything is called an outlier.</summary>
    private const int Window = 128;

    /// <summary>Steps seen.</summary>
    public long Steps { get; set; }

    /// <summary>Averages of loss, squared loss, norm and squared norm.</summary>
    public double[] Averages { get; set; } = new double[4];

    /// <summary>Takes note of a step that was applied.</summary>
    public void Add(double loss, double norm)
    {
        Steps++;
        // While few steps have been seen, a plain average.
        var weight = 1.0 / Math.Min(Steps, Window);
        ReadOnlySpan<double> values = [loss, loss * loss, norm, norm * norm];
        for (var i = 0; i < values.Length; i++)
            Averages[i] += weight * (values[i] - Averages[i]);
    }

    /// <summary>Loss and norm above which a step is an outlier; infinity while too little is known, or with zScore 0.</summary>
    public (double Loss, double Norm) Limits(double zScore)
    {
        if (zScore <= 0 || Steps < Window)
            return (double.PositiveInfinity, double.PositiveInfinity);
        double Limit(int i) => Averages[i] + (zScore * Math.Sqrt(Math.Max(0, Averages[i + 1] - (Averages[i] * Averages[i]))));
        return (Limit(0), Limit(2));
    }
}
