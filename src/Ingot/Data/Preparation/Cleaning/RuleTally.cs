namespace Ingot.Data.Preparation.Cleaning;

/// <summary>An example of what a rule did.</summary>
/// <param name="Place">Where: file and line or row.</param>
/// <param name="Before">What stood there; cut if it is long.</param>
/// <param name="After">What stands there now; null if it was removed.</param>
/// <param name="Measured">What was measured against the limit; null if nothing was.</param>
public sealed record RuleExample(string Place, string Before, string? After, string? Measured)
{
    private const int Longest = 240, Around = 40;

    /// <summary>Cuts a text to the length of an example.</summary>
    internal static string Cut(ReadOnlySpan<char> text) =>
        text.Length <= Longest ? text.ToString() : string.Concat(text[..Whole(text, Longest)], "…");

    /// <summary>An example of a change: what differs first, and a little around it.</summary>
    internal static RuleExample Of(string place, string before, string after)
    {
        var same = before.AsSpan().CommonPrefixLength(after);
        var start = Math.Max(0, same - Around);
        start -= start > 0 && char.IsLowSurrogate(before[start]) ? 1 : 0;
        var ellipsis = start > 0 ? "…" : "";
        return new RuleExample(place, ellipsis + Piece(before, start), ellipsis + Piece(after, start), null);
    }

    private static string Piece(string text, int start)
    {
        var rest = text.AsSpan(Math.Min(start, text.Length));
        return rest.Length <= 3 * Around ? rest.ToString() : string.Concat(rest[..Whole(rest, 3 * Around)], "…");
    }

    private static int Whole(ReadOnlySpan<char> text, int length) => char.IsHighSurrogate(text[length - 1]) ? length - 1 : length;
}

/// <summary>How often a rule did something.</summary>
public sealed class RuleTally
{
    /// <summary>Documents that it removed.</summary>
    public long DocumentsRemoved { get; set; }

    /// <summary>Documents that it changed and left.</summary>
    public long DocumentsChanged { get; set; }

    /// <summary>Lines that it removed.</summary>
    public long LinesRemoved { get; set; }

    /// <summary>Places that it changed: characters, tags, addresses, lines, whatever the rule is about.</summary>
    public long Places { get; set; }

    /// <summary>The first things that it did.</summary>
    public List<RuleExample> Examples { get; init; } = [];

    /// <summary>Adds what was counted elsewhere, later in the input.</summary>
    internal void Add(RuleTally other, int examples)
    {
        DocumentsRemoved += other.DocumentsRemoved;
        DocumentsChanged += other.DocumentsChanged;
        LinesRemoved += other.LinesRemoved;
        Places += other.Places;
        Examples.AddRange(other.Examples.Take(examples - Examples.Count));
    }
}
