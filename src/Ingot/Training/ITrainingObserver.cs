using System.Text.Json.Serialization;
using Ingot.Data;
using Ingot.Evaluation;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>
/// Hears what happens in a training run: a console, a metrics file, TensorBoard, or a user's own code. The trainer calls it on the
/// training thread, so every method must return quickly; an exception that it throws ends the run. Methods that an observer has no use
/// for need not be implemented.
/// </summary>
public interface ITrainingObserver
{
    /// <summary>Called once, when the data is tokens and rows, before <see cref="OnStart"/>.</summary>
    /// <param name="data">What is trained on, and one example of it.</param>
    void OnData(DataReport data)
    {
    }

    /// <summary>Called once, when the model is built and step <see cref="TrainingStart.FirstStep"/> is about to begin.</summary>
    /// <param name="start">What is trained, on what and how far.</param>
    void OnStart(TrainingStart start)
    {
    }

    /// <summary>Called after each logged step. Passed by reference and free of allocations.</summary>
    /// <param name="step">Figures of the step.</param>
    void OnStep(in StepReport step)
    {
    }

    /// <summary>Called while the model writes for an evaluation, after each text.</summary>
    /// <param name="done">Texts that are written.</param>
    /// <param name="total">Texts that will be.</param>
    void OnGeneration(long done, long total)
    {
    }

    /// <summary>Called after an evaluation on the validation text.</summary>
    /// <param name="evaluation">Figures of the evaluation.</param>
    void OnEvaluation(EvaluationReport evaluation)
    {
    }

    /// <summary>Called when the model has written a sample.</summary>
    /// <param name="sample">The sample.</param>
    void OnSample(SampleReport sample)
    {
    }

    /// <summary>Called when a checkpoint is complete on disk.</summary>
    /// <param name="checkpoint">Where it is.</param>
    void OnCheckpoint(CheckpointReport checkpoint)
    {
    }

    /// <summary>
    /// Called with something that a user should know but that does not end the run: a skipped step, a corrupt checkpoint.
    /// </summary>
    /// <param name="message">One sentence or two for people.</param>
    void OnWarning(string message)
    {
    }

    /// <summary>Called once at the end, whether training finished, was interrupted or failed.</summary>
    /// <param name="end">How it ended.</param>
    void OnEnd(TrainingEnd end)
    {
    }
}

/// <summary>What a run trains on.</summary>
/// <param name="Sources">Its sources, in the order of the options.</param>
/// <param name="Example">
/// The first example of the first source, or the beginning of its text, as the model will see it; <see cref="Chat.ExamplePreview"/> shows
/// it.
/// </param>
/// <param name="Tokenizer">What its tokens mean.</param>
public sealed record DataReport(IReadOnlyList<DataSourceReport> Sources, TokenizedExample Example, Tokenizer Tokenizer);

/// <summary>A source of data.</summary>
/// <param name="Name">Its path.</param>
/// <param name="Contents">What it holds in words and numbers, for example "12 examples, 340 tokens".</param>
/// <param name="Share">Share of the rows that are drawn from it, 0 to 1.</param>
public sealed record DataSourceReport(string Name, string Contents, double Share);

/// <summary>What a run is about to do.</summary>
/// <param name="RunName">Name of the run: the last part of its directory.</param>
/// <param name="RunPath">Path of the run directory; empty when nothing is kept.</param>
/// <param name="Model">The model in a few words, for example "gpt2, 12 layers, width 768".</param>
/// <param name="Parameters">Count of trained parameters, shared ones counted once.</param>
/// <param name="Device">Name of the device.</param>
/// <param name="Precision">"fp32" or "bf16".</param>
/// <param name="FirstStep">Steps already done: 0 for a new run, the checkpoint's step for a resumed one.</param>
/// <param name="TotalSteps">Step at which training ends; 0 when only time or a target loss ends it.</param>
/// <param name="TokensPerStep">Tokens of one optimizer step, over all accumulated batches.</param>
public sealed record TrainingStart(
    string RunName,
    string RunPath,
    string Model,
    long Parameters,
    string Device,
    string Precision,
    long FirstStep,
    long TotalSteps,
    long TokensPerStep);

/// <summary>One optimizer step.</summary>
/// <param name="Step">The step just done, counted from 1.</param>
/// <param name="TotalSteps">Step at which training ends; 0 when unknown.</param>
/// <param name="Loss">Training loss: mean cross-entropy in nats per target token.</param>
/// <param name="LearningRate">Learning rate that the step used.</param>
/// <param name="GradNorm">Global L2 norm of the gradient before clipping.</param>
/// <param name="TokensPerSecond">Tokens per second since the last report.</param>
/// <param name="MatmulShare">FLOP rate of the step over the device's own matmul rate, 0 to 1; NaN when not measured.</param>
/// <param name="Epoch">Passes over the training data so far, with a fraction.</param>
/// <param name="Tokens">Tokens trained on since step 0.</param>
/// <param name="Elapsed">Training time since step 0, over all resumes.</param>
/// <param name="Eta">Expected time until the end; null when unknown.</param>
/// <param name="ResidentBytes">Physical memory that the process holds.</param>
/// <param name="Skipped">True when the update was not applied: its loss or gradient was not finite or was an outlier.</param>
public readonly record struct StepReport(
    long Step,
    long TotalSteps,
    double Loss,
    double LearningRate,
    double GradNorm,
    double TokensPerSecond,
    double MatmulShare,
    double Epoch,
    long Tokens,
    TimeSpan Elapsed,
    TimeSpan? Eta,
    long ResidentBytes,
    bool Skipped = false);

