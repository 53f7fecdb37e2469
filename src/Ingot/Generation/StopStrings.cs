namespace Ingot.Generation;

/// <summary>
/// Ends a text that comes in pieces before the first of some strings. What may be the beginning of one is held back until it is clear
/// that it is not, so the result does not depend on where the pieces are cut.
/// </summary>
internal sealed class StopStrings(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>Whether a stop string has come: the text is at its end.</summary>
    public bool Found { get; private set; }

    /// <summary>The text that is now known to come before any stop string.</summary>
    public string Append(string piece)
    {
        var text = _held + piece;
        var start = Find(text);
        Found = start >= 0;
        var shown = Found ? start : text.Length - Undecided(text);
        _held = Found ? "" : text[shown..];
        return text[..shown];
    }

    /// <summary>What was held back, at the end of the text.</summary>
    public string Finish() => _held;

    /// <summary>Where the stop string begins that is complete first, the longest of several; -1 if there is none.</summary>
    private int Find(string text)
    {
        var (start, end) = (-1, int.MaxValue);
        foreach (var stop in stops)
        {
            var at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (at + stop.Length, at).CompareTo((end, start)) < 0)
                (start, end) = (at, at + stop.Length);
        }

        return start;
    }

    /// <summary>Length of the longest end of the text with which a stop string begins.</summary>
    private int Undecided(string text)
    {
        for (var from = Math.Max(0, text.Length - stops.Max(stop => stop.Length) + 1); from < text.Length; from++)
        {
            if (stops.Any(stop => stop.AsSpan().StartsWith(text.AsSpan(from), StringComparison.Ordinal)))
                return text.Length - from;
        }

        return 0;
    }
}
