using System.Globalization;
using System.Net;
using System.Text;

namespace Ingot.Reports;

/// <summary>
/// A chart over steps as inline SVG: the spread of the raw values as a pale band or line, the smoothed curve over it, and optionally a
/// second curve of few points with dots. Colours come from the page's style, so that they follow its light or dark mode.
/// </summary>
internal sealed class SvgChart
{
    private const double Left = 48;
    private const double Right = 14;
    private const double Top = 10;
    private const double Bottom = 40;

    /// <summary>Room around the plot within the clipping, for dots and line caps on its edges.</summary>
    private const double Air = 5;

    /// <summary>Strips that show their values when pointed at.</summary>
    private const int HoverStrips = 96;

    private readonly double _width;
    private readonly double _height;
    private readonly StringBuilder _svg = new();
    private Axis _x = null!;
    private Axis _y = null!;

    private SvgChart(double width, double height) => (_width, _height) = (width, height);

    /// <summary>What a chart shows.</summary>
    /// <param name="Title">Its name.</param>
    /// <param name="Unit">Unit of its values; may be empty.</param>
    /// <param name="Main">The dense curve.</param>
    /// <param name="MainName">What the dense curve is.</param>
    /// <param name="Smoothing">How far to smooth it, as a share of its length; 0 draws it as it is.</param>
    /// <param name="Points">The sparse curve; may be empty.</param>
    /// <param name="PointsName">What the sparse curve is.</param>
    /// <param name="FromZero">Whether the value axis begins at 0.</param>
    /// <param name="Note">A sentence to put below; may be empty.</param>
    public sealed record Content(
        string Title,
        string Unit,
        Curve Main,
        string MainName,
        double Smoothing,
        Curve? Points = null,
        string PointsName = "",
        bool FromZero = false,
        string Note = "");

    /// <summary>Draws a figure: caption, legend, chart.</summary>
    public static string Figure(Content content, double width, double height)
    {
        var points = content.Points is { IsEmpty: false } curve ? curve : null;
        var figure = new StringBuilder();
        figure.Append("<figure><figcaption><b>").Append(Escape(content.Title)).Append("</b>");
        if (content.Unit.Length > 0)
            figure.Append(" <span class=unit>").Append(Escape(content.Unit)).Append("</span>");
        if (points is not null)
        {
            figure.Append("<span class=legend><i class=main></i>").Append(Escape(content.MainName));
            figure.Append("<i class=raw></i>").Append(content.Main.IsReduced ? "lowest to highest" : "each row");
            figure.Append("<i class=points></i>").Append(Escape(content.PointsName)).Append("</span>");
        }

        figure.Append("</figcaption>\n");
        if (content.Main.IsEmpty && points is null)
            return figure.Append("<p class=none>Nothing was logged.</p></figure>\n").ToString();
        var chart = new SvgChart(width, height);
        chart.Draw(content, points);
        figure.Append(chart._svg);
        var note = $"{chart.OffScale(content)} {content.Note}".Trim();
        if (note.Length > 0)
            figure.Append("<p class=note>").Append(Escape(note)).Append("</p>");
        return figure.Append("</figure>\n").ToString();
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static string F(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);

    private void Draw(Content content, Curve? points)
    {
        var smooth = content.Smoothing > 0 ? content.Main.Smooth(content.Smoothing).ToList() : [];
        SetAxes(content, points, smooth);
        _svg.Append(
            CultureInfo.InvariantCulture,
            $"<svg viewBox=\"0 0 {F(_width)} {F(_height)}\" role=\"img\" aria-label=\"{Escape(content.Title)}\">\n");
        DrawGrid();
        // A nested svg clips what is off the scale.
        var (width, height) = (_width - Left - Right + (2 * Air), _height - Top - Bottom + (2 * Air));
        var view = $"{F(-Air)} {F(-Air)} {F(width)} {F(height)}";
        _svg.Append(
            CultureInfo.InvariantCulture,
            $"<svg x=\"{F(Left - Air)}\" y=\"{F(Top - Air)}\" width=\"{F(width)}\" height=\"{F(height)}\" viewBox=\"{view}\">\n");
        var main = content.Main.Buckets.Select(bucket => (bucket.X, bucket.Mean));
        if (content.Smoothing > 0)
        {
            if (content.Main.IsReduced)
                DrawBand(content.Main);
            else
                DrawLine(main, "raw");
            DrawLine(smooth, "main");
        }
        else
        {
            DrawLine(main, "main");
        }

        if (points is not null)
        {
            DrawLine(points.Buckets.Where(bucket => bucket.Finite > 0).Select(bucket => (bucket.X, bucket.Mean)), "points");
            DrawDots(points, content.PointsName);
        }

        DrawHover(content.Main);
        _svg.Append("</svg>\n</svg>\n");
    }

    /// <summary>
    /// The value axis holds the smoothed curve and all but the wildest raw values: one spike must not flatten everything else. What is
    /// off the scale is told below the chart.
    /// </summary>
    private void SetAxes(Content content, Curve? points, List<(double X, double Y)> smooth)
    {
        var finite = content.Main.Buckets.Where(bucket => bucket.Finite > 0).ToList();
        var dots = points?.Buckets.Where(bucket => bucket.Finite > 0) ?? [];
        var fixedValues = smooth.Select(point => point.Y).Concat(dots.SelectMany(dot => (double[])[dot.Minimum, dot.Maximum])).ToList();
        var low = finite.Select(bucket => bucket.Minimum).Order().ToList();
        var high = finite.Select(bucket => bucket.Maximum).Order().ToList();
        if (content.Smoothing > 0 && high.Count >= 20)
        {
            low = low[(low.Count / 100)..];
            high = high[..(high.Count - (high.Count / 100))];
        }

        var lowest = low.Take(1).Concat(fixedValues).Min();
        var highest = high.TakeLast(1).Concat(fixedValues).Max();
        _y = Axis.Around(content.FromZero ? Math.Min(0, lowest) : lowest, highest, (int)(_height / 50));
        var steps = content.Main.Buckets.Concat(points?.Buckets ?? []).ToList();
        _x = Axis.OfSteps(steps.Min(bucket => bucket.FirstX), steps.Max(bucket => bucket.LastX), (int)(_width / 80));
    }

    private double X(double step) => _x.Position(step) * (_width - Left - Right);

    private double Y(double value) => (1 - _y.Position(value)) * (_height - Top - Bottom);

    private void DrawGrid()
    {
        foreach (var (value, text) in _y.Ticks())
        {
            var y = Top + Y(value);
            _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"grid\" d=\"M{F(Left)} {F(y)}H{F(_width - Right)}\"/>");
            _svg.Append(CultureInfo.InvariantCulture, $"<text class=\"y\" x=\"{F(Left - 8)}\" y=\"{F(y + 4)}\">{text}</text>\n");
        }

        var bottom = _height - Bottom;
        foreach (var (value, text) in _x.Ticks())
        {
            var x = Left + X(value);
            _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"tick\" d=\"M{F(x)} {F(bottom)}v5\"/>");
            _svg.Append(CultureInfo.InvariantCulture, $"<text class=\"x\" x=\"{F(x)}\" y=\"{F(bottom + 18)}\">{text}</text>\n");
        }

