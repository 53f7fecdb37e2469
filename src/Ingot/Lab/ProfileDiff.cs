namespace Ingot.Lab;

/// <summary>What became of an entry from one profile to another.</summary>
public enum Verdict
{
    /// <summary>The difference is within the noise.</summary>
    Same,

    /// <summary>It takes less time, beyond the noise.</summary>
    Faster,

    /// <summary>It takes more time, beyond the noise.</summary>
    Slower,

    /// <summary>Only the second profile has it.</summary>
    Added,

    /// <summary>Only the first profile has it.</summary>
    Removed,
}

/// <summary>An entry in two profiles.</summary>
/// <param name="Group">Its group.</param>
/// <param name="Name">Its name.</param>
/// <param name="Before">Median in the first profile, in seconds; null if it is not there.</param>
/// <param name="After">Median in the second.</param>
/// <param name="Noise">What the difference of the medians may be by chance, in seconds.</param>
/// <param name="Verdict">What became of it.</param>
public sealed record EntryDiff(string Group, string Name, double? Before, double? After, double Noise, Verdict Verdict)
{
    /// <summary>Difference of the medians, in seconds; what is absent counts as 0.</summary>
    public double Difference => (After ?? 0) - (Before ?? 0);
}

/// <summary>
/// Compares two profiles entry by entry. A difference of medians is beyond noise if it is more than three standard errors of that
/// difference (<see cref="Samples.MedianError"/>), more than 2 % of the time, which clocks and caches change from one process to the
/// next, and more than a microsecond, which a clock cannot be trusted with.
/// </summary>
public static class ProfileDiff
{
    private const double Errors = 3, Share = 0.02, Clock = 1e-6;

    /// <summary>The entries of both, largest difference first.</summary>
    public static IReadOnlyList<EntryDiff> Compare(ProfileFile before, ProfileFile after)
    {
        var first = before.Entries.ToLookup(Key);
        var second = after.Entries.ToLookup(Key);
        return [.. before.Entries.Concat(after.Entries).Select(Key).Distinct()
            .Select(key => Compare(key, first[key].FirstOrDefault()?.ToSamples(), second[key].FirstOrDefault()?.ToSamples()))
            .OrderByDescending(entry => Math.Abs(entry.Difference))];
    }

    private static (string Group, string Name) Key(ProfileEntry entry) => (entry.Group, entry.Name);

    private static EntryDiff Compare((string Group, string Name) key, Samples? before, Samples? after)
    {
        if (before is null || after is null)
            return new EntryDiff(key.Group, key.Name, before?.Median, after?.Median, 0, before is null ? Verdict.Added : Verdict.Removed);
        var errors = Errors * Math.Sqrt(Math.Pow(before.MedianError, 2) + Math.Pow(after.MedianError, 2));
        var noise = Math.Max(errors, Math.Max(Share * before.Median, Clock));
        var difference = after.Median - before.Median;
        var verdict = Math.Abs(difference) <= noise ? Verdict.Same : difference < 0 ? Verdict.Faster : Verdict.Slower;
        return new EntryDiff(key.Group, key.Name, before.Median, after.Median, noise, verdict);
    }
}
