using System.Diagnostics;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>A run as lines of text, one for each report.</summary>
internal sealed class PlainView(TextWriter output) : ConsoleView
{
    private const string Separator = " | ";

    // What is written for an evaluation is said now and then, if it takes long.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private long _totalSteps;
    private long _writingSince;
    private TimeSpan _writingSaid;

    public override void OnData(DataReport data)
    {
        foreach (var line in Sources(data))
            Write(line);
        var example = Example(data);
        Write($"the first as the model sees it: {example[0]}");
        WriteIndented(string.Join('\n', example.Skip(1)));
    }

    public override void OnStart(TrainingStart start)
    {
        _totalSteps = start.TotalSteps;
        Write(start.RunName, Start(start, Separator));
    }

    public override void OnStep(in StepReport step) => Write(
        Step(step.Step, step.TotalSteps),
        $"loss {Loss(step.Loss)}",
        $"lr {LearningRate(step.LearningRate)}",
        $"grad {step.GradNorm:0.00}",
        $"{step.TokensPerSecond:#,0} tok/s",
        step.Eta is { } eta ? $"eta {Clock(eta)}" : $"elapsed {Clock(step.Elapsed)}",
        step.Skipped ? "skipped" : "");

    public override void OnGeneration(long done, long total)
    {
        if (done == 1)
            (_writingSince, _writingSaid) = (Stopwatch.GetTimestamp(), TimeSpan.Zero);
        var elapsed = Stopwatch.GetElapsedTime(_writingSince);
        if (elapsed - _writingSaid < Interval || done == total)
            return;
        _writingSaid = elapsed;
        Write($"writing for the evaluation: {done:#,0} of {total:#,0} texts", $"eta {Clock(elapsed / done * (total - done))}");
    }

    public override void OnEvaluation(EvaluationReport evaluation) =>
        Write(Step(evaluation.Step, _totalSteps), Evaluation(evaluation, Separator));

    public override void OnSample(SampleReport sample)
    {
        Write(Step(sample.Step, _totalSteps), "sample:");
        WriteIndented(Harmless(sample.Shown));
    }

    public override void OnCheckpoint(CheckpointReport checkpoint) => Write(Step(checkpoint.Step, _totalSteps), Checkpoint(checkpoint));

    public override void OnWarning(string message) => Write($"warning: {message}");

    public override void Notice(string message) => Write(message);

    public override void OnEnd(TrainingEnd end)
    {
        foreach (var line in End(end))
            Write(line);
    }

    public override void Dispose() => output.Flush();

    private void WriteIndented(string text)
    {
        foreach (var line in text.Split('\n'))
            output.WriteLine($"    {line}");
        output.Flush();
    }

    /// <summary>Writes the parts that are not empty as one line, in one call: notices come from other threads.</summary>
    private void Write(params string[] parts)
    {
        output.WriteLine(string.Join(Separator, parts.Where(part => part.Length > 0)));
        output.Flush();
    }
}
