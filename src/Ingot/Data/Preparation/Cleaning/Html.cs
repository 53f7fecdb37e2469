using System.Buffers;
using System.Collections.Frozen;
using System.Net;
using System.Text;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// Remnants of HTML. Only tags whose names HTML knows go, so that List&lt;T&gt; and a &lt; b stay; those that end a block become a line
/// end, and scripts, styles and comments go with what is in them. Entities become the characters that they name.
/// </summary>
internal static class Html
{
    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Blocks = Names(
        "address article aside blockquote br center dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li "
        + "main nav ol option p pre section table tbody tfoot thead title tr ul");

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Inline = Names(
        "a abbr acronym b base big body button caption cite code col colgroup del em embed font frame frameset head html i iframe img "
        + "input ins kbd label legend link map meta noscript object param picture q s samp script select small source span strike strong "
        + "style sub sup svg path td textarea th time tt u var video wbr");

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> WithContent = Names("script style noscript svg");
    private static readonly SearchValues<char> TagEnds = SearchValues.Create("<>");

    // A tag is no longer than this; a '<' before more than that is something else.
    private const int LongestTag = 4096;

    /// <summary>Removes tags; counts them.</summary>
    public static string RemoveTags(string text, ref long count)
    {
        StringBuilder? cleaned = null;
        var done = 0;
        for (var at = text.IndexOf('<', StringComparison.Ordinal); at >= 0; at = text.IndexOf('<', at))
        {
            var rest = text.AsSpan(at);
            if (FindTag(rest, out var name, out var isBlock) is var length and > 0)
            {
                if (rest[1] != '/' && WithContent.Contains(name))
                    length = EndOfContent(rest, name, length);
                cleaned ??= new StringBuilder(text.Length);
                cleaned.Append(text, done, at - done);
                if (isBlock)
                    cleaned.Append('\n');
                at += length;
                done = at;
                count++;
            }
            else
            {
                at++;
            }

            if (at >= text.Length)
                break;
        }

        return cleaned is null ? text : cleaned.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>Replaces entities by the characters that they name; counts them.</summary>
    public static string DecodeEntities(string text, ref long count)
    {
        StringBuilder? decoded = null;
        var done = 0;
        for (var at = text.IndexOf('&', StringComparison.Ordinal); at >= 0; at = at + 1 < text.Length ? text.IndexOf('&', at + 1) : -1)
        {
            // &name; &#1234; &#x12ab; only: without the semicolon it may be anything.
            var rest = text.AsSpan(at, Math.Min(12, text.Length - at));
            var end = rest.IndexOf(';');
            if (end < 3 || rest[1..end].ContainsAnyExcept(EntityCharacters))
                continue;
            var entity = rest[..(end + 1)].ToString();
            var character = WebUtility.HtmlDecode(entity);
            if (character == entity)
                continue;
            decoded ??= new StringBuilder(text.Length);
            decoded.Append(text, done, at - done).Append(character);
            done = at + entity.Length;
            at = done - 1;
            count++;
        }

        return decoded is null ? text : decoded.Append(text, done, text.Length - done).ToString();
    }

    private static readonly SearchValues<char> EntityCharacters =
        SearchValues.Create("#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    // Length of the tag or comment at the beginning of the text; 0 if there is none.
    private static int FindTag(ReadOnlySpan<char> text, out ReadOnlySpan<char> name, out bool isBlock)
    {
        name = default;
        isBlock = false;
        if (text.StartsWith("<!--"))
        {
            var end = text.IndexOf("-->");
            return end < 0 ? 0 : end + 3;
        }

        var start = text.Length > 1 && text[1] == '/' ? 2 : 1;
        if (text.StartsWith("<!DOCTYPE", StringComparison.OrdinalIgnoreCase))
        {
            name = "html";
        }
        else
        {
            var length = start;
            while (length < text.Length && length < 16 && char.IsAsciiLetterOrDigit(text[length]))
                length++;
            name = text[start..length];
            isBlock = Blocks.Contains(name);
            if (!isBlock && !Inline.Contains(name))
                return 0;
            // After the name: attributes, "/", or the end.
            if (length == text.Length || !(char.IsWhiteSpace(text[length]) || text[length] is '/' or '>'))
                return 0;
        }

        var close = text[1..Math.Min(text.Length, LongestTag)].IndexOfAny(TagEnds);
        return close >= 0 && text[close + 1] == '>' ? close + 2 : 0;
    }

    private static int EndOfContent(ReadOnlySpan<char> text, ReadOnlySpan<char> name, int tag)
    {
        var end = text[tag..].IndexOf($"</{name}", StringComparison.OrdinalIgnoreCase);
        if (end < 0)
            return tag;
        var close = text[(tag + end)..].IndexOf('>');
        return close < 0 ? tag : tag + end + close + 1;
    }

    private static FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Names(string names) =>
        names.Split(' ').ToFrozenSet(StringComparer.OrdinalIgnoreCase).GetAlternateLookup<ReadOnlySpan<char>>();
}
