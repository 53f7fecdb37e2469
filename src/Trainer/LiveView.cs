using System.Runtime.InteropServices;
using Ingot.Training;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Ingot.Trainer;

/// <summary>
/// A run as a panel that stays at the bottom of the terminal, with what is worth keeping (evaluations, checkpoints, warnings) scrolling
/// away above it. Training only stores its figures; a thread of the view's own draws them, four times a second.
/// </summary>
internal sealed class LiveView : ConsoleView
{
    private const int SampleLines = 6;
    private const string HideCursor = "\u001b[?25l";
    private const string ShowCursor = "\u001b[?25h";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly IAnsiConsole _console;
    private readonly Lock _gate = new();
    private readonly Queue<IRenderable> _log = new();
    private readonly Sparkline _losses = new();
    private readonly ManualResetEventSlim _stop = new();

    private TrainingStart? _start;
    private StepReport? _step;
    private EvaluationReport? _evaluation;
    private EvaluationReport? _best;
    private (long Done, long Total)? _writing; // For an evaluation.
    private SampleReport? _sample;
    private Thread? _thread;
    private PosixSignalRegistration? _interrupt;

    public LiveView(IAnsiConsole console) => _console = console;

    public override void OnData(DataReport data)
    {
        foreach (var line in Sources(data))
            Keep(new Markup(Markup.Escape(line)));
        var example = Example(data);
        Keep(new Markup($"[grey]the first as the model sees it: {Markup.Escape(example[0])}[/]"));
        Keep(new Padder(new Markup(Markup.Escape(string.Join('\n', example.Skip(1)))), new Padding(4, 0, 0, 0)));
    }

    public override void OnStart(TrainingStart start)
    {
        // The panel hides the cursor. Whatever ends the process after this, a second Ctrl-C above all, must find it shown.
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Console.Out.Write(ShowCursor));
        AppDomain.CurrentDomain.ProcessExit += ShowCursorAtExit;
        lock (_gate)
        {
            _start = start;
            _thread = new Thread(Draw) { IsBackground = true, Name = "console" };
        }