/// <summary>One evaluation on the validation text.</summary>
/// <param name="Step">Step after which it was made.</param>
/// <param name="Loss">Mean cross-entropy in nats per target token.</param>
/// <param name="BitsPerByte">Cross-entropy in bits per byte of text, which does not depend on the tokenizer; null when unknown.</param>
/// <param name="IsBest">
/// True when no earlier evaluation of the run was as good, by <see cref="TrainingOptions.MetricForBestModel"/>: the loss, unless another is
/// asked for.
/// </param>
public sealed record EvaluationReport(long Step, double Loss, double? BitsPerByte, bool IsBest)
{
    /// <summary>The loss on each source of validation data.</summary>
    public IReadOnlyList<SourceLoss> Sources { get; init; } = [];

    /// <summary>Share of the masked tokens or labels that are right; null for other tasks.</summary>
    public double? Accuracy { get; init; }

    /// <summary>Macro F1 of the labels; null for other tasks.</summary>
    public double? F1 { get; init; }

    /// <summary>Scores of what the model wrote; null unless <see cref="TrainingOptions.EvalMetrics"/> ask for it.</summary>
    public GenerationScores? Generation { get; init; }

    /// <summary>Rewards of the validation pairs; null unless preferences are learnt.</summary>
    public PreferenceResult? Preferences { get; init; }
}

/// <summary>Scores of what the model wrote for validation data.</summary>
/// <param name="Texts">Texts that it wrote.</param>
/// <param name="Available">Texts that it could have been asked for.</param>
/// <param name="Scores">The scores by the names of their metrics, in the order asked for.</param>
/// <param name="Duration">Time that it took.</param>
public sealed record GenerationScores(
    int Texts, int Available, IReadOnlyList<KeyValuePair<string, MetricScore>> Scores, TimeSpan Duration);

/// <summary>A model's loss on one source of data.</summary>
/// <param name="Name">The source: its path.</param>
/// <param name="Loss">Mean cross-entropy in nats per target token.</param>
/// <param name="Targets">Tokens that were predicted.</param>
public sealed record SourceLoss(string Name, double Loss, long Targets);

/// <summary>Text written by the model while it trains.</summary>
/// <param name="Step">Step after which it was written.</param>
/// <param name="Prompt">What it was given; may be empty.</param>
/// <param name="Text">What it wrote.</param>
public sealed record SampleReport(long Step, string Prompt, string Text)
{
    /// <summary>Whether the text is what the prompt became, its translation for one, rather than what follows it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsAnswer { get; init; }

    /// <summary>Both in one text.</summary>
    [JsonIgnore]
    public string Shown => IsAnswer ? $"{Prompt} → {Text}" : Prompt + Text;
}

/// <summary>A checkpoint that is complete on disk.</summary>
/// <param name="Step">Step whose state it holds.</param>
/// <param name="Path">Its directory.</param>
/// <param name="Bytes">Size of its files together.</param>
/// <param name="Duration">Time that writing took, mostly beside training.</param>
public sealed record CheckpointReport(long Step, string Path, long Bytes, TimeSpan Duration);

/// <summary>How a run ended.</summary>
/// <param name="Reason">Why, as the end of a sentence: "2,000 steps done", "interrupted", "target loss 1.90 reached".</param>
/// <param name="Completed">True when the run got where it was told to go; false when it was interrupted or failed.</param>
/// <param name="Step">Last step done.</param>
/// <param name="Loss">Training loss of the last step.</param>
/// <param name="EvalLoss">Loss of the last evaluation; null when there was none.</param>
/// <param name="EvalBitsPerByte">Bits per byte of the last evaluation; null when there was none.</param>
/// <param name="Tokens">Tokens trained on since step 0.</param>
/// <param name="Elapsed">Training time since step 0, over all resumes.</param>
/// <param name="TokensPerSecond">Mean speed of this process's steps.</param>
/// <param name="PeakResidentBytes">Highest physical memory that the process held.</param>
/// <param name="ReportPath">Path of report.html; null when none was written.</param>
public sealed record TrainingEnd(
    string Reason,
    bool Completed,
    long Step,
    double Loss,
    double? EvalLoss,
    double? EvalBitsPerByte,
    long Tokens,
    TimeSpan Elapsed,
    double TokensPerSecond,
    long PeakResidentBytes,
    string? ReportPath);