        _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"axis\" d=\"M{F(Left)} {F(bottom)}H{F(_width - Right)}\"/>");
        _svg.Append(
            CultureInfo.InvariantCulture,
            $"<text class=\"x\" x=\"{F(Left + ((_width - Left - Right) / 2))}\" y=\"{F(_height - 4)}\">step</text>\n");
    }

    /// <summary>A line that breaks where values are missing; a value between two gaps becomes a dot.</summary>
    private void DrawLine(IEnumerable<(double X, double Y)> points, string style)
    {
        var path = new StringBuilder();
        var length = 0;
        foreach (var (x, y) in points.Append((double.NaN, double.NaN)))
        {
            if (double.IsFinite(y))
            {
                path.Append(CultureInfo.InvariantCulture, $"{(length == 0 ? 'M' : 'L')}{F(X(x))} {F(Y(y))}");
                length++;
                continue;
            }

            if (length == 1)
                path.Append("h0.01"); // Round line caps make a dot of it.
            length = 0;
        }

        _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"{style}\" d=\"{path}\"/>\n");
    }

    private void DrawBand(Curve curve)
    {
        var run = new List<Curve.Bucket>();
        foreach (var bucket in curve.Buckets.Append(default))
        {
            if (bucket.Finite > 0)
            {
                run.Add(bucket);
                continue;
            }

            if (run.Count > 0)
            {
                var upper = string.Join('L', run.Select(b => $"{F(X(b.X))} {F(Y(b.Maximum))}"));
                var lower = string.Join('L', run.AsEnumerable().Reverse().Select(b => $"{F(X(b.X))} {F(Y(b.Minimum))}"));
                _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"band\" d=\"M{upper}L{lower}Z\"/>\n");
            }

            run.Clear();
        }
    }

    private void DrawDots(Curve points, string name)
    {
        foreach (var bucket in points.Buckets.Where(bucket => bucket.Finite > 0))
        {
            var radius = points.Buckets.Count > 80 ? 1.5 : 3;
            _svg.Append(
                CultureInfo.InvariantCulture,
                $"<circle class=\"points\" cx=\"{F(X(bucket.X))}\" cy=\"{F(Y(bucket.Mean))}\" r=\"{F(radius)}\">"
                + $"<title>step {bucket.LastX:#,0}: {Escape(name)} {bucket.Mean:0.####}</title></circle>\n");
        }
    }

    /// <summary>Invisible strips whose tooltips give the values, so that the page needs no script.</summary>
    private void DrawHover(Curve curve)
    {
        var each = Math.Max(1, (curve.Buckets.Count + HoverStrips - 1) / HoverStrips);
        foreach (var strip in curve.Buckets.Chunk(each))
        {
            var all = strip.Aggregate((sum, next) => sum.With(next));
            if (all.Finite == 0)
                continue;
            var (from, to) = (X(all.FirstX), X(all.LastX));
            var steps = all.FirstX == all.LastX ? $"step {all.FirstX:#,0}" : $"steps {all.FirstX:#,0} to {all.LastX:#,0}";
            var mean = Axis.Compact(all.Mean);
            var values = all.Finite == 1 ? mean : $"mean {mean}, {Axis.Compact(all.Minimum)} to {Axis.Compact(all.Maximum)}";
            _svg.Append(
                CultureInfo.InvariantCulture,
                $"<rect class=\"hover\" x=\"{F(from - 2)}\" y=\"0\" width=\"{F(to - from + 4)}\" height=\"{F(_height - Top - Bottom)}\">"
                + $"<title>{steps}: {values}</title></rect>\n");
        }
    }

    private string OffScale(Content content)
    {
        var above = content.Main.Buckets.Where(bucket => bucket.Finite > 0 && _y.Position(bucket.Maximum) > 1.0001).ToList();
        if (above.Count == 0)
            return "";
        var worst = above.MaxBy(bucket => bucket.Maximum);
        return $"Off the scale: up to {Axis.Compact(worst.Maximum)} near step {worst.LastX.ToString("#,0", CultureInfo.InvariantCulture)}.";
    }
}
