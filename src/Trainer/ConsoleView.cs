using Ingot.Chat;
using Ingot.Training;
using Spectre.Console;

namespace Ingot.Trainer;

/// <summary>
/// Shows a run on the console: live in a terminal, as plain lines where output goes to a file, a pipe or a machine. Dispose it when
/// training is over, however it ended.
/// </summary>
internal abstract class ConsoleView : ITrainingObserver, IDisposable
{
    /// <summary>The view that suits the console. NO_COLOR, CI and TERM=dumb ask for plain lines too.</summary>
    public static ConsoleView Create() => IsLive ? new LiveView(AnsiConsole.Console) : new PlainView(Console.Out);

    /// <summary>Whether the console shows what moves.</summary>
    internal static bool IsLive
    {
        get
        {
            return !(Console.IsOutputRedirected || Asked("NO_COLOR") || Asked("CI")
                || Environment.GetEnvironmentVariable("TERM") is "dumb");

            static bool Asked(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
        }
    }

    public abstract void OnData(DataReport data);

    public abstract void OnStart(TrainingStart start);

    public abstract void OnStep(in StepReport step);

    public abstract void OnGeneration(long done, long total);

    public abstract void OnEvaluation(EvaluationReport evaluation);

    public abstract void OnSample(SampleReport sample);

    public abstract void OnCheckpoint(CheckpointReport checkpoint);

    public abstract void OnWarning(string message);

    /// <summary>Says something about the process; safe on any thread.</summary>
    public abstract void Notice(string message);

    public abstract void OnEnd(TrainingEnd end);

    public abstract void Dispose();

    /// <summary>A time as a clock shows it: 0:42, 1:02:03, 2d 03:04.</summary>
    internal static string Clock(TimeSpan time) => time switch
    {
        { TotalDays: >= 1 } => $"{(long)time.TotalDays}d {time.Hours:00}:{time.Minutes:00}",
        { TotalHours: >= 1 } => $"{time.Hours}:{time.Minutes:00}:{time.Seconds:00}",
        _ => $"{time.Minutes}:{time.Seconds:00}",
    };

    /// <summary>"step 100/2000", or "step 100" where the end is unknown.</summary>
    internal static string Step(long step, long total) => total > 0 ? $"step {step}/{total}" : $"step {step}";

    internal static string Loss(double loss) => loss.ToString("0.0000");

    internal static string LearningRate(double rate) => rate.ToString("0.0e-00");

    internal static string Evaluation(EvaluationReport evaluation, string separator)
    {
        var bits = evaluation.BitsPerByte is { } value ? $"{separator}{value:0.000} bits/byte" : "";
        var sources = evaluation.Sources.Count > 1
            ? string.Concat(evaluation.Sources.Select(source => $"{separator}{Path.GetFileName(source.Name)} {Loss(source.Loss)}"))
            : "";
        if (evaluation.Accuracy is { } accuracy)
            bits = $"{separator}accuracy {accuracy:0.0000}" + (evaluation.F1 is { } f1 ? $"{separator}macro F1 {f1:0.0000}" : "");
        if (evaluation.Generation is { } written)
        {
            bits += string.Concat(written.Scores.Select(score => $"{separator}{score.Key} {score.Value.ValueText(2)}"))
                + $"{separator}{written.Texts:#,0} of {written.Available:#,0} texts in {written.Duration.TotalSeconds:0.0} s";
        }

        if (evaluation.Preferences is { } rewards)
        {
            bits = $"{separator}{rewards.Accuracy:0.0 %} of pairs right{separator}reward margin {rewards.Margin:0.000}";
        }

        return $"validation loss {Loss(evaluation.Loss)}{bits}{(evaluation.IsBest ? separator + "best" : "")}{sources}";
    }

    internal static string Checkpoint(CheckpointReport checkpoint) =>
        $"checkpoint {checkpoint.Path} ({Text.Bytes(checkpoint.Bytes)} in {checkpoint.Duration.TotalSeconds:0.00} s)";

    /// <summary>What there is to train on, a line each.</summary>
    internal static IEnumerable<string> Sources(DataReport data) => data.Sources.Select(source =>
        $"data {source.Name}: {source.Contents}" + (data.Sources.Count > 1 ? $", drawn {source.Share:0.0 %}" : ""));

    /// <summary>The beginning of an example as the model sees it, in lines; the first says what is shown.</summary>
    internal static string[] Example(DataReport data) =>
        ExamplePreview.Format(data.Example, data.Tokenizer, maxTokens: 160).Split('\n');

    internal static string Start(TrainingStart start, string separator)
    {
        var resumed = start.FirstStep > 0 ? $"{separator}resumed at step {start.FirstStep}" : "";
        return $"{start.Model}{separator}{start.Parameters:#,0} parameters{separator}{start.Precision}{separator}{start.Device}{resumed}";
    }

    /// <summary>The last words, a line each.</summary>
    internal static IEnumerable<string> End(TrainingEnd end)
    {
        yield return $"{(end.Completed ? "finished" : "stopped")}: {end.Reason}, after {Clock(end.Elapsed)} and {end.Tokens:#,0} tokens"
            + $" ({end.TokensPerSecond:#,0} tok/s)";
        if (end.EvalLoss is { } loss)
            yield return Evaluation(new EvaluationReport(end.Step, loss, end.EvalBitsPerByte, IsBest: false), ", ");
        if (end.ReportPath is not null)
            yield return $"report: {end.ReportPath}";
    }

    /// <summary>A model may write anything; a terminal must not obey it.</summary>
    internal static string Harmless(string text) => string.Create(text.Length, text, (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = char.IsControl(source[i]) && source[i] != '\n' ? (source[i] == '\t' ? ' ' : '\ufffd') : source[i];
    });
}
