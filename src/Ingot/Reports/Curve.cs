namespace Ingot.Reports;

/// <summary>
/// A series of points reduced while it is read to what a screen can show: at most <see cref="Capacity"/> buckets of neighbouring points,
/// each with its lowest, highest and mean value. Memory does not grow with the series, and no spike is lost.
/// </summary>
internal sealed class Curve
{
    /// <summary>More than a plot has pixels across.</summary>
    public const int Capacity = 1024;

    private readonly List<Bucket> _buckets = new(Capacity);
    private int _bucketSize = 1;

    /// <summary>Neighbouring points: how many were finite, over which steps, and their lowest, highest and summed value.</summary>
    public readonly record struct Bucket(int Points, int Finite, double FirstX, double LastX, double Minimum, double Maximum, double Sum)
    {
        /// <summary>Middle of its steps.</summary>
        public double X => (FirstX + LastX) / 2;

        /// <summary>Mean of its finite values; NaN when it has none.</summary>
        public double Mean => Finite == 0 ? double.NaN : Sum / Finite;

        public static Bucket Of(double x, double y) =>
            double.IsFinite(y) ? new(1, 1, x, x, y, y, y) : new(1, 0, x, x, double.NaN, double.NaN, 0);

        public Bucket With(Bucket next) => new(
            Points + next.Points,
            Finite + next.Finite,
            FirstX,
            next.LastX,
            Lower(Minimum, next.Minimum),
            -Lower(-Maximum, -next.Maximum),
            Sum + next.Sum);

        private static double Lower(double a, double b) => double.IsNaN(a) || b < a ? b : a;
    }

    /// <summary>The buckets by rising step.</summary>
    public IReadOnlyList<Bucket> Buckets => _buckets;

    /// <summary>Points added, finite or not.</summary>
    public long Count { get; private set; }

    /// <summary>Whether there is anything to draw.</summary>
    public bool IsEmpty => _buckets.TrueForAll(bucket => bucket.Finite == 0);

    /// <summary>Whether several points share a bucket.</summary>
    public bool IsReduced => _bucketSize > 1;

    /// <summary>Adds a point; one that is not finite makes a gap.</summary>
    public void Add(double x, double y)
    {
        Count++;
        var point = Bucket.Of(x, y);
        if (_buckets.Count > 0 && _buckets[^1].Points < _bucketSize)
        {
            _buckets[^1] = _buckets[^1].With(point);
            return;
        }

        if (_buckets.Count == Capacity)
        {
            for (var i = 0; i < Capacity / 2; i++)
                _buckets[i] = _buckets[2 * i].With(_buckets[(2 * i) + 1]);
            _buckets.RemoveRange(Capacity / 2, Capacity / 2);
            _bucketSize *= 2;
        }

        _buckets.Add(point);
    }

    /// <summary>
    /// The means, smoothed: at each point a straight line is fitted to its neighbours with weights that fall off to both sides. That
    /// neither lags behind the curve as a running mean does nor bends its ends. Single outliers are left out, gaps are bridged.
    /// </summary>
    /// <param name="share">Standard deviation of the weights as a share of the curve's length.</param>
    public IEnumerable<(double X, double Y)> Smooth(double share)
    {
        var points = _buckets.Where(bucket => bucket.Finite > 0).ToArray();
        var values = WithoutOutliers(Array.ConvertAll(points, bucket => bucket.Mean));
        var deviation = Math.Max(share * points.Length, 0.5);
        var reach = (int)Math.Ceiling(3 * deviation);
        for (var i = 0; i < points.Length; i++)
        {
            double weights = 0, first = 0, second = 0, sum = 0, slope = 0;
            for (var j = Math.Max(0, i - reach); j <= Math.Min(points.Length - 1, i + reach); j++)
            {
                var distance = j - i;
                var weight = Math.Exp(-0.5 * distance * distance / (deviation * deviation));
                weights += weight;
                first += weight * distance;
                second += weight * distance * distance;
                sum += weight * values[j];
                slope += weight * distance * values[j];
            }

            var determinant = (weights * second) - (first * first);
            yield return (points[i].X, determinant > 0 ? ((second * sum) - (first * slope)) / determinant : values[i]);
        }
    }

    /// <summary>Medians of three, with Tukey's rule at the ends: there the third value is extrapolated from the next two.</summary>
    private static double[] WithoutOutliers(double[] values)
    {
        if (values.Length < 3)
            return values;
        var medians = new double[values.Length];
        for (var i = 1; i < values.Length - 1; i++)
            medians[i] = Median(values[i - 1], values[i], values[i + 1]);
        medians[0] = Median(values[0], medians[1], (3 * medians[1]) - (2 * medians[Math.Min(2, values.Length - 2)]));
        medians[^1] = Median(values[^1], medians[^2], (3 * medians[^2]) - (2 * medians[Math.Max(values.Length - 3, 1)]));
        return medians;
    }

    private static double Median(double a, double b, double c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
}