        _thread.Start();
    }

    public override void OnStep(in StepReport step)
    {
        lock (_gate)
        {
            _step = step;
            _losses.Add(step.Loss);
        }
    }

    public override void OnGeneration(long done, long total)
    {
        lock (_gate)
            _writing = (done, total);
    }

    public override void OnEvaluation(EvaluationReport evaluation)
    {
        lock (_gate)
        {
            (_evaluation, _writing) = (evaluation, null);
            if (evaluation.IsBest)
                _best = evaluation;
        }

        Log(evaluation.Step, Evaluation(evaluation, " · "), evaluation.IsBest ? "green" : "default");
    }

    public override void OnSample(SampleReport sample)
    {
        lock (_gate)
            _sample = sample;
    }

    public override void OnCheckpoint(CheckpointReport checkpoint) => Log(checkpoint.Step, Checkpoint(checkpoint), "default");

    public override void OnWarning(string message) => Keep(new Markup($"[yellow]warning:[/] {Markup.Escape(Harmless(message))}"));

    public override void Notice(string message) => Keep(new Markup(Markup.Escape(message)));

    public override void OnEnd(TrainingEnd end)
    {
        Finish();
        if (_sample is { } sample)
            _console.Write(SamplePanel(sample, int.MaxValue));
        foreach (var line in End(end))
            _console.MarkupLine(Markup.Escape(line));
    }

    public override void Dispose()
    {
        Finish();
        _stop.Dispose();
    }

    private void Finish()
    {
        if (_thread is null)
            return;
        _stop.Set();
        _thread.Join();
        lock (_gate)
        {
            _thread = null;
            while (_log.TryDequeue(out var line))
                Write(line);
        }

        _interrupt?.Dispose();
        AppDomain.CurrentDomain.ProcessExit -= ShowCursorAtExit;
    }

    private void ShowCursorAtExit(object? sender, EventArgs e) => Console.Out.Write(ShowCursor);

    private void Log(long step, string text, string colour) =>
        Keep(new Markup($"[grey]{Step(step, _start?.TotalSteps ?? 0)}[/] [{colour}]{Markup.Escape(text)}[/]"));

    /// <summary>Writes a line for good: above the panel while there is one, at once before and after.</summary>
    private void Keep(IRenderable line)
    {
        lock (_gate)
        {
            if (_thread is null)
                Write(line);
            else
                _log.Enqueue(line);
        }
    }

    private void Write(IRenderable line)
    {
        _console.Write(line);
        _console.WriteLine();
    }

    private void Draw()
    {
        var frame = new LiveFrame(_console);
        try
        {
            _console.Profile.Out.Writer.Write(HideCursor);
            while (!_stop.Wait(Interval))
                DrawFrame(frame, withPanel: true);
            DrawFrame(frame, withPanel: false);
            _console.Profile.Out.Writer.Write(ShowCursor);
        }
        catch (IOException)
        {
            // The terminal is gone. Training goes on without an audience.
        }
    }

    private void DrawFrame(LiveFrame frame, bool withPanel)
    {
        IRenderable[] lines;
        IRenderable? panel;
        lock (_gate)
        {
            lines = [.. _log];
            _log.Clear();
            panel = withPanel ? Panel() : null;
        }

        frame.Draw(lines, panel);
    }

    private Rows Panel()
    {
        var rows = new List<IRenderable> { new Rule { Style = Style.Parse("grey") }, Heading() };
        if (_step is { } step)
        {
            rows.Add(Progress(step));
            rows.Add(Figures(step));
        }

        if (_writing is var (done, total))
            rows.Add(new Markup($"[grey]writing for the evaluation:[/] {done:#,0} of {total:#,0} texts"));
        if (_sample is { } sample)
            rows.Add(SamplePanel(sample, Math.Min(SampleLines, _console.Profile.Height - 10)));
        return new Rows(rows);
    }

    private Markup Heading()
    {
        var start = _start!;
        var facts = Markup.Escape(Start(start, " · "));
        return new Markup($"[bold]{Markup.Escape(start.RunName)}[/] [grey]{facts}[/]") { Overflow = Overflow.Ellipsis };
    }

    private Markup Progress(StepReport step)
    {
        var times = $"{Clock(step.Elapsed)} elapsed" + (step.Eta is { } eta ? $" · {Clock(eta)} left" : "");
        if (step.TotalSteps <= 0)
            return new Markup($"step [bold]{step.Step:#,0}[/] · epoch {step.Epoch:0.00} · {times}");
        var share = Math.Clamp((double)step.Step / step.TotalSteps, 0, 1);
        var text = $" {share:0 %} · step {step.Step:#,0} of {step.TotalSteps:#,0} · {times}";
        var width = Math.Clamp(_console.Profile.Width - text.Length - 1, 10, 60);
        var done = (int)Math.Round(share * width);
        var (full, empty) = _console.Profile.Capabilities.Unicode ? ('━', '━') : ('#', '.');
        return new Markup($"[green]{new string(full, done)}[/][grey35]{new string(empty, width - done)}[/]{text}");
    }

    private Grid Figures(StepReport step)
    {
        var grid = new Grid().AddColumns(4);
        var spark = _console.Profile.Capabilities.Unicode ? _losses.Draw(Math.Clamp(_console.Profile.Width - 64, 0, 40)) : "";
        grid.AddRow(
            Figure("loss", Loss(step.Loss) + (step.Skipped ? " skipped" : "")),
            Figure("lr", LearningRate(step.LearningRate)),
            Figure("grad norm", $"{step.GradNorm:0.00}"),
            new Markup($"[blue]{spark}[/]"));
        grid.AddRow(
            Figure("validation", _evaluation is { } evaluation ? Loss(evaluation.Loss) : "–"),
            Figure("tok/s", $"{step.TokensPerSecond:#,0}"),
            Figure("memory", Text.Bytes(step.ResidentBytes)),
            new Markup(string.Join("   ", new[]
            {
                double.IsFinite(step.MatmulShare) ? $"[grey]matmul rate[/] {$"{step.MatmulShare:0 %}"}" : "",
                _best is { } best ? $"[grey]best[/] {Loss(best.Loss)} [grey]at step {$"{best.Step:#,0}"}[/]" : "",
            }.Where(part => part.Length > 0))));
        return grid;
    }

    private static Markup Figure(string name, string value) => new($"[grey]{name}[/] [bold]{Markup.Escape(value)}[/]");

    private static Panel SamplePanel(SampleReport sample, int lines)
    {
        var text = Harmless(sample.Shown).Trim('\n').Split('\n');
        var shown = string.Join('\n', text.Take(Math.Max(1, lines)));
        var content = new Paragraph();
        var prompt = Math.Min(Harmless(sample.Prompt).TrimStart('\n').Length, shown.Length);
        content.Append(shown[..prompt], Style.Parse("bold"));
        content.Append(shown[prompt..]);
        return new Panel(content) { Header = new PanelHeader($" sample at step {sample.Step:#,0} "), Expand = true }
            .RoundedBorder().BorderColor(Color.Grey35);
    }
}
