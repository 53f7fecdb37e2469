using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Data.Preparation;

namespace Ingot.Reports;

/// <summary>A preparation of data on one page: what came in and what is left, what each rule did, with examples, and how long documents
/// are.</summary>
internal static class PreparationPage
{
    private const int MostFiles = 200;

    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The page. It is the same for the same report.</summary>
    public static string Make(PreparationReport report)
    {
        var page = HtmlReport.Begin("Prepared data");
        var tokens = report.Splits.Values.All(split => split.Tokens is not null) && report.Splits.Count > 0
            ? report.Splits.Values.Sum(split => split.Tokens) : null;
        page.Append("<header><h1>Prepared data</h1><p>").Append(CultureInfo.InvariantCulture,
            $"{HtmlReport.Number(report.Files.Count)} {(report.Files.Count == 1 ? "file" : "files")}, {HtmlReport.Number(report.Records)} "
            + $"records</p></header>\n");
        page.Append("<section class=tiles>\n");
        HtmlReport.Tile(page, "Documents", HtmlReport.Number(report.Documents), $"of {HtmlReport.Number(report.Records)} records");
        HtmlReport.Tile(page, "Text", Size(report.Bytes), $"of {Size(report.RecordBytes)} read");
        HtmlReport.Tile(page, "Words", Axis.Short(report.Splits.Values.Sum(split => split.Words)), "");
        if (tokens is { } count)
            HtmlReport.Tile(page, "Tokens", Axis.Short(count), HtmlReport.Number(count));
        HtmlReport.Tile(page, "Removed", Share(report.Records - report.Documents, report.Records), "of the records");
        page.Append("</section>\n");
        Parts(page, report);
        Rules(page, report);
        Examples(page, report);
        page.Append("<div class=tables>\n");
        HtmlReport.Table(page, "Languages, guessed",
            [.. report.Languages.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => KeyValuePair.Create(pair.Key, $"{HtmlReport.Number(pair.Value)} ({Share(pair.Value, report.Documents)})"))]);
        HtmlReport.Table(page, "Options", [.. report.Options.EnumerateObject().Where(option => option.Value.ValueKind != JsonValueKind.Null)
            .Select(option => KeyValuePair.Create(option.Name, Written(option.Value)))]);
        HtmlReport.Table(page, report.Files.Count > MostFiles ? $"Files: the first {MostFiles}" : "Files", [.. report.Files.Take(MostFiles)
            .Select(file => KeyValuePair.Create(file.Path, $"{HtmlReport.Number(file.Kept)} of {HtmlReport.Number(file.Records)} kept"))]);
        page.Append("</div>\n");
        return HtmlReport.End(page);
    }

    private static void Parts(StringBuilder page, PreparationReport report)
    {
        foreach (var (name, split) in report.Splits)
        {
            var unit = split.Tokens is null ? "words" : "tokens";
            var mean = (split.Tokens ?? split.Words) / (double)Math.Max(1, split.Documents);
            page.Append(CultureInfo.InvariantCulture, $"<section class=samples><h2>{HtmlReport.Escape(name)}</h2><article><p class=note>");
            page.Append(CultureInfo.InvariantCulture, $"{HtmlReport.Number(split.Documents)} documents, {Size(split.Bytes)}, ");
            page.Append(CultureInfo.InvariantCulture,
                $"{HtmlReport.Number(split.Characters)} characters, {HtmlReport.Number(split.Words)} words");
            if (split.Tokens is { } tokens)
            {
                page.Append(CultureInfo.InvariantCulture,
                    $", {HtmlReport.Number(tokens)} tokens ({split.Bytes / (double)Math.Max(1, tokens):0.00} bytes a token)");
            }

            page.Append(CultureInfo.InvariantCulture, $"; {mean:#,0} {unit} a document, the longest {HtmlReport.Number(split.Longest)}; ");
            page.Append(CultureInfo.InvariantCulture,
                $"{split.Shards.Count} {(split.Shards.Count == 1 ? "shard" : "shards")}</p><table>\n");
            var most = Math.Max(1, split.Lengths.DefaultIfEmpty().Max());
            for (var i = 0; i < split.Lengths.Count; i++)
            {
                var range = i == 0 ? $"up to 1 {unit}" : $"{HtmlReport.Number(1L << i)} to {HtmlReport.Number((1L << (i + 1)) - 1)}";
                page.Append(CultureInfo.InvariantCulture, $"<tr><th>{range}</th><td>{HtmlReport.Number(split.Lengths[i])}</td>");
                page.Append(CultureInfo.InvariantCulture, $"<td><svg viewBox=\"0 0 400 10\" width=400 height=10 preserveAspectRatio=none>");
                page.Append(CultureInfo.InvariantCulture,
                    $"<rect width={400.0 * split.Lengths[i] / most:0.#} height=10 fill=\"#2563eb\" /></svg></td></tr>\n");
            }

            page.Append("</table></article></section>\n");
        }
    }

    private static void Rules(StringBuilder page, PreparationReport report)
    {
        page.Append("<section class=samples><h2>Rules</h2><article><table>\n<tr><th>rule</th><th>set to</th><th>documents removed</th>");
        page.Append("<th>lines removed</th><th>documents changed</th><th>places</th><th>what it is about</th></tr>\n");
        foreach (var rule in report.Rules.Where(rule => rule.Setting != "off"))
        {
            var tally = rule.Tally;
            page.Append(CultureInfo.InvariantCulture,
                $"<tr><td>{HtmlReport.Escape(rule.Name)}</td><td>{HtmlReport.Escape(rule.Setting)}</td>");
            foreach (var number in new[] { tally.DocumentsRemoved, tally.LinesRemoved, tally.DocumentsChanged, tally.Places })
                page.Append(CultureInfo.InvariantCulture, $"<td>{(number == 0 ? "–" : HtmlReport.Number(number))}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td>{HtmlReport.Escape(rule.Summary)}</td></tr>\n");
        }

        var off = string.Join(", ", report.Rules.Where(rule => rule.Setting == "off").Select(rule => rule.Name));
        page.Append(CultureInfo.InvariantCulture,
            $"</table>{(off.Length > 0 ? $"<p class=note>Off: {HtmlReport.Escape(off)}</p>" : "")}</article></section>\n");
    }

    private static void Examples(StringBuilder page, PreparationReport report)
    {
        foreach (var rule in report.Rules.Where(rule => rule.Tally.Examples.Count > 0))
        {
            page.Append(CultureInfo.InvariantCulture, $"<section class=samples><h2>{HtmlReport.Escape(rule.Name)}: examples</h2>\n");
            foreach (var example in rule.Tally.Examples)
            {
                page.Append(CultureInfo.InvariantCulture, $"<article><h3>{HtmlReport.Escape(example.Place)}");
                if (example.Measured is { } measured)
                    page.Append(CultureInfo.InvariantCulture, $" · {HtmlReport.Escape(measured)}");
                page.Append(CultureInfo.InvariantCulture, $"</h3><pre>{HtmlReport.Escape(example.Before)}</pre>");
                if (example.After is { } after)
                    page.Append(CultureInfo.InvariantCulture, $"<pre><mark>became</mark>\n{HtmlReport.Escape(after)}</pre>");
                page.Append("</article>\n");
            }

            page.Append("</section>\n");
        }
    }

    // Without the white space that a value read from a file has.
    private static string Written(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : JsonSerializer.Serialize(value, Compact);

    private static string Share(long part, long whole) =>
        whole == 0 ? "–" : (100.0 * part / whole).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Size(long bytes) => bytes switch
    {
        >= 1_000_000_000 => (bytes / 1e9).ToString("0.00", CultureInfo.InvariantCulture) + " GB",
        >= 1_000_000 => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " MB",
        _ => HtmlReport.Number(bytes) + " bytes",
    };
}
