using System.Text.RegularExpressions;

namespace Ingot.Bindings.Generator;

/// <summary>C doc comments as XML documentation.</summary>
internal static partial class DocComment
{
    /// <summary>The doc comment that ends right before <paramref name="declaration"/>: macros have none in CppSharp's tree.</summary>
    public static string? Before(string source, string declaration)
    {
        string before = source[..source.IndexOf(declaration, StringComparison.Ordinal)].TrimEnd();
        return before.EndsWith("*/", StringComparison.Ordinal) ? before[before.LastIndexOf("/*", StringComparison.Ordinal)..] : null;
    }

    /// <summary>The comment's text as a summary, one string a line; empty where there is none.</summary>
    public static IReadOnlyList<string> ToXml(string? comment)
    {
        if (comment is null)
        {
            return [];
        }

        string text = Code().Replace(Escape(Decoration().Replace(comment, "").Trim()), "<c>$1</c>");
        string[] lines = [.. text.Split('\n').Select(line => line.Trim())];
        return lines.Length == 1 ? [$"<summary>{lines[0]}</summary>"] : ["<summary>", .. lines, "</summary>"];
    }

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");

    [GeneratedRegex(@"^\s*/\*\*|\s*\*/\s*\z|^[ \t]*\* ?", RegexOptions.Multiline)]
    private static partial Regex Decoration();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
