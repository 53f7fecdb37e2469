using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ingot.Checkpoints;
using Ingot.Reports;

namespace Ingot.Explain;

/// <summary>
/// An explanation on one page, in one file that asks for nothing from the network: attributed tokens, the logit lens, the alignment with a
/// source, and attention by layer and head. Its script is its own, and the page's policy lets no other run.
/// </summary>
public static class ExplanationPage
{
    /// <summary>Writes the page; never half of it.</summary>
    public static void Write(string path, Explanation explanation)
    {
        var page = Make(explanation);
        DurableFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
    }

    internal static string Make(Explanation explanation)
    {
        var script = Resource("explain.js");
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
        var page = HtmlReport.Begin($"{explanation.Model} explained", "\n" + Resource("explain.css"), $"'sha256-{hash}'");
        page.Append(CultureInfo.InvariantCulture, $"<header><h1>Inside {HtmlReport.Escape(explanation.Model)}</h1><p>"
            + $"{HtmlReport.Escape(explanation.ModelType)} · {explanation.Task} · {explanation.Precision}</p></header>\n");
        page.Append("<section class=tiles>\n");
        if (explanation.Source is { } source)
            HtmlReport.Tile(page, "Source", HtmlReport.Number(source.Count), "tokens");
        HtmlReport.Tile(page, "Text", HtmlReport.Number(explanation.Tokens.Count), "tokens");
        HtmlReport.Tile(page, "Layers", HtmlReport.Number(explanation.Attention.Select(map => map.Layer).Distinct().Count()),
            "whose attention is here");
        HtmlReport.Tile(page, "Heads", HtmlReport.Number(explanation.Attention.Select(map => map.Heads).FirstOrDefault()), "in a layer");
        page.Append("</section>\n");
        if (explanation.Note is { } note)
            page.Append(CultureInfo.InvariantCulture, $"<p class=note>{HtmlReport.Escape(note)}</p>\n");
        page.Append("<noscript><p class=note>The page draws with a script of its own, which this browser does not run.</p></noscript>\n");
        page.Append("<div id=explanation></div>\n<script type=\"application/json\" id=data>");
        using (var data = new MemoryStream())
        {
            // The writer escapes "<" in texts, so that none of them can end the element.
            ExplanationJson.Write(data, explanation, packed: true);
            page.Append(Encoding.UTF8.GetString(data.GetBuffer(), 0, (int)data.Length));
        }

        page.Append("</script>\n<script>").Append(script).Append("</script>\n");
        return HtmlReport.End(page);
    }

    private static string Resource(string name)
    {
        using var stream = typeof(ExplanationPage).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
