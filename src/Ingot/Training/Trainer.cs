using System.Diagnostics;
using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Reports;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Why a run ended.</summary>
public enum StopReason
{
    /// <summary>All epochs or steps are done.</summary>
    Completed,

    /// <summary>The validation loss reached its target.</summary>
    TargetLoss,

    /// <summary>The validation loss or score has not become better for as many evaluations as were allowed.</summary>
    EarlyStopping,

    /// <summary>The time is up.</summary>
    TimeLimit,

    /// <summary>It was asked to stop; it can be resumed.</summary>
    Interrupted,
}

/// <summary>What came of a run.</summary>
/// <param name="RunDirectory">The run's folder.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="Steps">Steps done.</param>
/// <param name="Loss">Latest training loss.</param>
/// <param name="EvalLoss">Latest validation loss.</param>
/// <param name="ModelDirectory">
/// Folder of the trained model: the latest checkpoint or, with <see cref="TrainingOptions.LoadBestModelAtEnd"/>, the best.
/// </param>
public sealed record TrainingResult(
    string RunDirectory, StopReason Reason, long Steps, double Loss, double? EvalLoss, string ModelDirectory)
{
    /// <summary>
    /// Latest scores of what the model wrote, by metric; null unless <see cref="TrainingOptions.EvalMetrics"/> ask for them.
    /// </summary>
    public IReadOnlyDictionary<string, double>? EvalScores { get; init; }
}

