using System.Globalization;
using System.Text;
using Ingot.Checkpoints;
using Ingot.Reports;

namespace Ingot.Lab;

/// <summary>A profiled step on one page: tiles, a roofline, a timeline, tables of kernels, layers and the slowest calls.</summary>
public static class ProfilePage
{
    private const double Width = 1080, RoofHeight = 360, Left = 60, Bottom = 40, Lane = 26;

    // One for each of the ops that take most time; the others are grey.
    private static readonly string[] Colours = ["#2563eb", "#d9480f", "#067647", "#7c3aed", "#0891b2", "#be185d", "#a16207", "#4d7c0f"];

    /// <summary>Writes the page; never half of it.</summary>
    public static void Write(string path, StepProfileResult profile)
    {
        var page = Make(profile);
        DurableFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
    }

    internal static string Make(StepProfileResult profile)
    {
        ProfileEntry[] kernels = [.. profile.Sums("kernel", call => call.Name)];
        var colours = profile.Sums("op", call => call.Op).Take(Colours.Length).Select((entry, i) => (entry.Name, Colours[i]))
            .ToDictionary(pair => pair.Name, pair => pair.Item2);
        string ColourOf(string op) => colours.GetValueOrDefault(op, "#98a2b3");

        var page = HtmlReport.Begin("Profile");
        page.Append(CultureInfo.InvariantCulture, $"<header><h1>A training step</h1><p>{HtmlReport.Escape(profile.What)} on "
            + $"{HtmlReport.Escape(profile.Device)}</p></header>\n");
        page.Append("<section class=tiles>\n");
        var roof = profile.Calls.Sum(call => profile.Ceilings.Roof(call.Flops, call.Bytes));
        HtmlReport.Tile(page, "Step", Milliseconds(profile.Steps.Median), $"± {profile.Steps.Spread:0.0 %} over "
            + $"{profile.Steps.Seconds.Count} steps");
        HtmlReport.Tile(page, "Tokens", Axis.Short(profile.Tokens / profile.Steps.Median), "a second");
        HtmlReport.Tile(page, "Of the ceilings", Percent(roof / profile.Steps.Median),
            $"{profile.Ceilings.MatmulFlops / 1e9:0} GFLOP/s, {profile.Ceilings.Bandwidth / 1e9:0.0} GB/s");
        HtmlReport.Tile(page, "Between calls", Percent(profile.Between.Median / profile.Steps.Median),
            Milliseconds(profile.Between.Median));
        page.Append("</section>\n");
        Roofline(page, profile, kernels, ColourOf);
        Timeline(page, profile, ColourOf);
        Rows(page, profile, "Kernels", kernels);
        Rows(page, profile, "Layers", [.. profile.Sums("layer", call => call.Layer)]);
        Rows(page, profile, "The slowest calls", [.. profile.Calls.OrderByDescending(call => call.Times.Median).Take(20)
            .Select(call => new ProfileEntry("call", $"{call.Name} {call.Label} {call.Operands}", 1, call.Flops, call.Bytes,
                call.Times.Seconds))]);
        return HtmlReport.End(page);
    }

    private static string Milliseconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{1e3 * seconds:0.00} ms");

    private static string Percent(double share) => share.ToString("0.0 %", CultureInfo.InvariantCulture);

    // Log-log: operations a second over operations a byte. Dots are kernels, as large as their share of the step.
    private static void Roofline(StringBuilder page, StepProfileResult profile, ProfileEntry[] kernels, Func<string, string> colourOf)
    {
        ProfileEntry[] known = [.. kernels.Where(entry => entry.Flops > 0 && entry.Bytes > 0 && entry.ToSamples().Median > 0)];
        var (flops, bandwidth) = (profile.Ceilings.MatmulFlops, profile.Ceilings.Bandwidth);
        var ridge = flops / bandwidth;
        double left = Math.Min(0.05, known.Select(e => e.Flops / e.Bytes).DefaultIfEmpty(1).Min() / 2);
        double right = Math.Max(ridge * 8, known.Select(e => e.Flops / e.Bytes).DefaultIfEmpty(1).Max() * 2);
        double low = Math.Min(flops / 1e4, known.Select(e => e.Flops / e.ToSamples().Median).DefaultIfEmpty(flops).Min() / 2),
            high = flops * 2;
        double X(double intensity) => Left + ((Width - Left - 14) * Math.Log(intensity / left) / Math.Log(right / left));
        double Y(double rate) => 10 + ((RoofHeight - 10 - Bottom) * (1 - (Math.Log(rate / low) / Math.Log(high / low))));

        page.Append(CultureInfo.InvariantCulture, $"<section><h2>Roofline</h2><figure><svg viewBox=\"0 0 {Width} {RoofHeight}\" "
            + $"width=\"100%\" role=img aria-label=Roofline font-size=12>\n");
        for (var power = Math.Ceiling(Math.Log10(left)); power <= Math.Log10(right); power++)
        {
            var x = X(Math.Pow(10, power));
            page.Append(CultureInfo.InvariantCulture, $"<line x1={x:0.#} x2={x:0.#} y1=10 "
                + $"y2={RoofHeight - Bottom} stroke=\"var(--line)\" />");
            page.Append(CultureInfo.InvariantCulture, $"<text x={x:0.#} y={RoofHeight - Bottom + 16} text-anchor=middle "
                + $"fill=\"var(--muted)\">{Axis.Compact(Math.Pow(10, power))}</text>\n");
        }

        for (var power = Math.Ceiling(Math.Log10(low)); power <= Math.Log10(high); power++)
        {
            var y = Y(Math.Pow(10, power));
            page.Append(CultureInfo.InvariantCulture, $"<line x1={Left} x2={Width - 14} y1={y:0.#} y2={y:0.#} stroke=\"var(--line)\" />");
            page.Append(CultureInfo.InvariantCulture, $"<text x={Left - 6} y={y + 4:0.#} text-anchor=end "
                + $"fill=\"var(--muted)\">{Axis.Compact(Math.Pow(10, power - 9))}</text>\n");
        }

        var (rampX, rampY) = (X(Math.Max(left, low / bandwidth)), Y(Math.Max(low, left * bandwidth)));
        page.Append(CultureInfo.InvariantCulture, $"<polyline fill=none stroke=\"var(--text)\" stroke-width=2 "
            + $"points=\"{rampX:0.#},{rampY:0.#} {X(ridge):0.#},{Y(flops):0.#} {X(right):0.#},{Y(flops):0.#}\" />\n");
        foreach (var entry in known)
        {
            var seconds = entry.ToSamples().Median;
            var radius = 3 + (22 * Math.Sqrt(seconds / profile.Steps.Median));
            page.Append(CultureInfo.InvariantCulture, $"<circle cx={X(entry.Flops / entry.Bytes):0.#} cy={Y(entry.Flops / seconds):0.#} "
                + $"r={radius:0.#} fill=\"{colourOf(entry.Name.Split('=')[0])}\" fill-opacity=0.7>");
            page.Append(CultureInfo.InvariantCulture, $"<title>{HtmlReport.Escape(entry.Name)}: "
                + $"{entry.Flops / entry.Bytes:0.##} FLOP/byte, {entry.Flops / seconds / 1e9:0.0} GFLOP/s, "
                + $"{Percent(seconds / profile.Steps.Median)} of the step</title></circle>\n");
        }

        page.Append(CultureInfo.InvariantCulture, $"<text x={Width / 2} y={RoofHeight - 6} text-anchor=middle "
            + $"fill=\"var(--muted)\">FLOP/byte; upwards GFLOP/s</text></svg>");
        page.Append("<figcaption>The line is what this machine reaches at best, measured in the same run. A dot is a kernel, as large "
            + "as its share of the step.</figcaption></figure></section>\n");
    }

