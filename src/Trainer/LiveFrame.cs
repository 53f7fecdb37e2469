using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Ingot.Trainer;

/// <summary>
/// A panel that stays below whatever is written: each frame goes back to the panel's first line, erases from there, and writes the new
/// lines and the panel again, all in one write, so that nothing flickers.
/// </summary>
internal sealed class LiveFrame(IAnsiConsole console)
{
    private const char Escape = '\u001b';

    /// <summary>Widths in cells of the panel's lines on the screen.</summary>
    private List<int> _widths = [];

    /// <summary>Draws the next frame.</summary>
    /// <param name="lines">Lines to leave above the panel for good.</param>
    /// <param name="panel">The panel, as much of it as fits the screen; null takes it away.</param>
    public void Draw(IReadOnlyList<IRenderable> lines, IRenderable? panel)
    {
        var width = Math.Max(1, console.Profile.Width);
        var text = new StringBuilder();
        // A terminal that became narrower has wrapped the lines.
        var rows = _widths.Sum(cells => Math.Max(1, (cells + width - 1) / width));
        if (rows > 0)
            text.Append(Escape).Append('[').Append(rows).Append('A');
        text.Append('\r').Append(Escape).Append("[J");
        foreach (var line in lines)
            Append(text, Lines(line, width));
        var shown = panel is null ? [] : Lines(panel, width).Take(Math.Max(1, console.Profile.Height - 1)).ToList();
        Append(text, shown);
        _widths = [.. shown.Select(Segment.CellCount)];
        console.Profile.Out.Writer.Write(text);
        console.Profile.Out.Writer.Flush();
    }

    private List<SegmentLine> Lines(IRenderable renderable, int width) =>
        Segment.SplitLines(renderable.Render(RenderOptions.Create(console), width), width);

    private void Append(StringBuilder text, IEnumerable<SegmentLine> lines)
    {
        foreach (var line in lines)
            text.Append(console.ToAnsi(new Line(line))).Append('\n');
    }

    /// <summary>Segments that are laid out already.</summary>
    private sealed class Line(IEnumerable<Segment> segments) : Renderable
    {
        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => segments;
    }
}
