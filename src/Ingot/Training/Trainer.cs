using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Reports;

namespace Ingot.Training;

/// <summary>Why a run ended.</summary>
public enum StopReason
{
    /// <summary>All epochs or steps are done.</summary>
    Completed,

    /// <summary>The validation loss, or without validation the training loss, reached its target.</summary>
    TargetLoss,

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
/// <param name="ModelDirectory">Folder of the trained model: the latest checkpoint.</param>
public sealed record TrainingResult(string RunDirectory, StopReason Reason, long Steps, double Loss, double? EvalLoss, string ModelDirectory);

/// <summary>Training cannot go on: the loss diverged, or the like. What was saved before is intact.</summary>
public sealed class TrainingException(string message) : Exception(message);

/// <summary>Trains a model from options: the story of a run, from the text to the last checkpoint.</summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly ITrainingObserver _observer;
    private readonly RunDirectory _run;
    private readonly TrainerState _state;
    private readonly TrainingData _data;
    private readonly ModelConfig _model;
    private readonly ParameterStore _parameters;
    private readonly TrainingStep _step;
    private readonly Evaluator? _evaluator;
    private readonly CheckpointStore _checkpoints;
    private readonly CheckpointWriter _writer;
    private readonly StepLog<MetricsRow> _metrics;
    private readonly StepLog<SampleReport> _samples;
    private readonly TensorBoardWriter _board;
    private readonly long _totalSteps;
    private readonly LearningRateSchedule _schedule;
    private readonly double _matmulFlops;
    private string? _latestCheckpoint;
    private long _evaluatedAt = -1;
    private long _sampledAt = -1;
    private long _savedAt = -1;

    private Trainer(TrainingOptions options, RunDirectory run, Checkpoint? from, ITrainingObserver observer, CancellationToken ct)
    {
        (_options, _run, _observer) = (options, run, observer);
        NativeRuntime.Threads = options.Threads;
        _state = from is null ? new TrainerState() : TrainerState.Read(Path.Combine(from.Path, TrainerState.FileName));
        _latestCheckpoint = from?.Path;
        _savedAt = from?.Step ?? -1;

        // Text → tokenizer → token files.
        _data = TrainingData.Open(options, from?.Path, observer, ct);

        // Model → plan → parameters → programs.
        _model = from is null
            ? ModelFactory.Create(options, _data.Tokenizer.VocabularySize, _data.Tokenizer.EndOfTextId)
            : ModelFiles.LoadConfig(from.Path);
        var length = options.SequenceLength ?? _model.MaxPositions;
        if (length > _model.MaxPositions)
            throw new ArgumentException($"sequenceLength {length} is longer than the model's {_model.MaxPositions} positions (maxPositionEmbeddings)");
        var plan = TrainingPlan.Make(_model, options);
        TrainingPlan.RequireMemory(plan, Device.Cpu);
        var stepOptions = TrainingPlan.StepOptions(options, _model);
        _parameters = new ParameterStore(Device.Cpu, _model.DeclareParameters(), stepOptions.ComputeType, training: true);
        if (from is null)
            _parameters.Initialize((ulong)options.Seed);
        else
            LoadState(from.Path);
        _step = new TrainingStep(_model, _parameters, stepOptions) { Updates = _state.Updates };
        _data.Start(stepOptions.Batch, stepOptions.Length, options.GradientAccumulationSteps, _state.Data);
        if (_data.HasValidation)
            _evaluator = new Evaluator(_model, _parameters, options.PerDeviceEvalBatchSize ?? stepOptions.Batch, length, kernels: options.Kernels);

        _totalSteps = TotalSteps();
        _schedule = new LearningRateSchedule(options, Math.Max(1, _totalSteps));
        _matmulFlops = StepBenchmark.MatmulRate(_model, stepOptions) * 1e9;

        // The run's files.
        _checkpoints = run.OpenCheckpoints(options.SaveTotalLimit);
        _writer = new CheckpointWriter(_checkpoints);
        _metrics = run.OpenMetrics(_state.Step);
        _samples = run.OpenSamples(_state.Step);
        _board = run.OpenTensorBoard(_state.Step);
    }

