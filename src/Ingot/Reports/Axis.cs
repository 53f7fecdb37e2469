using System.Globalization;

namespace Ingot.Reports;

/// <summary>A linear axis: a range that contains the data, and round numbers at which to mark it.</summary>
internal sealed class Axis
{
    private readonly double _from;
    private readonly double _to;
    private readonly double _step;

    private Axis(double from, double to, double step) => (_from, _to, _step) = (from, to, step);

    /// <summary>An axis from one round number to another around the data.</summary>
    public static Axis Around(double lowest, double highest, int ticks)
    {
        if (highest <= lowest)
        {
            // One value only: some air around it.
            var air = lowest == 0 ? 1 : Math.Abs(lowest) * 0.1;
            (lowest, highest) = (lowest - air, highest + air);
        }

        var step = RoundStep((highest - lowest) / ticks);
        return new Axis(Math.Floor((lowest / step) + 1e-9) * step, Math.Ceiling((highest / step) - 1e-9) * step, step);
    }

    /// <summary>An axis of steps: from the first to the last, or from 0 when the first is near it.</summary>
    public static Axis OfSteps(double first, double last, int ticks)
    {
        first = first <= 0.1 * last ? 0 : first;
        return last > first ? new Axis(first, last, Math.Ceiling(RoundStep((last - first) / ticks))) : new Axis(first - 1, first + 1, 1);
    }

    /// <summary>Where a value lies: 0 at the axis's start, 1 at its end.</summary>
    public double Position(double value) => (value - _from) / (_to - _from);

    /// <summary>The values to mark, with their texts.</summary>
    public IEnumerable<(double Value, string Text)> Ticks()
    {
        for (var i = Math.Ceiling((_from / _step) - 1e-9); i * _step <= _to + (_step * 1e-9); i++)
            yield return (i * _step, Text(i * _step));
    }

    /// <summary>A count in three digits: 810k, 1.54M, 768.</summary>
    public static string Short(double value)
    {
        if (Math.Abs(value) < 1000)
            return value.ToString("0.##", CultureInfo.InvariantCulture);
        var unit = Math.Min((int)Math.Floor(Math.Log10(Math.Abs(value)) / 3), 4);
        var scaled = value / Math.Pow(1000, unit);
        return scaled.ToString(scaled >= 100 ? "0" : scaled >= 10 ? "0.#" : "0.##", CultureInfo.InvariantCulture) + " kMBT"[unit];
    }

    /// <summary>A value in few characters: 2.5M, 15k, 0.25, 6e-4.</summary>
    public static string Compact(double value)
    {
        var magnitude = Math.Abs(value);
        var (scaled, suffix) = magnitude switch
        {
            >= 1e12 => (value / 1e12, "T"),
            >= 1e9 => (value / 1e9, "B"),
            >= 1e6 => (value / 1e6, "M"),
            >= 1e4 => (value / 1e3, "k"),
            _ => (value, ""),
        };
        if (magnitude is > 0 and < 1e-3)
        {
            var exponent = (int)Math.Floor(Math.Log10(magnitude) + 1e-9);
            return string.Create(CultureInfo.InvariantCulture, $"{value / Math.Pow(10, exponent):0.##}e{exponent}");
        }

        var digits = suffix.Length == 0 && magnitude >= 1000 ? "#,##0.#" : magnitude < 0.1 ? "0.#####" : "0.###";
        return scaled.ToString(digits, CultureInfo.InvariantCulture) + suffix;
    }

    private static double RoundStep(double raw)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        return power * (raw / power) switch { <= 1 => 1, <= 2 => 2, <= 2.5 => 2.5, <= 5 => 5, _ => 10 };
    }

    private static string Text(double value) => Compact(Math.Abs(value) < 1e-15 ? 0 : value);
}
