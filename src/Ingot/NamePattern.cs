using System.Text.RegularExpressions;

namespace Ingot;

/// <summary>
/// A pattern of names of parameters or layers. It is a part of a name between dots, or several in a row, in which * stands for any
/// characters and ? for one: "wte", "h.0", "ln_*", "h.?.attn". Between slashes it is a regular expression that is looked for anywhere in
/// the name: "/h\.[0-5]\./". Case does not count.
/// </summary>
public sealed class NamePattern
{
    private readonly Regex _regex;

    private NamePattern(string text, string regex)
    {
        Text = text;
        // In time linear in the name's length, whatever the expression.
        _regex = new Regex(regex, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.IgnoreCase);
    }

    /// <summary>The pattern as it was given.</summary>
    public string Text { get; }

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="FormatException">It is empty, or no regular expression; the message says what is wrong.</exception>
    public static NamePattern Parse(string text)
    {
        if (string.IsNullOrWhiteSpace(text))
            throw new FormatException("an empty pattern matches nothing");
        if (text is not ['/', .., '/'] || text.Length < 3)
        {
            var glob = Regex.Escape(text).Replace(@"\*", ".*", StringComparison.Ordinal).Replace(@"\?", ".", StringComparison.Ordinal);
            return new NamePattern(text, $@"(?:^|\.)(?:{glob})(?:\.|$)");
        }

        try
        {
            return new NamePattern(text, text[1..^1]);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>Whether it matches a name.</summary>
    public bool Matches(string name) => _regex.IsMatch(name);

    /// <inheritdoc/>
    public override string ToString() => Text;
}