    // The last step, in lanes of equal length.
    private static void Timeline(StringBuilder page, StepProfileResult profile, Func<string, string> colourOf)
    {
        const int Lanes = 8;
        var end = profile.Calls.Max(call => call.Start + call.Length);
        var each = end / Lanes;
        page.Append(CultureInfo.InvariantCulture, $"<section><h2>Timeline</h2><figure><svg viewBox=\"0 0 {Width} {Lanes * Lane}\" "
            + $"width=\"100%\" role=img aria-label=Timeline font-size=12>\n");
        foreach (var call in profile.Calls)
        {
            // A call may go over several lanes.
            for (var lane = (int)(call.Start / each); lane < Lanes && lane * each < call.Start + call.Length; lane++)
            {
                var from = Math.Max(call.Start, lane * each);
                var to = Math.Min(call.Start + call.Length, (lane + 1) * each);
                var (x, width) = (Left + ((Width - Left) * (from - (lane * each)) / each), (Width - Left) * (to - from) / each);
                page.Append(CultureInfo.InvariantCulture, $"<rect x={x:0.##} y={lane * Lane} width={width:0.##} height={Lane - 4} "
                    + $"fill=\"{colourOf(call.Op)}\">");
                page.Append(CultureInfo.InvariantCulture,
                    $"<title>{HtmlReport.Escape(call.Name)} {HtmlReport.Escape(call.Label)} {Milliseconds(call.Length)}</title></rect>\n");
            }
        }

        for (var lane = 0; lane < Lanes; lane++)
            page.Append(CultureInfo.InvariantCulture, $"<text x={Left - 6} y={(lane * Lane) + 15} text-anchor=end "
                + $"fill=\"var(--muted)\">{Milliseconds(lane * each)}</text>\n");
        page.Append("</svg><figcaption>");
        foreach (var op in profile.Sums("op", call => call.Op).Take(Colours.Length))
            page.Append(CultureInfo.InvariantCulture, $"<svg width=10 height=10><rect width=10 height=10 fill=\"{colourOf(op.Name)}\" "
                + $"/></svg> {HtmlReport.Escape(op.Name)} ");
        page.Append("</figcaption></figure></section>\n");
    }

    private static void Rows(StringBuilder page, StepProfileResult profile, string title, IReadOnlyList<ProfileEntry> entries)
    {
        page.Append(CultureInfo.InvariantCulture, $"<section class=samples><h2>{title}</h2><article><table>\n");
        page.Append("<tr><th></th><th>share</th><th>ms</th><th>±</th><th>calls</th><th>GFLOP/s</th><th>GB/s</th><th>of the "
            + "ceiling</th></tr>\n");
        foreach (var entry in entries)
        {
            var times = entry.ToSamples();
            page.Append(CultureInfo.InvariantCulture,
                $"<tr><td>{HtmlReport.Escape(entry.Name)}</td><td>{Percent(times.Median / profile.Steps.Median)}</td>");
            page.Append(CultureInfo.InvariantCulture,
                $"<td>{1e3 * times.Median:0.000}</td><td>{Percent(times.Spread)}</td><td>{entry.Calls}</td>");
            page.Append(CultureInfo.InvariantCulture,
                $"<td>{entry.Flops / times.Median / 1e9:0.0}</td><td>{entry.Bytes / times.Median / 1e9:0.0}</td>");
            page.Append(CultureInfo.InvariantCulture,
                $"<td>{Percent(profile.Ceilings.Roof(entry.Flops, entry.Bytes) / times.Median)}</td></tr>\n");
        }

        page.Append("</table></article></section>\n");
    }
}
