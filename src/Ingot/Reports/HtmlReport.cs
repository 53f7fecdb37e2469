using System.Globalization;
using System.Net;
using System.Text;
using Ingot.Checkpoints;
using Ingot.Training;

namespace Ingot.Reports;

/// <summary>
/// Writes <c>report.html</c>: a run on one page, in one file. No scripts and nothing from the network; style and charts are inline, light
/// and dark follow the reader's setting, and it prints. Any number of metric rows makes a page of a few hundred kilobytes.
/// </summary>
public static class HtmlReport
{
    /// <summary>Samples shown; more are thinned out evenly, the first and the last always stay.</summary>
    private const int MaximumSamples = 24;

    /// <summary>Longest text of a sample or a setting.</summary>
    private const int MaximumText = 8_000;

    /// <summary>Writes the page; never half of it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="summary">What to show.</param>
    /// <exception cref="IOException">The disk is full or failed; an older page is intact.</exception>
    public static void Write(string path, RunSummary summary)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(summary);
        var page = Page(summary);
        DurableFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
    }

    internal static string Page(RunSummary summary)
    {
        var page = Begin(summary.Start.RunName);
        Head(page, summary);
        Tiles(page, summary);
        Charts(page, summary);
        Samples(page, summary.Samples);
        page.Append("<div class=tables>\n");
        Table(page, "Model", summary.ModelFacts);
        Table(page, "Configuration", summary.Configuration);
        page.Append("</div>\n");
        Foot(page, summary);
        return End(page);
    }

    /// <summary>A page up to where its content begins.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="style">Style besides that of all pages.</param>
    /// <param name="scripts">Hash of the one script that may run, as a policy names it; empty for none.</param>
    internal static StringBuilder Begin(string title, string style = "", string scripts = "")
    {
        var page = new StringBuilder();
        return page.Append(CultureInfo.InvariantCulture, $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'{(scripts.Length > 0 ? $"; script-src {scripts}" : "")}">
            <title>{Escape(title)} · Ingot</title>
            <style>
            {Style}{style}
            </style>
            </head>
            <body>
            <main>

            """);
    }

    /// <summary>The page, ended.</summary>
    internal static string End(StringBuilder page) => page.Append("</main>\n</body>\n</html>\n").ToString();

    private static void Head(StringBuilder page, RunSummary summary)
    {
        var (start, end) = (summary.Start, summary.End);
        page.Append(CultureInfo.InvariantCulture, $"""
            <header>
            <h1>{Escape(start.RunName)}</h1>
            <p><span class="badge {(end.Completed ? "done" : "stopped")}">{(end.Completed ? "finished" : "stopped")}</span>
            {Escape(end.Reason)} · {Escape(start.Model)} · {Escape(start.Device)}</p>
            </header>

            """);
    }

    private static void Tiles(StringBuilder page, RunSummary summary)
    {
        var (start, end) = (summary.Start, summary.End);
        page.Append("<section class=tiles>\n");
        if (end.EvalLoss is { } evalLoss)
            Tile(
                page,
                "Validation loss",
                evalLoss.ToString("0.0000", CultureInfo.InvariantCulture),
                $"perplexity {Axis.Short(Math.Exp(evalLoss))}");
        if (end.EvalBitsPerByte is { } bits)
            Tile(page, "Bits per byte", bits.ToString("0.000", CultureInfo.InvariantCulture), "validation");
        Tile(
            page,
            "Training loss",
            double.IsFinite(end.Loss) ? end.Loss.ToString("0.0000", CultureInfo.InvariantCulture) : "–",
            "last step");
        Tile(page, "Steps", Number(end.Step), start.TotalSteps > 0 ? $"of {Number(start.TotalSteps)}" : "");
        Tile(page, "Tokens", Axis.Short(end.Tokens), $"{Number(start.TokensPerStep)} a step");
        Tile(page, "Time", Duration(end.Elapsed), "of training");
        Tile(page, "Speed", Number((long)end.TokensPerSecond), "tokens per second");
        Tile(page, "Parameters", Axis.Short(start.Parameters), Number(start.Parameters));
        Tile(page, "Memory", $"{end.PeakResidentBytes / 1e9:0.00} GB", "highest");
        Tile(page, "Precision", start.Precision, "");
        page.Append("</section>\n");
    }

    internal static void Tile(StringBuilder page, string name, string value, string note) => page.Append(
        CultureInfo.InvariantCulture,
        $"<div class=tile><span>{Escape(name)}</span><b>{Escape(value)}</b><small>{Escape(note)}</small></div>\n");

    private static void Charts(StringBuilder page, RunSummary summary)
    {
        Curve loss = new(), evalLoss = new(), learningRate = new(), gradNorm = new(), speed = new();
        var scores = new Dictionary<string, Curve>();
        long skipped = 0;
        foreach (var row in summary.Metrics)
        {
            loss.Add(row.Step, row.Loss);
            learningRate.Add(row.Step, row.LearningRate);
            gradNorm.Add(row.Step, row.GradNorm);
            speed.Add(row.Step, row.TokensPerSecond);
            if (row.EvalLoss is { } value)
                evalLoss.Add(row.Step, value);
            foreach (var (metric, score) in row.EvalScores ?? new Dictionary<string, double>())
            {
                if (!scores.TryGetValue(metric, out var curve))
                    scores.Add(metric, curve = new Curve());
                curve.Add(row.Step, score);
            }

            skipped += row.Skipped == true ? 1 : 0;
        }

        var note = skipped == 0 ? ""
            : $"{Number(skipped)} logged {(skipped == 1 ? "step was" : "steps were")} skipped: loss or gradient not finite, or an outlier.";
        const double Smoothing = 0.012;
        page.Append("<section class=charts>\n<div class=wide>\n");
        page.Append(SvgChart.Figure(
            new("Loss", "nats per token", loss, "training, smoothed", Smoothing, evalLoss, "validation", Note: note),
            1000,
            360));
        page.Append("</div>\n");
        foreach (var (metric, curve) in scores)
            page.Append(SvgChart.Figure(new(metric, "of what the model writes", curve, "", 0), 330, 215));
        page.Append(SvgChart.Figure(new("Learning rate", "", learningRate, "", 0, FromZero: true), 330, 215));
        page.Append(SvgChart.Figure(new("Gradient norm", "before clipping", gradNorm, "", Smoothing, FromZero: true), 330, 215));
        page.Append(SvgChart.Figure(new("Speed", "tokens per second", speed, "", Smoothing, FromZero: true), 330, 215));
        page.Append("</section>\n");
    }

    private static void Samples(StringBuilder page, IReadOnlyList<SampleReport> samples)
    {
        if (samples.Count == 0)
            return;
        page.Append("<section class=samples>\n<h2>Samples</h2>\n");
        var shown = Math.Min(samples.Count, MaximumSamples);
        if (shown < samples.Count)
            page.Append(
                CultureInfo.InvariantCulture,
                $"<p class=note>{Number(shown)} of {Number(samples.Count)}; samples.jsonl has all.</p>\n");
        for (var i = 0; i < shown; i++)
        {
            var sample = samples[shown == 1 ? 0 : (int)((long)i * (samples.Count - 1) / (shown - 1))];
            page.Append(CultureInfo.InvariantCulture, $"<article><h3>step {Number(sample.Step)}</h3><pre>");
            // A prompt of white space alone, a line feed say, is nothing to see.
            var prompt = sample.Prompt.Trim().Length > 0 ? sample.Prompt : "";
            if (prompt.Length > 0)
                page.Append("<mark>").Append(Escape(prompt)).Append(sample.IsAnswer ? "</mark> → " : "</mark>");
            page.Append(Escape(prompt.Length > 0 ? sample.Text : sample.Text.TrimStart())).Append("</pre></article>\n");
        }

        page.Append("</section>\n");
    }

    internal static void Table(StringBuilder page, string title, IReadOnlyList<KeyValuePair<string, string>> rows)
    {
        if (rows.Count == 0)
            return;
        page.Append(CultureInfo.InvariantCulture, $"<section><h2>{Escape(title)}</h2>\n<table>\n");
        foreach (var (name, value) in rows)
            page.Append(CultureInfo.InvariantCulture, $"<tr><th>{Escape(name)}</th><td>{Escape(value)}</td></tr>\n");
        page.Append("</table></section>\n");
    }

    private static void Foot(StringBuilder page, RunSummary summary)
    {
        var facts = summary.Environment.Select(pair => $"{Escape(pair.Key)} {Escape(pair.Value)}");
        page.Append("<footer>").AppendJoin(
            " · ",
            facts.Prepend(summary.Written.ToString("yyyy-MM-dd HH:mm zzz", CultureInfo.InvariantCulture)));
        page.Append("</footer>\n");
    }

    internal static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Duration(TimeSpan time) => time.TotalMinutes < 1
        ? $"{time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s"
        : time.TotalHours < 1 ? $"{time.Minutes} min {time.Seconds:00} s" : $"{(long)time.TotalHours} h {time.Minutes:00} min";

    /// <summary>Text as HTML: escaped, control characters replaced, endless text cut.</summary>
    internal static string Escape(string text)
    {
        if (text.Length > MaximumText)
            text = text[..MaximumText] + "…";
        var visible = string.Create(text.Length, text, (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = source[i] < ' ' && source[i] is not ('\n' or '\t') ? '\ufffd' : source[i];
        });
        return WebUtility.HtmlEncode(visible);
    }

    private const string Style = """
        :root{--page:#f6f7f9;--card:#fff;--text:#1c2330;--muted:#667085;--line:#e4e7ec;--main:#2563eb;--points:#d9480f;
        --good:#067647;--goodback:#dcfae6;
        --warn:#b54708;--warnback:#fef0c7;--mark:#dbe7ff}
        @media (prefers-color-scheme:dark){:root{--page:#12151b;--card:#1b2029;--text:#e6e9ef;--muted:#98a2b3;--line:#2d3440;--main:#6ea0ff;
        --points:#ff9a5c;
        --good:#75e0a7;--goodback:#0d3b26;--warn:#fec84b;--warnback:#45290b;--mark:#263a63}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--text);
        font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
        main{max-width:1080px;margin:0 auto;padding:32px 20px 48px}
        h1{font-size:28px;line-height:1.2;margin:0 0 6px;overflow-wrap:anywhere}
        h2{font-size:17px;margin:0 0 12px}
        h3{font-size:13px;font-weight:600;color:var(--muted);margin:0 0 6px}
        header p{margin:0;color:var(--muted)}
        .badge{display:inline-block;padding:1px 10px;border-radius:999px;font-size:13px;font-weight:600;margin-right:6px}
        .done{color:var(--good);background:var(--goodback)}
        .stopped{color:var(--warn);background:var(--warnback)}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:24px 0 12px}
        .tile,figure,article,.tables section{background:var(--card);border:1px solid var(--line);border-radius:10px}
        .tile{padding:12px 16px;min-width:0}
        .tile span{display:block;color:var(--muted);font-size:13px}
        .tile b{display:block;font-size:23px;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums;white-space:nowrap}
        .tile small{display:block;color:var(--muted);font-size:12.5px;min-height:19px;overflow-wrap:anywhere}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(310px,1fr));gap:12px;margin-bottom:28px}
        .wide{grid-column:1/-1}
        figure{margin:0;padding:12px 14px 8px;min-width:0}
        figcaption{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:baseline;margin-bottom:4px}
        .unit,.legend,.note,.none{color:var(--muted);font-size:13px}
        .legend{margin-left:auto}
        .legend i{display:inline-block;width:18px;height:0;border-top:2.5px solid var(--main);vertical-align:middle;margin:0 6px 2px 14px}
        .legend i.raw{border-top-width:8px;opacity:.25}
        .legend i.points{border-color:var(--points)}
        .note{margin:4px 0 2px}
        svg{display:block;width:100%;height:auto;overflow:hidden}
        figure>svg{overflow:visible}
        @media (max-width:640px){.wide figure{overflow-x:auto}.wide figure>svg{width:680px}}
        svg text{fill:var(--muted);font-size:12px;font-variant-numeric:tabular-nums}
        svg text.x{text-anchor:middle}
        svg text.y{text-anchor:end}
        svg path{fill:none;stroke-linejoin:round;stroke-linecap:round}
        path.grid{stroke:var(--line)}
        path.axis,path.tick{stroke:var(--muted);stroke-opacity:.6}
        path.main{stroke:var(--main);stroke-width:2}
        path.raw{stroke:var(--main);stroke-opacity:.3}
        path.band{fill:var(--main);fill-opacity:.2}
        path.points{stroke:var(--points);stroke-width:2}
        circle.points{fill:var(--card);stroke:var(--points);stroke-width:2}
        rect.hover{fill:var(--main);fill-opacity:0}
        rect.hover:hover{fill-opacity:.08}
        .samples{margin-bottom:28px}
        article{padding:12px 16px;margin-bottom:10px}
        pre{margin:0;font:13.5px/1.5 ui-monospace,"Cascadia Mono","DejaVu Sans Mono",Menlo,monospace;
        white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto}
        mark{background:var(--mark);color:inherit;border-radius:3px;padding:0 1px}
        .tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(310px,1fr));gap:12px;align-items:start}
        .tables section{padding:16px;min-width:0}
        table{width:100%;border-collapse:collapse;font-size:14px}
        tr+tr{border-top:1px solid var(--line)}
        th,td{text-align:left;padding:5px 0;vertical-align:top}
        th{font-weight:400;color:var(--muted);padding-right:16px;white-space:nowrap}
        td{overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
        footer{margin-top:24px;color:var(--muted);font-size:13px}
        @media print{:root{--page:#fff;--card:#fff;--text:#000;--muted:#555;--line:#ccc;--main:#1d4ed8;--points:#c2410c;--mark:#e6edff}
        body{font-size:12px}main{max-width:none;padding:0}
        figure,.tile,article,tr{break-inside:avoid}h2{break-after:avoid}pre{max-height:none}
        .charts{grid-template-columns:repeat(3,1fr)}.tiles{grid-template-columns:repeat(5,1fr)}}
        """;
}
