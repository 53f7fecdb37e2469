using System.Globalization;

namespace Ingot.Training;

/// <summary>Labels of a classifier in their order.</summary>
internal static class LabelNames
{
    private const int MostShown = 10;

    /// <summary>Labels of data by id: whole numbers by size, others by their characters.</summary>
    public static IReadOnlyList<string> Ordered(IEnumerable<string> labels)
    {
        var all = labels.Distinct(StringComparer.Ordinal).ToList();
        return all.TrueForAll(label => long.TryParse(label, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _))
            ? [.. all.OrderBy(label => long.Parse(label, CultureInfo.InvariantCulture))]
            : [.. all.Order(StringComparer.Ordinal)];
    }

    /// <summary>The first of them, for messages.</summary>
    public static string Shown(IReadOnlyCollection<string> labels) =>
        string.Join(", ", labels.Take(MostShown)) + (labels.Count > MostShown ? $" and {labels.Count - MostShown:N0} more" : "");
}
