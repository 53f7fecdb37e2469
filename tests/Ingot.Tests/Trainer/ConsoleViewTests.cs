using Ingot.Evaluation;
using Ingot.Trainer;
using Ingot.Training;
using NUnit.Framework;
using Spectre.Console;

namespace Ingot.Tests.Trainer;

/// <summary>What a run looks like on a console, as lines and live.</summary>
[TestFixture]
public sealed class ConsoleViewTests
{
    private static readonly TrainingStart Start = new(
        "shakespeare",
        "runs/shakespeare",
        "gpt2, 4 layers",
        810_432,
        "CPU",
        "fp32",
        0,
        2000,
        768);

    [Test]
    public void PlainLinesSayAllOnce()
    {
        using var output = new StringWriter { NewLine = "\n" };
        using (var view = new PlainView(output))
            Report(view);
        Assert.That(output.ToString(), Is.EqualTo("""
            shakespeare | gpt2, 4 layers | 810,432 parameters | fp32 | CPU
            step 100/2000 | loss 2.3456 | lr 1.0e-03 | grad 0.52 | 41,000 tok/s | eta 0:42
            step 200/2000 | loss NaN | lr 9.9e-04 | grad 0.52 | 41,000 tok/s | eta 1:02:03 | skipped
            warning: Step 200 was skipped.
            step 250/2000 | validation loss 1.9000 | 2.710 bits/byte | best
            step 260/2000 | validation loss 1.8000 | bleu 31.23 | rougeL 0.5000 | 200 of 1,538 texts in 12.3 s
            step 250/2000 | sample:
                ROMEO:
                I am [bold]the king[/] �[31m
            step 250/2000 | checkpoint runs/shakespeare/checkpoints/step-00000250 (9.3 MiB in 0.05 s)
            finished: 2,000 steps done, after 0:38 and 1,536,000 tokens (41,000 tok/s)
            validation loss 1.8800, 2.700 bits/byte
            report: runs/shakespeare/report.html

            """));
    }

    [Test]
    public void TheLiveViewLeavesWhatIsWorthKeeping()
    {
        using var output = new StringWriter();
        var terminal = new VirtualTerminal();
        using (var view = new LiveView(Console(output)))
        {
            Report(view);
        }

        terminal.Write(output.ToString());
        Assert.That(terminal.CursorIsVisible, Is.True);
        var screen = string.Join('\n', terminal.Lines.Select(line => line.TrimEnd()));
        Assert.That(screen, Does.Contain("warning: Step 200 was skipped."));
        Assert.That(screen, Does.Contain("step 250/2000 validation loss 1.9000 · 2.710 bits/byte · best\n"));
        Assert.That(screen, Does.Contain("checkpoint runs/shakespeare/checkpoints/step-00000250 (9.3 MiB in 0.05 s)"));
        Assert.That(screen, Does.Contain("I am [bold]the king[/] �[31m"));
        Assert.That(screen.TrimEnd(), Does.EndWith("finished: 2,000 steps done, after 0:38 and 1,536,000 tokens (41,000 tok/s)\n"
            + "validation loss 1.8800, 2.700 bits/byte\nreport: runs/shakespeare/report.html"));
        Assert.That(screen, Does.Not.Contain("elapsed"), "the panel is gone");
    }

    [Test]
    public void APanelStaysBelowTheLines()
    {
        using var output = new StringWriter();
        var console = Console(output);
        var frame = new LiveFrame(console);
        var terminal = new VirtualTerminal();
        frame.Draw([], new Rows(new Markup("panel 1"), new Markup("second line")));
        frame.Draw([new Markup("first"), new Markup("next")], new Markup("panel 2"));
        frame.Draw([new Markup("last")], new Rows(Enumerable.Range(0, 100).Select(i => new Markup($"row {i}"))));
        terminal.Write(output.ToString());
        Assert.That(terminal.Lines.Take(5), Is.EqualTo((string[])["first", "next", "last", "row 0", "row 1"]));
        Assert.That(
            terminal.Lines.Count(line => line.StartsWith("row", StringComparison.Ordinal)),
            Is.EqualTo(29),
            "as many as the screen has, less one");
        output.GetStringBuilder().Clear();
        frame.Draw([], null);
        terminal.Write(output.ToString());
        Assert.That(terminal.Lines.Where(line => line.Length > 0), Is.EqualTo((string[])["first", "next", "last"]));
    }

    [Test]
    public void ALiveViewThatNeverStartedStillSaysItsWarnings()
    {
        using var output = new StringWriter();
        using (var view = new LiveView(Console(output)))
        {
            Assert.That(output.ToString(), Is.Empty);
            view.OnWarning("Checkpoint 'a' is skipped.");
            view.Notice("Finishing.");
        }

        var terminal = new VirtualTerminal();
        terminal.Write(output.ToString());
        Assert.That(terminal.Lines, Is.EqualTo((string[])["warning: Checkpoint 'a' is skipped.", "Finishing.", ""]));
    }