    private long TokensPerStep => (long)_data.Batch * _data.Length * _options.GradientAccumulationSteps;

    /// <summary>Trains a new model.</summary>
    /// <exception cref="TrainingOptionsException">An option is wrong.</exception>
    /// <exception cref="TrainingException">Training cannot go on.</exception>
    public static TrainingResult Run(TrainingOptions options, ITrainingObserver observer, CancellationToken cancellationToken = default)
    {
        options.ThrowIfInvalid();
        using var run = RunDirectory.Create(RunPath(options), options.OverwriteOutputDir);
        run.WriteConfig(Recipe.ToJson(options));
        return Train(options, run, null, observer, cancellationToken);
    }

    /// <summary>Goes on with a run from its newest checkpoint that is complete.</summary>
    /// <param name="runDirectory">The run's folder.</param>
    /// <param name="options">Options in place of the run's own, or null.</param>
    /// <param name="observer">Who watches.</param>
    /// <param name="cancellationToken">Asks the run to save and stop.</param>
    public static TrainingResult Resume(string runDirectory, TrainingOptions? options, ITrainingObserver observer,
        CancellationToken cancellationToken = default)
    {
        using var run = RunDirectory.Resume(runDirectory);
        options ??= Recipe.Load(run.ConfigPath);
        options.ThrowIfInvalid();
        var checkpoint = run.OpenCheckpoints(options.SaveTotalLimit).FindLatestValid(observer.OnWarning);
        if (checkpoint is null)
            observer.OnWarning($"{runDirectory} has no complete checkpoint: the run starts from its beginning");
        return Train(options, run, checkpoint, observer, cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _board?.Dispose();
        _samples?.Dispose();
        _metrics?.Dispose();
        _writer?.Dispose();
        _evaluator?.Dispose();
        _step?.Dispose();
        _parameters?.Dispose();
        _data?.Dispose();
    }

    private static TrainingResult Train(TrainingOptions options, RunDirectory run, Checkpoint? from, ITrainingObserver observer,
        CancellationToken ct)
    {
        using var trainer = new Trainer(options, run, from, observer, ct);
        return trainer.Loop(ct);
    }

    private static string RunPath(TrainingOptions options) =>
        options.OutputDir ?? Path.Combine("runs", options.RunName ?? options.Model);

    private TrainingResult Loop(CancellationToken ct)
    {
        var start = new TrainingStart(_run.Name, _run.DirectoryPath, Describe(_model), _parameters.ParameterCount,
            Device.Cpu.Properties.Name, _options.Precision.ToString().ToLowerInvariant(), _state.Step, _totalSteps, TokensPerStep);
        _observer.OnStart(start);

        var tokens = new int[TokensPerStep];
        var targets = new int[TokensPerStep];
        var began = Stopwatch.GetTimestamp();
        var elapsedBefore = _state.ElapsedSeconds;
        var (loggedAt, loggedTokens) = (began, _state.Tokens);
        var reason = StopReason.Completed;
        double Elapsed() => elapsedBefore + Stopwatch.GetElapsedTime(began).TotalSeconds;

        while (true)
        {
            _state.ElapsedSeconds = Elapsed();
            if (ct.IsCancellationRequested)
            {
                reason = StopReason.Interrupted;
                break;
            }

            if (_totalSteps > 0 && _state.Step >= _totalSteps)
                break;
            if (_options.MaxTime is { } limit && _state.ElapsedSeconds >= limit)
            {
                reason = StopReason.TimeLimit;
                break;
            }

            // One step.
            _data.Next(tokens, targets);
            var learningRate = _schedule.At(_state.Updates, Math.Max(1, ExpectedSteps()));
            var (lossLimit, normLimit) = _state.Guard.Limits(_options.SkipZScore);
            var result = _step.Run(tokens, targets, _state.Step, learningRate, lossLimit, normLimit);
            _state.Step++;
            _state.Updates = _step.Updates;
            _state.Tokens += tokens.Length;
            _state.Data = _data.Position;
            _state.Loss = result.Loss;
            Judge(result, lossLimit, normLimit);

            // What is due after it.
            var row = new MetricsRow
            {
                Step = _state.Step, Loss = result.Loss, LearningRate = learningRate, GradNorm = result.GradientNorm,
                TokensPerSecond = (_state.Tokens - loggedTokens) / Math.Max(1e-9, Stopwatch.GetElapsedTime(loggedAt).TotalSeconds),
                Epoch = (double)_state.Tokens / _data.TrainTokens, Tokens = _state.Tokens, ElapsedSeconds = Elapsed(),
                Skipped = result.Applied ? null : true,
            };
            var evaluated = Due(_options.EvalSteps) && Evaluate();
            if (evaluated)
                row = row with { EvalLoss = _state.EvalLoss, EvalBitsPerByte = _state.EvalBitsPerByte };
            if (Due(_options.LoggingSteps) || evaluated || !result.Applied || _state.Step == 1)
            {
                Log(row);
                (loggedAt, loggedTokens) = (Stopwatch.GetTimestamp(), _state.Tokens);
            }

            if (Due(_options.SampleSteps))
                WriteSamples();
            if (evaluated || Due(_options.SampleSteps))
                loggedAt = Stopwatch.GetTimestamp();
            if (Due(_options.SaveSteps))
                Save(Elapsed());
            if (_writer.TryTakeCompleted(out var done))
                Saved(done);
            if (_options.TargetLoss is { } target && (evaluated ? _state.EvalLoss : _evaluator is null ? result.Loss : null) <= target)
            {
                reason = StopReason.TargetLoss;
                break;
            }
        }

        return Finish(start, reason, Elapsed);
    }

    /// <summary>Evaluates, samples and saves what the end of the run is; an interrupted one only saves.</summary>
    private TrainingResult Finish(TrainingStart start, StopReason reason, Func<double> elapsed)
    {
        _state.ElapsedSeconds = elapsed();
        var training = _state.ElapsedSeconds;
        if (reason != StopReason.Interrupted && _state.Step > 0)
        {
            if (_evaluatedAt != _state.Step && Evaluate())
            {
                Log(new MetricsRow
                {
                    Step = _state.Step, Loss = _state.Loss ?? double.NaN, LearningRate = 0, GradNorm = 0, TokensPerSecond = 0,
                    Epoch = (double)_state.Tokens / _data.TrainTokens, Tokens = _state.Tokens, ElapsedSeconds = training,
                    EvalLoss = _state.EvalLoss, EvalBitsPerByte = _state.EvalBitsPerByte,
                });
            }

            if (_sampledAt != _state.Step)
                WriteSamples();
        }

        if (_savedAt != _state.Step)
            Save(training);
        if (_writer.Wait() is { } last)
            Saved(last);
        var end = new TrainingEnd(reason.ToString(), reason != StopReason.Interrupted, _state.Step, _state.Loss ?? double.NaN,
            _state.EvalLoss, _state.EvalBitsPerByte, _state.Tokens, TimeSpan.FromSeconds(training), _state.Tokens / Math.Max(1e-9, training),
            Process.GetCurrentProcess().PeakWorkingSet64, _run.ReportPath);
        _metrics.FlushToDisk();
        _board.Flush();
        WriteReport(start, end);
        _observer.OnEnd(end);
        return new TrainingResult(_run.DirectoryPath, reason, _state.Step, _state.Loss ?? double.NaN, _state.EvalLoss, _latestCheckpoint!);
    }

    /// <summary>A skipped step is reported; too many in a row end the run.</summary>
    private void Judge(StepResult result, double lossLimit, double normLimit)
    {
        if (result.Applied)
        {
            _state.SkippedInARow = 0;
            _state.Guard.Add(result.Loss, result.GradientNorm);
            return;
        }

        var why = !double.IsFinite(result.Loss) ? $"the loss is {result.Loss}"
            : !double.IsFinite(result.GradientNorm) ? $"the gradient's norm is {result.GradientNorm}"
            : result.Loss > lossLimit ? $"the loss {result.Loss:0.###} is above {lossLimit:0.###}"
            : $"the gradient's norm {result.GradientNorm:0.###} is above {normLimit:0.###}";
        _observer.OnWarning($"step {_state.Step} was skipped: {why}");
        if (++_state.SkippedInARow < _options.MaxSkippedSteps)
            return;
        _writer.Wait();
        throw new TrainingException($"training stopped at step {_state.Step}: {_state.SkippedInARow} steps in a row were skipped, the last "
            + $"because {why}. Lower the learning rate (it is {_options.LearningRate}), take a longer warm-up, or clip harder (maxGradNorm); "
            + $"checkpoints up to the last good one are in {_run.CheckpointsPath}");
    }

    private bool Due(long every) => every > 0 && _state.Step % every == 0;

    private bool Evaluate()
    {
        if (_evaluator is null)
            return false;
        var (sum, count, bytes) = (0.0, 0L, 0.0);
        foreach (var (tokens, targets) in _data.ValidationBatches(_options.PerDeviceEvalBatchSize ?? _data.Batch, _options.EvalIterations))
        {
            var (batchSum, batchCount) = _evaluator.Run(tokens.Span, targets.Span);
            sum += batchSum;
            count += batchCount;
            bytes += batchCount * _data.ValidationBytesPerToken;
        }

        _evaluatedAt = _state.Step;
        _state.EvalLoss = sum / count;
        _state.EvalBitsPerByte = sum / Math.Log(2) / bytes;
        var best = !(_state.EvalLoss >= _state.BestEvalLoss);
        if (best)
            _state.BestEvalLoss = _state.EvalLoss;
        _observer.OnEvaluation(new EvaluationReport(_state.Step, _state.EvalLoss.Value, _state.EvalBitsPerByte, best));
        return true;
    }

    private void Log(MetricsRow row)
    {
        _metrics.Append(row);
        _board.AddScalar("train/loss", (float)row.Loss, row.Step);
        _board.AddScalar("train/learning_rate", (float)row.LearningRate, row.Step);
        _board.AddScalar("train/grad_norm", (float)row.GradNorm, row.Step);
        _board.AddScalar("train/tokens_per_second", (float)row.TokensPerSecond, row.Step);
        if (row.EvalLoss is { } evalLoss)
            _board.AddScalar("eval/loss", (float)evalLoss, row.Step);
        _board.Flush();
        var total = ExpectedSteps();
        var left = _options.MaxTime is { } limit && _totalSteps == 0
            ? limit - row.ElapsedSeconds
            : row.ElapsedSeconds / Math.Max(1, row.Step) * (total - row.Step);
        _observer.OnStep(new StepReport(row.Step, total, row.Loss, row.LearningRate, row.GradNorm, row.TokensPerSecond,
            row.TokensPerSecond * _model.TrainingFlopsPerToken(_data.Length) / _matmulFlops, row.Epoch, row.Tokens,
            TimeSpan.FromSeconds(row.ElapsedSeconds), TimeSpan.FromSeconds(Math.Max(0, left)), Environment.WorkingSet, row.Skipped == true));
    }

    private void WriteSamples()
    {
        _sampledAt = _state.Step;
        if (_options.SamplePrompts.Count == 0)
            return;
        using var decoder = new Decoder(_model, _parameters);
        foreach (var prompt in _options.SamplePrompts)
        {
            var text = TextGenerator.Write(decoder, _data.Tokenizer, prompt, new GenerationOptions
            {
                MaxNewTokens = _options.SampleMaxNewTokens, Temperature = _options.SampleTemperature, TopK = _options.SampleTopK,
                Seed = _options.Seed,
            });
            var sample = new SampleReport(_state.Step, prompt, string.Concat(text));
            _samples.Append(sample);
            _board.AddText("samples", sample.Prompt + sample.Text, _state.Step);
            _observer.OnSample(sample);
        }
    }

    /// <summary>Copies the state and has it written while training goes on.</summary>
    private void Save(double elapsed)
    {
        if (_writer.Wait() is { } earlier)
            Saved(earlier);
        _state.ElapsedSeconds = elapsed;
        _metrics.FlushToDisk();
        var snapshot = _writer.BeginSnapshot(_state.Step);
        snapshot.AddSafetensors(ModelFiles.WeightsName, [.. ModelFiles.Sources(_parameters, _parameters.Master)]);
        snapshot.AddSafetensors("optimizer.safetensors",
        [
            .. ModelFiles.Sources(_parameters, _parameters.FirstMoments!, "m."), .. ModelFiles.Sources(_parameters, _parameters.SecondMoments!, "v."),
        ]);
        snapshot.AddText(ModelFiles.ConfigName, ModelFiles.ConfigText(_model));
        snapshot.AddText("generation_config.json", GenerationConfig.Text(_data.Tokenizer.EndOfTextId));
        foreach (var (name, bytes) in _data.TokenizerFiles)
            snapshot.Add(CheckpointFile.Bytes(name, bytes));
        snapshot.AddText(TrainerState.FileName, _state.ToJson());
        _savedAt = _state.Step;
        _writer.BeginSave(snapshot, _evaluatedAt == _state.Step ? _state.EvalLoss : null);
    }

    private void Saved(Checkpoint checkpoint)
    {
        _latestCheckpoint = checkpoint.Path;
        _observer.OnCheckpoint(new CheckpointReport(checkpoint.Step, checkpoint.Path, checkpoint.Bytes, checkpoint.Duration));
    }

    private void LoadState(string folder)
    {
        using (var weights = SafetensorsFile.Open(Path.Combine(folder, ModelFiles.WeightsName)))
            ModelFiles.Load(weights, _parameters, _parameters.Master);
        using (var moments = SafetensorsFile.Open(Path.Combine(folder, "optimizer.safetensors")))
        {
            ModelFiles.Load(moments, _parameters, _parameters.FirstMoments!, "m.");
            ModelFiles.Load(moments, _parameters, _parameters.SecondMoments!, "v.");
        }

        _parameters.RefreshCompute();
    }

    /// <summary>Steps of the whole run; 0 if only time or the loss ends it.</summary>
    private long TotalSteps()
    {
        var epochs = _options.NumTrainEpochs
            ?? (_options.MaxSteps is null && _options.MaxTime is null ? 1 : null);
        var byEpochs = epochs is { } e ? (long)Math.Max(1, Math.Ceiling(e * _data.TrainTokens / TokensPerStep)) : long.MaxValue;
        var steps = Math.Min(byEpochs, _options.MaxSteps ?? long.MaxValue);
        return steps == long.MaxValue ? 0 : steps;
    }

    /// <summary>Steps of the whole run as far as it can be told: with a limit of time, what the speed so far promises.</summary>
    private long ExpectedSteps()
    {
        var byTime = _options.MaxTime is { } limit && _state.ElapsedSeconds > 0 && _state.Step > 0
            ? Math.Max(_state.Step + 1, (long)(_state.Step / _state.ElapsedSeconds * limit))
            : _options.MaxTime is null ? long.MaxValue : 1000;
        return Math.Min(byTime, _totalSteps == 0 ? long.MaxValue : _totalSteps) is var n && n == long.MaxValue ? _state.Step + 1 : n;
    }

    private void WriteReport(TrainingStart start, TrainingEnd end) => HtmlReport.Write(_run.ReportPath, new RunSummary
    {
        Start = start,
        End = end,
        Metrics = _run.ReadMetrics(),
        Samples = [.. _run.ReadSamples()],
        Configuration = RunFacts.Configuration(_options),
        ModelFacts = RunFacts.Model(_model),
        Environment = RunFacts.Environment(),
    });

    private static string Describe(ModelConfig model) => $"{model.ModelType}, {model.Layers} layers, width {model.Width}";
}
