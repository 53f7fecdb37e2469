using System.Diagnostics;
using Ingot.Data.Preparation;
using Spectre.Console;

namespace Ingot.Trainer;

/// <summary>Shows a preparation: a bar that moves in a terminal; elsewhere a line now and then. At the end a table of what rules
/// did.</summary>
internal sealed class PreparationView : IProgress<PreparationProgress>, IDisposable
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10), BarEvery = TimeSpan.FromSeconds(0.1);

    private readonly string _output;
    private readonly LiveFrame? _frame;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private TimeSpan _next;
    private PreparationProgress _first;
    private PreparationProgress _last;

    private PreparationView(string output, bool isLive)
    {
        _output = output;
        _frame = isLive ? new LiveFrame(AnsiConsole.Console) : null;
        _next = isLive ? BarEvery : LineEvery;
    }

    /// <summary>The view that suits the console.</summary>
    public static PreparationView Create(string output) => new(output, ConsoleView.IsLive);

    /// <inheritdoc/>
    public void Report(PreparationProgress value)
    {
        if (_last.Records == 0)
            _first = value;
        _last = value;
        if (_watch.Elapsed < _next)
            return;
        _next = _watch.Elapsed + (_frame is null ? LineEvery : BarEvery);
        if (_frame is null)
            Console.WriteLine(Describe(value));
        else
            _frame.Draw([], new Markup(Bar(value) + " " + Markup.Escape(Describe(value))));
    }

    /// <summary>Says what was done.</summary>
    public void End(PreparationReport report)
    {
        _frame?.Draw([], null);
        Console.WriteLine($"{"rule",-28} {"set to",-8} {"documents",12} {"lines",12} {"changed",12}");
        foreach (var rule in report.Rules.Where(rule => rule.Tally is not { DocumentsRemoved: 0, LinesRemoved: 0, DocumentsChanged: 0 }))
        {
            var tally = rule.Tally;
            Console.WriteLine($"{rule.Name,-28} {rule.Setting,-8} {Removed(tally.DocumentsRemoved),12} {Removed(tally.LinesRemoved),12} "
                + $"{Changed(tally.DocumentsChanged),12}");
        }

        Console.WriteLine();
        foreach (var (name, split) in report.Splits)
        {
            var tokens = split.Tokens is { } count ? $", {count:#,0} tokens" : "";
            Console.WriteLine($"{name}: {split.Documents:#,0} documents, {split.Bytes / 1e6:#,0.0} MB of text, {split.Words:#,0} "
                + $"words{tokens}, in "
                + (split.Shards.Count == 1 ? split.Shards[0] : $"{split.Shards.Count} shards"));
        }

        var speed = (_last.RecordBytes - (_first.Bytes > _first.FirstBytes ? 0 : _first.RecordBytes)) / 1e6 / _watch.Elapsed.TotalSeconds;
        Console.WriteLine($"kept {report.Documents:#,0} of {report.Records:#,0} records in {ConsoleView.Clock(_watch.Elapsed)} "
            + $"({speed:0.0} MB/s)");
        Console.WriteLine($"report: {Path.Combine(_output, "report.html")}");

        static string Removed(long count) => count == 0 ? "" : $"-{count:#,0}";
        static string Changed(long count) => count == 0 ? "" : $"{count:#,0}";
    }

    /// <summary>Says that it was stopped, and how it goes on.</summary>
    public void Stop()
    {
        _frame?.Draw([], null);
        Console.Error.WriteLine($"Stopped. The shards that were complete are kept in {_output}; the same command goes on from there.");
    }

    /// <inheritdoc/>
    public void Dispose() => _frame?.Draw([], null);

    private static string Bar(PreparationProgress progress)
    {
        const int Width = 30;
        var filled = progress.TotalBytes == 0 ? 0 : (int)(Width * Math.Min(1, progress.Bytes / (double)progress.TotalBytes));
        return $"[blue]{new string('━', filled)}[/][grey]{new string('━', Width - filled)}[/]";
    }

    private string Describe(PreparationProgress progress)
    {
        var share = progress.TotalBytes == 0 ? 1 : progress.Bytes / (double)progress.TotalBytes;
        var done = progress.Bytes - progress.FirstBytes;
        var eta = done > 0 ? ConsoleView.Clock(_watch.Elapsed * ((progress.TotalBytes - progress.Bytes) / (double)done)) : "?";
        var speed = (progress.RecordBytes - _first.RecordBytes) / 1e6 / _watch.Elapsed.TotalSeconds;
        return $"{100 * share:0.0} % | {progress.Records:#,0} records | {progress.Kept:#,0} kept | {speed:0.0} MB/s | eta {eta}";
    }
}