/// <summary>Training cannot go on: the loss diverged, or the like. What was saved before is intact.</summary>
public sealed class TrainingException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Trains a model from options: the story of a run, from the text to the last checkpoint. A run that was stopped or killed at any moment
/// and is resumed does bit for bit what it would have done, for a checkpoint holds all that decides the next step. The one exception is a
/// limit of time: then the learning rate follows the speed of the machine (<see cref="ExpectedSteps"/>).
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly ITrainingObserver _observer;
    private readonly RunDirectory _run;
    private readonly TrainerState _state;
    private readonly Device _device;
    private readonly TrainingData _data;
    private readonly ModelConfig _model;
    private readonly string? _baseFolder; // That an adapter was made for.
    private readonly string _generationConfig;
    private readonly ParameterStore _parameters;
    private readonly TrainingStep _step;
    private readonly PreferenceStep? _preferences; // Where pairs of answers are learnt; _step is its second part.
    private readonly Evaluator? _evaluator;
    private readonly GenerationEvaluator? _generation; // Where what the model writes is scored.
    private readonly CheckpointStore _checkpoints;
    private readonly CheckpointWriter _writer;
    private readonly StepLog<MetricsRow> _metrics;
    private readonly StepLog<SampleReport> _samples;
    private readonly TensorBoardWriter _board;
    private readonly long _totalSteps;
    private readonly LearningRateSchedule _schedule;
    private readonly double _matmulFlops;
    private readonly Batch _batch;

    // The clock: seconds of training before this process, its start, and time and tokens of its steps, in all and since the last report.
    private readonly double _secondsBefore;
    private readonly long _began = Stopwatch.GetTimestamp();
    private (double Seconds, long Tokens) _worked;
    private (double Seconds, long Tokens) _workedSinceReport;

    // The batch of a step that has begun; null between steps.
    private BegunBatch? _begun;

    private string? _latestCheckpoint;
    private long _evaluatedAt = -1;
    private long _savedAt = -1;

    private Trainer(TrainingOptions options, RunDirectory run, Checkpoint? from, ITrainingObserver observer, CancellationToken ct)
    {
        (_options, _run, _observer) = (options, run, observer);
        try
        {
            NativeRuntime.Threads = options.Threads;
            KernelPlugins.Load(options.Plugins);
            _device = DeviceChoice.Find(options.Device);
            _state = from is null ? new TrainerState() : TrainerState.Read(Path.Combine(from.Path, TrainerState.FileName));
            _secondsBefore = _state.ElapsedSeconds;
            _latestCheckpoint = from?.Path;
            _savedAt = from?.Step ?? -1;

            // Data → tokenizer → tokens.
            _data = TrainingData.Open(options, from?.Path, observer, ct);

            // Model → rows → plan → parameters → programs.
            using var start = StartingPoint.Find(options, from?.Path, _data.Tokenizer, _data.Task, _data.Labels, observer);
            _model = start.Model;
            var (length, sourceLength) = TrainingPlan.LengthsOf(options, _model);
            if (Math.Max(length, sourceLength) > _model.MaxPositions)
            {
                var name = sourceLength == 0 ? "sequenceLength" : length > sourceLength ? "maxTargetLength" : "maxSourceLength";
                throw new ArgumentException($"{name} {Math.Max(length, sourceLength)} is longer than the model's {_model.MaxPositions} "
                    + "positions (maxPositionEmbeddings)");
            }

            _data.Prepare(_model, length, observer, ct);
            (length, sourceLength) = (_data.Length, _data.SourceLength);
            // Fewer examples than a batch has rows: no empty ones need be computed.
            var accumulation = options.GradientAccumulationSteps;
            var rows = TrainingPlan.RowsOf(options.Objective);
            var batch = Math.Min(options.PerDeviceTrainBatchSize, (int)Math.Ceiling((double)_data.RowsPerEpoch / rows / accumulation));
            var plan = TrainingPlan.Make(_model, options with
            {
                PerDeviceTrainBatchSize = batch,
                SequenceLength = length,
                MaxTargetLength = sourceLength > 0 ? length : null,
                MaxSourceLength = sourceLength > 0 ? sourceLength : null,
            });
            // Before batches are allocated and read ahead, which are as large as is asked for.
            TrainingPlan.RequireMemory(plan, _device);
            batch *= rows;
            _data.Start(batch * accumulation, rows > 1 ? batch : EvaluationBatch, _state.Data);
            var stepOptions = TrainingPlan.StepOptions(options, _model) with
            {
                Batch = batch,
                Length = length,
                SourceLength = sourceLength,
                HasSegments = _data.HasSegments,
            };
            _parameters = new ParameterStore(_device, ParameterSelection.Layout(_model, options), stepOptions.ComputeType, training: true);
            // A checkpoint holds all weights, or an adapter beside which the base's are needed.
            if (from is null || _model is AdaptedModel)
                start.Fill(_parameters, (ulong)options.Seed);
            if (from is not null)
                LoadState(from.Path);
            _baseFolder = start.Folder;
            _generationConfig = GenerationConfigText(from?.Path ?? start.Folder);
            if (options.Objective == TrainingObjective.Dpo)
            {
                _preferences = new PreferenceStep(_model, _parameters, ((AdaptedModel)_model).Base, _parameters, stepOptions,
                    options.DpoBeta, options.DpoLabelSmoothing);
            }

            _step = _preferences?.Step ?? new TrainingStep(_model, _parameters, stepOptions);
            _step.Updates = _state.Updates;
            if (_data.ValidationParts.Count > 0 && _preferences is null)
            {
                _evaluator = new Evaluator(_model, _parameters, EvaluationBatch, length, _data.ValidationHasSegments, options.Kernels,
                    sourceLength, predicts: !_model.Task.Writes());
            }

            if (options.EvalMetrics.Count > 0)
            {
                _generation = new GenerationEvaluator(options, _model, _parameters, _data, GenerationConfig.Parse(_generationConfig),
                    EvaluationBatch, observer);
            }

            _batch = _data.NewBatch();

            _totalSteps = TotalSteps();
            _schedule = new LearningRateSchedule(options, Math.Max(1, _totalSteps));
            _matmulFlops = StepBenchmark.MatmulRate(_model, stepOptions, _device) * 1e9;

            // The run's files. Until here nothing is written, so that a run that cannot begin leaves nothing.
            run.WriteConfig(Recipe.ToJson(options));
            _checkpoints = run.OpenCheckpoints(options.SaveTotalLimit);
            _writer = new CheckpointWriter(_checkpoints, _device);
            _metrics = run.OpenMetrics(_state.Step);
            _samples = run.OpenSamples(_state.Step);
            _board = run.OpenTensorBoard(_state.Step);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private long TokensPerStep => (long)_batch.Rows * _batch.MostLength;

    private int EvaluationBatch => _options.PerDeviceEvalBatchSize ?? _options.PerDeviceTrainBatchSize;

    private double Elapsed => _secondsBefore + Stopwatch.GetElapsedTime(_began).TotalSeconds;

    /// <summary>Trains a new model.</summary>
    /// <exception cref="TrainingOptionsException">An option is wrong.</exception>
    /// <exception cref="TrainingException">Training cannot go on.</exception>
    /// <exception cref="OperationCanceledException">It was asked to stop before the first step; there is nothing to resume.</exception>
    public static TrainingResult Run(TrainingOptions options, ITrainingObserver observer, CancellationToken cancellationToken = default)
    {
        options.ThrowIfInvalid();
        using var run = RunDirectory.Create(RunPath(options), options.OverwriteOutputDir);
        using var trainer = new Trainer(options, run, null, observer, cancellationToken);
        return trainer.Train(cancellationToken);
    }

    /// <summary>Goes on with a run from its newest checkpoint that is complete.</summary>
    /// <param name="runDirectory">The run's folder.</param>
    /// <param name="options">Options in place of the run's own, which they replace for good; or null.</param>
    /// <param name="observer">Who watches.</param>
    /// <param name="cancellationToken">Asks the run to save and stop.</param>
    /// <exception cref="TrainingOptionsException">An option is wrong.</exception>
    /// <exception cref="TrainingException">Training cannot go on.</exception>
    public static TrainingResult Resume(string runDirectory, TrainingOptions? options, ITrainingObserver observer,
        CancellationToken cancellationToken = default)
    {
        using var run = RunDirectory.Resume(runDirectory);
        options ??= Recipe.Load(run.ConfigPath);
        options.ThrowIfInvalid();
        var checkpoint = run.OpenCheckpoints(options.SaveTotalLimit).FindLatestValid(observer.OnWarning);
        if (checkpoint is null)
            observer.OnWarning($"{runDirectory} has no complete checkpoint: the run starts from its beginning");
        using var trainer = new Trainer(options, run, checkpoint, observer, cancellationToken);
        return trainer.Train(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _board?.Dispose();
        _samples?.Dispose();
        _metrics?.Dispose();
        _writer?.Dispose();
        _evaluator?.Dispose();
        (_preferences ?? (IDisposable?)_step)?.Dispose();
        _parameters?.Dispose();
        _data?.Dispose();
    }

    private static string RunPath(TrainingOptions options) => options.OutputDir ?? options.DefaultOutputDir();

    private TrainingResult Train(CancellationToken ct)
    {
        var start = new TrainingStart(_run.Name, _run.DirectoryPath, Describe(_model), _parameters.Layout.TrainedCount,
            _device.Properties.Name, _options.Precision.ToString().ToLowerInvariant(), _state.Step, _totalSteps, TokensPerStep);
        _observer.OnData(_data.Report!);
        _observer.OnStart(start);
        try
        {
            var reason = Loop(ct);
            if (_savedAt != _state.Step)
                Save(); // Asked to stop before the first step.
            if (_writer.Wait() is { } last)
                Saved(last);
            End(start, Describe(reason), completed: reason != StopReason.Interrupted);
            return new TrainingResult(
                _run.DirectoryPath, reason, _state.Step, _state.Loss ?? double.NaN, _state.EvalLoss, ResultDirectory())
            {
                EvalScores = _state.EvalScores,
            };
        }
        catch (IngotException e) when (e.Status == Status.ErrorDevice)
        {
            Fail(start, e);
            throw new TrainingException($"{e.Message}. Training had come to step {_state.Step}; "
                + (_latestCheckpoint is null ? "there is no checkpoint yet: start it again"
                    : $"the latest checkpoint is {_latestCheckpoint}: `ingot train --resume {_run.DirectoryPath}` goes on from there"), e);
        }
        catch (Exception e)
        {
            Fail(start, e);
            throw;
        }
    }

    /// <summary>Steps, and what is due after each, until there is a reason to stop.</summary>
    private StopReason Loop(CancellationToken ct)
    {
        var reason = _state.Unevaluated is null ? ReasonToStop(ct) : null;
        while (reason is null)
        {
            var row = _state.Unevaluated ?? Step();
            _state.Unevaluated = null;
            reason = ReasonToStop(ct);

            // The end of the run is evaluated, reported, sampled and saved whether that is due or not.
            EvaluationReport? evaluation;
            try
            {
                evaluation = Due(_options.EvalSteps) || IsEnd(reason) ? Evaluate(ct) : null;
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                // A resumed run begins with the evaluation.
                _state.Unevaluated = row;
                Save();
                return StopReason.Interrupted;
            }

            if (evaluation is not null)
            {
                row = row with
                {
                    EvalLoss = Finite(_state.EvalLoss),
                    EvalBitsPerByte = Finite(_state.EvalBitsPerByte),
                    EvalAccuracy = _state.EvalAccuracy,
                    EvalF1 = _state.EvalF1,
                    EvalScores = _state.EvalScores,
                };
                reason = ReasonToStop(ct);
            }

            if (Due(_options.LoggingSteps) || evaluation is not null || IsEnd(reason) || row.Skipped == true || _state.Step == 1)
                Report(row);
            if (_state.SkippedInARow >= _options.MaxSkippedSteps)
                throw Diverged();
            if (Due(_options.SampleSteps) || IsEnd(reason))
                WriteSamples();
            if (Due(_options.SaveSteps) || (evaluation is { IsBest: true } && _options.LoadBestModelAtEnd) || reason is not null)
                Save();
            if (_writer.TryTakeCompleted(out var done))
                Saved(done);
        }

        return reason.Value;
    }

    /// <summary>One optimizer step on the next batch.</summary>
    private MetricsRow Step()
    {
        var began = Stopwatch.GetTimestamp();
        var batch = _begun ?? Begin(_state.Step);
        // A step that is skipped counts as a step, its batch is used up, but it is no update: like the parameters and the moments, the
        // learning rate stays where it was. So does Transformers' Trainer.
        var learningRate = _schedule.At(_state.Updates, ExpectedSteps());
        var (lossLimit, normLimit) = _state.Guard.Limits(_options.SkipZScore);
        _step.Update(learningRate, lossLimit, normLimit);
        // A GPU goes on with the next step's forward and backward pass while the host waits for this step's result, reports and saves.
        _begun = _device.Kind == DeviceKind.Cuda && _state.Step + 1 != _totalSteps ? Begin(_state.Step + 1) : null;
        var result = _step.Finish();
        _state.Step++;
        _state.Updates = _step.Updates;
        _state.Tokens += batch.Tokens;
        _state.Data = batch.After;
        _state.Loss = result.Loss;
        if (result.Applied)
        {
            _state.SkippedInARow = 0;
            _state.Guard.Add(result.Loss, result.GradientNorm);
        }
        else
        {
            _state.SkippedInARow++;
            _observer.OnWarning($"step {_state.Step} was skipped: {WhySkipped(result, lossLimit, normLimit)}");
        }

        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        _worked = (_worked.Seconds + seconds, _worked.Tokens + batch.Tokens);
        _workedSinceReport = (_workedSinceReport.Seconds + seconds, _workedSinceReport.Tokens + batch.Tokens);
        return new MetricsRow
        {
            Step = _state.Step,
            Loss = result.Loss,
            LearningRate = learningRate,
            GradNorm = result.GradientNorm,
            TokensPerSecond = _workedSinceReport.Tokens / _workedSinceReport.Seconds,
            Epoch = batch.Epochs,
            Tokens = _state.Tokens,
            ElapsedSeconds = Elapsed,
            Skipped = result.Applied ? null : true,
            RewardAccuracy = batch.Preferences?.Accuracy,
            RewardMargin = Finite(batch.Preferences?.Margin),
        };
    }

    /// <summary>
    /// Takes the next batch and begins a step on it. Where the data stands then belongs to the state once the step is done.
    /// </summary>
    private BegunBatch Begin(long step)
    {
        _data.Next(_batch);
        if (!_batch.Targets.ContainsAnyExcept(Batch.Ignore))
        {
            throw new TrainingException($"{_data.Names}: the batch of step {step + 1} has no token to learn. Are all documents of one "
                + "token, or all answers cut off?");
        }

        var preferences = _preferences?.Begin(_batch.Tokens, _batch.Targets, step);
        if (preferences is null)
            _step.Begin(_batch, step);
        return new BegunBatch(_data.Position, _batch.TokenCount, _data.Epochs, preferences);
    }

    private StopReason? ReasonToStop(CancellationToken ct) =>
        _state.EvalLoss <= _options.TargetLoss ? StopReason.TargetLoss
        : _state.EvaluationsWithoutGain >= _options.EarlyStoppingPatience ? StopReason.EarlyStopping
        : _totalSteps > 0 && _state.Step >= _totalSteps ? StopReason.Completed
        : Elapsed >= _options.MaxTime ? StopReason.TimeLimit
        : ct.IsCancellationRequested ? StopReason.Interrupted
        : null;

    private static bool IsEnd(StopReason? reason) => reason is not (null or StopReason.Interrupted);

    private bool Due(long every) => every > 0 && _state.Step % every == 0;

    private static double? Finite(double? value) => value is { } v && double.IsFinite(v) ? v : null;

    private static string WhySkipped(StepResult result, double lossLimit, double normLimit) =>
        !double.IsFinite(result.Loss) ? $"the loss is {result.Loss}"
        : !double.IsFinite(result.GradientNorm) ? $"the gradient's norm is {result.GradientNorm}"
        : result.Loss > lossLimit ? $"the loss {result.Loss:0.###} is above {lossLimit:0.###} (skipZScore)"
        : $"the gradient's norm {result.GradientNorm:0.###} is above {normLimit:0.###} (skipZScore)";

    private TrainingException Diverged()
    {
        if (_writer.Wait() is { } last)
            Saved(last);
        return new TrainingException($"training stopped at step {_state.Step}: {_state.SkippedInARow} steps in a row were skipped "
            + $"(maxSkippedSteps). Lower the learning rate (it is {_options.LearningRate}), warm up longer, or clip harder (maxGradNorm)"
            + (_options.SkipZScore > 0 ? ", or call fewer steps outliers (skipZScore)" : "")
            + (_latestCheckpoint is null ? "; there is no checkpoint yet" : $"; the latest checkpoint is {_latestCheckpoint}"));
    }

    private EvaluationReport? Evaluate(CancellationToken ct)
    {
        if (_data.ValidationParts.Count == 0)
            return null;
        if (_generation is not null)
            ct.ThrowIfCancellationRequested();
        var (judged, accuracy, chosen, rejected) = (0, 0.0, 0.0, 0.0);
        var scores = new PredictionScores();
        var losses = _data.ValidationParts.ToDictionary(part => part, _ => (Sum: 0.0, Count: 0L));
        foreach (var (part, batch) in _data.ValidationBatches(_options.EvalIterations))
        {
            var (batchSum, batchCount) = _evaluator?.Run(batch) ?? Judge(batch);
            losses[part] = (losses[part].Sum + batchSum, losses[part].Count + batchCount);
            scores.Add(_evaluator?.Predictions ?? []);
        }

        var (sum, count) = losses.Values.Aggregate((Sum: 0.0, Count: 0L), (all, one) => (all.Sum + one.Sum, all.Count + one.Count));
        var bytes = losses.Aggregate((double?)0, (all, part) => all + (part.Value.Count * part.Key.ValidationBytesPerToken));
        if (count == 0)
            throw new TrainingException($"{_data.Names}: the validation data has no token to predict: take more of it");
        var written = _generation?.Run(_observer.OnGeneration, ct);
        _evaluatedAt = _state.Step;
        _state.EvalLoss = sum / count;
        _state.EvalScores = written?.Scores.ToDictionary(score => score.Key, score => score.Value.Value);
        _state.EvalAccuracy = scores.Count > 0 ? scores.Accuracy : null;
        _state.EvalF1 = scores.Count > 0 && _model.Task.IsClassification() ? scores.MacroF1 : null;
        _state.EvalBitsPerByte = sum / Math.Log(2) / bytes;
        var score = LatestScore();
        var gain = (score ?? CheckpointScore.OfLoss(sum / count)).GainOver(
            score is null && _state.BestEvalLoss is { } lowest ? CheckpointScore.OfLoss(lowest) : _state.BestScore);
        // As Hugging Face's EarlyStoppingCallback counts: against the best so far, by more than the threshold.
        _state.EvaluationsWithoutGain = gain > _options.EarlyStoppingThreshold ? 0 : _state.EvaluationsWithoutGain + 1;
        if (gain > 0)
            _state.BestScore = score;
        if (_state.EvalLoss < (_state.BestEvalLoss ?? double.PositiveInfinity))
            _state.BestEvalLoss = _state.EvalLoss;
        var report = new EvaluationReport(_state.Step, _state.EvalLoss.Value, _state.EvalBitsPerByte, IsBest: gain > 0)
        {
            Generation = written,
            Preferences = judged > 0
                ? new PreferenceResult(_state.EvalLoss.Value, accuracy / judged, chosen / judged, rejected / judged)
                : null,
            Accuracy = _state.EvalAccuracy,
            F1 = _state.EvalF1,
            Sources = [.. losses.Select(part => new SourceLoss(part.Key.Name, part.Value.Sum / part.Value.Count, part.Value.Count))],
        };
        _observer.OnEvaluation(report);
        return report;

        // Of pairs, each has a loss.
        (double Sum, long Count) Judge(Batch batch)
        {
            var result = _preferences!.Measure(batch.Tokens, batch.Targets);
            judged++;
            accuracy += result.Accuracy;
            chosen += result.ChosenReward;
            rejected += result.RejectedReward;
            return (result.Loss * batch.Rows / 2, batch.Rows / 2);
        }
    }

    /// <summary>The latest evaluation's score by which the best model is chosen; null if that is the loss.</summary>
    private CheckpointScore? LatestScore()
    {
        var name = _options.MetricForBestModel;
        return _generation is not null && _state.EvalScores?.TryGetValue(name, out var value) == true
            ? new CheckpointScore(name, value, _generation.IsGreaterBetter(name))
            : null;
    }

    /// <summary>Writes a step to the logs and tells the observer.</summary>
    private void Report(MetricsRow row)
    {
        _workedSinceReport = default;
        _metrics.Append(row);
        _board.AddScalar("train/loss", (float)row.Loss, row.Step);
        _board.AddScalar("train/learning_rate", (float)row.LearningRate, row.Step);
        _board.AddScalar("train/grad_norm", (float)row.GradNorm, row.Step);
        _board.AddScalar("train/tokens_per_second", (float)row.TokensPerSecond, row.Step);
        if (row.EvalLoss is { } evalLoss)
            _board.AddScalar("eval/loss", (float)evalLoss, row.Step);
        if (row.EvalAccuracy is { } accuracy)
            _board.AddScalar("eval/accuracy", (float)accuracy, row.Step);
        if (row.EvalF1 is { } f1)
            _board.AddScalar("eval/f1", (float)f1, row.Step);
        foreach (var (metric, score) in row.EvalScores ?? new Dictionary<string, double>())
            _board.AddScalar($"eval/{metric}", (float)score, row.Step);
        _board.Flush();
        var total = ExpectedSteps();
        var left = _options.MaxTime is { } limit && _totalSteps == 0
            ? limit - row.ElapsedSeconds
            : row.ElapsedSeconds / row.Step * (total - row.Step);
        _observer.OnStep(new StepReport(row.Step, total, row.Loss, row.LearningRate, row.GradNorm, row.TokensPerSecond,
            row.TokensPerSecond * _model.TrainingFlopsPerToken(_data.Length) / _matmulFlops, row.Epoch, row.Tokens,
            TimeSpan.FromSeconds(row.ElapsedSeconds), TimeSpan.FromSeconds(Math.Max(0, left)), Environment.WorkingSet,
            row.Skipped == true));
    }

    private void WriteSamples()
    {
        if (_options.SamplePrompts.Count == 0)
            return;
        using var decoder = new Decoder(_model, _parameters);
        // What a text becomes is not drawn: its likeliest translation says how far the model is.
        var isAnswer = _model.EncoderDecoder is not null;
        foreach (var prompt in _options.SamplePrompts)
        {
            var text = TextGenerator.Write(decoder, _data.Tokenizer, prompt, new GenerationOptions
            {
                MaxNewTokens = _options.SampleMaxNewTokens,
                Temperature = isAnswer ? 0 : _options.SampleTemperature,
                TopK = _options.SampleTopK,
                Seed = _options.Seed,
                TruncatePrompt = true,
                SourceLanguage = _options.SourceLanguage,
                TargetLanguage = _options.TargetLanguage,
            });
            var sample = new SampleReport(_state.Step, prompt, string.Concat(text)) { IsAnswer = isAnswer };
            _samples.Append(sample);
            _board.AddText("samples", sample.Shown, _state.Step);
            _observer.OnSample(sample);
        }
    }

    /// <summary>Copies the state and has it written while training goes on.</summary>
    private void Save()
    {
        if (_writer.Wait() is { } earlier)
            Saved(earlier);
        _state.ElapsedSeconds = Elapsed;
        _metrics.FlushToDisk();
        _samples.FlushToDisk();
        var snapshot = _writer.BeginSnapshot(_state.Step);
        if (_model is AdaptedModel adapted)
        {
            snapshot.AddSafetensors(AdapterFiles.WeightsName, [.. AdapterFiles.Weights(adapted, _parameters)]);
            snapshot.AddText(AdapterFiles.ConfigName, AdapterFiles.ConfigText(adapted, _baseFolder));
            if (AdapterFiles.HasModelConfig(adapted))
                snapshot.AddText(ModelFiles.ConfigName, ModelFiles.ConfigText(adapted));
        }
        else
        {
            snapshot.AddSafetensors(ModelFiles.WeightsName, [.. ModelFiles.Weights(_parameters)]);
            snapshot.AddText(ModelFiles.ConfigName, ModelFiles.ConfigText(_model));
        }

        snapshot.AddSafetensors("optimizer.safetensors", [.. ModelFiles.Moments(_parameters)]);
        snapshot.AddText(GenerationConfig.FileName, _generationConfig);
        foreach (var (name, bytes) in _data.TokenizerFiles)
            snapshot.Add(CheckpointFile.Bytes(name, bytes));
        snapshot.AddText(TrainerState.FileName, _state.ToJson());
        _savedAt = _state.Step;
        var isEvaluated = _evaluatedAt == _state.Step;
        _writer.BeginSave(snapshot, isEvaluated ? _state.EvalLoss : null, isEvaluated ? LatestScore() : null);
    }

    /// <summary>How text shall be written with the model: as the folder says that it is from, or this library's defaults.</summary>
    private string GenerationConfigText(string? folder)
    {
        if (_model.EncoderDecoder is not { } model)
            return GenerationConfig.Text(_data.Tokenizer.EndOfTextId);
        var language = _options.TargetLanguage is { } code && model.HasLanguages ? LanguageTokens.Id(_data.Tokenizer, code) : (int?)null;
        return GenerationConfig.Of(model, folder is null ? null : GenerationConfig.Load(folder), language).ToText();
    }

    private void Saved(Checkpoint checkpoint)
    {
        _latestCheckpoint = checkpoint.Path;
        _observer.OnCheckpoint(new CheckpointReport(checkpoint.Step, checkpoint.Path, checkpoint.Bytes, checkpoint.Duration));
    }

    private string ResultDirectory() =>
        _options.LoadBestModelAtEnd && _checkpoints.BestStep() is { } best && _checkpoints.Validate(best, out _) is { } checkpoint
            ? checkpoint.Path
            : _latestCheckpoint!;

    private void LoadState(string folder)
    {
        if (_model is AdaptedModel adapted)
        {
            AdapterFiles.LoadWeights(folder, adapted, _parameters);
        }
        else
        {
            using var weights = SafetensorsFile.Open(Path.Combine(folder, ModelFiles.WeightsName));
            ModelFiles.LoadWeights(weights, _parameters);
        }

        using (var moments = SafetensorsFile.Open(Path.Combine(folder, "optimizer.safetensors")))
            ModelFiles.LoadMoments(moments, _parameters);
    }

    /// <summary>
    /// Steps of the whole run; 0 if only time ends it. Epochs are rounded up to whole steps, so that every window of the text has been
    /// seen; the rest of the last step's batch belongs to the next epoch.
    /// </summary>
    private long TotalSteps()
    {
        var epochs = _options.NumTrainEpochs
            ?? (_options.MaxSteps is null && _options.MaxTime is null ? 1 : null);
        // A hair less than the quotient: 0.1 · 30 / 3 is a little more than 1 in floating point.
        var byEpochs = epochs is { } e
            ? (long)Math.Max(1, Math.Ceiling(e * _data.BatchesPerEpoch * (1 - 1e-12)))
            : long.MaxValue;
        var steps = Math.Min(byEpochs, _options.MaxSteps ?? long.MaxValue);
        return steps == long.MaxValue ? 0 : steps;
    }

    /// <summary>Steps of the whole run as far as it can be told: with a limit of time, what the speed so far promises.</summary>
    private long ExpectedSteps()
    {
        if (_options.MaxTime is not { } limit)
            return _totalSteps;
        var byTime = _state.Step > 0 ? Math.Max(_state.Step + 1, (long)(_state.Step / Elapsed * limit)) : 1000;
        return _totalSteps == 0 ? byTime : Math.Min(byTime, _totalSteps);
    }

    /// <summary>The end: logs to the disk, the report, the observer.</summary>
    private void End(TrainingStart start, string reason, bool completed)
    {
        var elapsed = Elapsed;
        _metrics.FlushToDisk();
        _board.Flush();
        var end = new TrainingEnd(reason, completed, _state.Step, _state.Loss ?? double.NaN, _state.EvalLoss, _state.EvalBitsPerByte,
            _state.Tokens, TimeSpan.FromSeconds(elapsed), _worked.Tokens / Math.Max(1e-9, _worked.Seconds),
            Process.GetCurrentProcess().PeakWorkingSet64, _run.ReportPath);
        try
        {
            WriteReport(start, end);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _observer.OnWarning($"{_run.ReportPath} was not written: {e.Message}");
            end = end with { ReportPath = null };
        }

        _observer.OnEnd(end);
    }

    /// <summary>The end of a run that failed: what it measured may say why. Its own error is the one to tell.</summary>
    private void Fail(TrainingStart start, Exception error)
    {
        try
        {
            if (_writer.Wait() is { } last)
                Saved(last);
            End(start, error is TrainingException ? "training diverged" : "an error", completed: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private void WriteReport(TrainingStart start, TrainingEnd end) => HtmlReport.Write(_run.ReportPath, new RunSummary
    {
        Start = start,
        End = end,
        Metrics = _run.ReadMetrics(),
        Samples = [.. _run.ReadSamples()],
        Configuration = RunFacts.Configuration(_options),
        ModelFacts = RunFacts.Model(_model),
        Environment = RunFacts.Environment(_device),
    });

    private string Describe(StopReason reason) => reason switch
    {
        StopReason.TargetLoss => $"target loss {_options.TargetLoss} reached",
        StopReason.EarlyStopping => $"no better {(_options.MetricForBestModel == CheckpointScore.Loss ? "validation loss"
            : _options.MetricForBestModel)} in {_options.EarlyStoppingPatience:N0} evaluations",
        StopReason.TimeLimit => $"the {_options.MaxTime:#,0.#} seconds are up",
        StopReason.Interrupted => "interrupted",
        _ => $"{_state.Step:N0} steps done",
    };

    private static string Describe(ModelConfig model) =>
        $"{model.ModelType}{(model.Task == ModelTask.CausalLm ? "" : $" for {model.Task.Name()}")}, "
        + (model.EncoderDecoder is { } both ? $"{both.EncoderBlocks} + " : "") + $"{model.Layers} layers, width {model.Width}"
        + (model is AdaptedModel { Lora: var lora } ? $", {(lora.UseDora ? "DoRA" : "LoRA")} of rank {lora.Rank}" : "");

    /// <summary>A batch that a step has begun with.</summary>
    /// <param name="After">Where the data stands after it.</param>
    /// <param name="Tokens">Its tokens, without padding.</param>
    /// <param name="Epochs">Passes over the data after it.</param>
    /// <param name="Preferences">What its pairs said about the model, if it has pairs.</param>
    private readonly record struct BegunBatch(BatchPosition After, int Tokens, double Epochs, PreferenceResult? Preferences);
}