    [TestCase(42, "0:42")]
    [TestCase(3723, "1:02:03")]
    [TestCase(183_845, "2d 03:04")]
    public void ClocksAreShort(int seconds, string expected) =>
        Assert.That(ConsoleView.Clock(TimeSpan.FromSeconds(seconds)), Is.EqualTo(expected));

    [Test]
    public void SparklinesShowTheWholeSeries()
    {
        var line = new Sparkline();
        Assert.That(line.Draw(10), Is.Empty);
        for (var i = 0; i < 8; i++)
            line.Add(i);
        line.Add(double.NaN);
        Assert.That(line.Draw(20), Is.EqualTo("▁▂▃▄▅▆▇█"));
        Assert.That(line.Draw(4), Is.EqualTo("▁▃▆█"));
        for (var i = 8; i < 100_000; i++)
            line.Add(i);
        Assert.That(line.Draw(8), Is.EqualTo("▁▂▃▄▅▆▇█"));
    }

    private static void Report(ConsoleView view)
    {
        var step = new StepReport(
            100,
            2000,
            2.3456,
            1e-3,
            0.52,
            41_000,
            0.78,
            0.1,
            76_800,
            TimeSpan.FromSeconds(2),
            TimeSpan.FromSeconds(42),
            640 << 20);
        view.OnStart(Start);
        view.OnStep(step);
        view.OnStep(step with { Step = 200, Loss = double.NaN, LearningRate = 9.9e-4, Eta = TimeSpan.FromSeconds(3723), Skipped = true });
        view.OnWarning("Step 200 was skipped.");
        view.OnEvaluation(new EvaluationReport(250, 1.9, 2.71, IsBest: true));
        view.OnGeneration(1, 200);
        view.OnGeneration(200, 200);
        view.OnEvaluation(new EvaluationReport(260, 1.8, null, IsBest: false)
        {
            Generation = new GenerationScores(200, 1538,
            [
                new("bleu", new MetricScore("BLEU", 31.234, new MetricSignature())),
                new("rougeL", new RougeMetric("rougeL", new()).Evaluate(["red sun"], ["red moon"])),
            ], TimeSpan.FromSeconds(12.34)),
        });
        view.OnSample(new SampleReport(250, "ROMEO:", "\nI am [bold]the king[/] \u001b[31m"));
        view.OnCheckpoint(new CheckpointReport(250, "runs/shakespeare/checkpoints/step-00000250", 9_800_000, TimeSpan.FromSeconds(0.05)));
        view.OnEnd(new TrainingEnd(
            "2,000 steps done", true, 2000, 1.5, 1.88, 2.7, 1_536_000, TimeSpan.FromSeconds(38), 41_000, 640 << 20,
            "runs/shakespeare/report.html"));
    }

    private static IAnsiConsole Console(StringWriter output)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.TrueColor,
            Out = new AnsiConsoleOutput(output),
        });
        (console.Profile.Width, console.Profile.Height) = (100, 30);
        return console;
    }

    /// <summary>A terminal of any height that knows the few controls that a live view may use, and refuses others.</summary>
    private sealed class VirtualTerminal
    {
        private readonly List<string> _lines = [""];
        private int _row;
        private int _column;

        public IReadOnlyList<string> Lines => _lines;

        public bool CursorIsVisible { get; private set; } = true;

        public void Write(string text)
        {
            for (var i = 0; i < text.Length; i++)
            {
                switch (text[i])
                {
                    case '\n':
                        (_row, _column) = (_row + 1, 0);
                        if (_row == _lines.Count)
                            _lines.Add("");
                        break;
                    case '\r':
                        _column = 0;
                        break;
                    case '\u001b':
                        var end = i + 2;
                        while (!char.IsAsciiLetter(text[end]))
                            end++;
                        Control(text[(i + 2)..end], text[end]);
                        i = end;
                        break;
                    default:
                        var line = _lines[_row].PadRight(_column + 1);
                        _lines[_row] = line[.._column] + text[i] + line[(_column + 1)..];
                        _column++;
                        break;
                }
            }
        }

        private void Control(string parameters, char final)
        {
            switch (final)
            {
                case 'm':
                    break;
                case 'A':
                    _row -= int.Parse(parameters);
                    break;
                case 'J' when parameters.Length == 0 && _column == 0:
                    _lines.RemoveRange(_row, _lines.Count - _row);
                    _lines.Add("");
                    break;
                case 'h' or 'l' when parameters == "?25":
                    CursorIsVisible = final == 'h';
                    break;
                default:
                    Assert.Fail($"ESC[{parameters}{final}");
                    break;
            }
        }
    }
}
