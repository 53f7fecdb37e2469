using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Data;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Graphs.Passes;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>What a <see cref="TrainingStep"/> needs to know.</summary>
public sealed record TrainingStepOptions
{
    /// <summary>Sequences that go through the model at a time.</summary>
    public required int Batch { get; init; }

    /// <summary>Tokens of each sequence; batches may have shorter ones, each length of which gets programs of its own.</summary>
    public required int Length { get; init; }

    /// <summary>Whether rows hold several sequences that do not see each other: batches then have positions and segments.</summary>
    public bool HasSegments { get; init; }

    /// <summary>Tokens of each row's source, which an encoder reads, at most; 0 for models that are not encoder-decoders.</summary>
    public int SourceLength { get; init; }

    /// <summary>
    /// Whether each row has a weight for the gradients of its losses, given with the batch, as is then the loss to report; otherwise all
    /// targets count the same.
    /// </summary>
    public bool HasRowWeights { get; init; }

    /// <summary>dtype of computations: F32 or Bf16.</summary>
    public DType ComputeType { get; init; } = DType.F32;

    /// <summary>Let matmuls round fp32 operands to TF32, where the device has tensor cores for it.</summary>
    public bool Tf32 { get; init; }

    /// <summary>Bytes that the head's logits take at most.</summary>
    public long HeadBytes { get; init; } = Head.ChunkBytesFor(DeviceKind.Cpu);

    /// <summary>What is computed again in the backward pass instead of being kept.</summary>
    public RecomputePolicy Recompute { get; init; }

    /// <summary>Decay of the first moments.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moments.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>AdamW's epsilon.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay of matrices and tables.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Largest norm of the gradient; 0 for no clipping.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Label smoothing of the loss.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Targets that do not count.</summary>
    public int IgnoreIndex { get; init; } = Ingot.Data.Batch.Ignore;

    /// <summary>Key of the dropout masks.</summary>
    public long Seed { get; init; }

    /// <summary>Kernel variants by op or layer/op (<see cref="KernelChoices"/>); other calls take the default.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>Joins calls where kernels can do several things at once.</summary>
    public bool Fuse { get; init; } = true;

    /// <summary>Lets temporaries share memory.</summary>
    public bool ShareMemory { get; init; } = true;

    /// <summary>Measures each call.</summary>
    public bool Timed { get; init; }
}

/// <summary>What came of a step.</summary>
/// <param name="Loss">Mean negative log-likelihood of the targets that count, in nats.</param>
/// <param name="GradientNorm">Norm of the gradient before clipping.</param>
/// <param name="Applied">Whether the parameters were updated; not if loss or norm were not finite or above their limits.</param>
public readonly record struct StepResult(double Loss, double GradientNorm, bool Applied);

/// <summary>
/// One optimizer step as native programs: forward and backward for each micro-batch, then the norm, the decision and AdamW over
/// all parameters. Nothing is allocated while it runs, but for a batch of a new length. On a GPU <see cref="Begin(Batch, long)"/> and
/// <see cref="Update"/> only put work into the stream, so that the next step can begin before this one's result is read
/// (<see cref="Finish"/>), and the GPU never waits for the host.
/// </summary>
public sealed class TrainingStep : IDisposable
{
    // What a pass is given lies behind its tokens and targets (and positions, segments and token types), what an update is given and what
    // comes of it in buffers of their own; each value on its own cache line.
    private const long LimitsAt = 0, SchedulesAt = 64, ScheduleBytes = 64;
    private const long LossAt = 0, NormAt = 64, ControlAt = 128, SquaresAt = 192, ResultsBytes = 256;

    private readonly ModelConfig _model;
    private readonly TrainingStepOptions _options;
    private readonly long _targetsAt, _positionsAt, _segmentsAt, _tokenTypesAt, _sourceAt, _sourceLengthsAt, _scaleAt, _seedAt;
    private readonly HostInput _pass;
    private readonly HostInput _settings;
    private readonly DeviceBuffer _results;
    private readonly DeviceBuffer? _readBack; // On a GPU: the host's copy of the results,
    private readonly NativeEvent? _done;      // and when it is there.
    private readonly double[] _learningRateFactors; // Of the parameters' groups: each has a schedule of its own.
    private readonly CompiledGraph _first; // The first micro-batch of the longest rows.
    private readonly NativeProgram _update;
    private readonly Dictionary<(int Length, int SourceLength, bool AddsToGradients), CompiledGraph> _passes = [];
    private long _nativeTicks;

    /// <summary>Writes the model down, takes its gradients and prepares the programs.</summary>
    public TrainingStep(ModelConfig model, ParameterStore parameters, TrainingStepOptions options)
    {
        (_model, Parameters, _options) = (model, parameters, options);
        var device = parameters.Device;
        var onHost = device.Kind == DeviceKind.Cpu;
        _targetsAt = ((4L * options.Batch * options.Length) + 255) / 256 * 256;
        (_positionsAt, _segmentsAt, _tokenTypesAt) = (2 * _targetsAt, 3 * _targetsAt, 4 * _targetsAt);
        _sourceAt = (options.HasSegments ? 5 : 2) * _targetsAt;
        _sourceLengthsAt = _sourceAt + (((4L * options.Batch * options.SourceLength) + 63) / 64 * 64);
        _scaleAt = _sourceLengthsAt + (options.SourceLength > 0 ? ((4L * options.Batch) + 63) / 64 * 64 : 0);
        _seedAt = _scaleAt + (((4L * options.Batch) + 63) / 64 * 64);
        try
        {
            _pass = new HostInput(device, _seedAt + 64);
            _learningRateFactors = [.. parameters.Layout.Groups.Select(g => g.Settings.LearningRateFactor).Distinct()];
            _settings = new HostInput(device, SchedulesAt + (ScheduleBytes * _learningRateFactors.Length));
            _results = new DeviceBuffer(device, ResultsBytes, pinned: onHost);
            if (!onHost)
                (_readBack, _done) = (new DeviceBuffer(device, ResultsBytes, pinned: true), new NativeEvent(device));
            _first = Compile(options.Length, options.SourceLength, addToGradients: false);
            _passes.Add((options.Length, options.SourceLength, false), _first);
            var choices = new KernelChoices(options.Kernels);
            var update = UpdateCalls();
            choices.Check(device.Kind, [.. update.Select(c => (c.Op, c.Label!))]);
            _update = new NativeProgram(device, [.. update.Select(c => c with { Kernel = choices.For(c.Op, c.Label!) })], options.Timed);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The parameters that it trains.</summary>
    public ParameterStore Parameters { get; }

    /// <summary>Updates applied so far: the t of AdamW's bias correction. Set it when a run is resumed.</summary>
    public long Updates { get; set; }

    /// <summary>Time spent in native programs so far.</summary>
    public TimeSpan NativeTime => Stopwatch.GetElapsedTime(0, _nativeTicks);

    /// <summary>Memory of temporaries, in bytes.</summary>
    public long ArenaBytes => _first.Plan.ArenaBytes;

    /// <summary>That memory; other programs may use it between passes.</summary>
    internal DeviceBuffer? Arena => _first.Arena;

    /// <summary>The program of the first micro-batch: for timings.</summary>
    public NativeProgram Program => _first.Program;

    /// <summary>The calls of that program, in its order.</summary>
    internal IReadOnlyList<Call> Calls => _first.Calls;

    /// <summary>The same calls with their operands in memory.</summary>
    public IReadOnlyList<OpCall> OpCalls => _first.OpCalls;

    /// <summary>The program of the update: for timings.</summary>
    public NativeProgram UpdateProgram => _update;

    /// <summary>The graph of a training pass, before any pass over it. Without a layout all parameters are trained.</summary>
    public static Graph Write(ModelConfig model, TrainingStepOptions options, bool addToGradients = false, ParameterLayout? layout = null)
    {
        var graph = new Graph(options.ComputeType) { IsTrained = name => layout?.IsTrained(name) != false };
        var seed = graph.Input("seed", DType.I64, 2);
        var context = options.HasSegments
            ? ForwardContext.WithSegments(graph, options.Batch, options.Length, seed)
            : options.SourceLength > 0 ? ForwardContext.WithSource(graph, options.Batch, options.Length, options.SourceLength, seed)
            : new ForwardContext(graph, options.Batch, options.Length) { DropoutSeed = seed };
        var targets = model.TargetsInput(graph, options.Batch, options.Length);
        var scale = graph.Input("scale", DType.F32, options.HasRowWeights ? options.Batch : 1);
        var losses = model.Losses(context, targets, scale, options.IgnoreIndex, options.LabelSmoothing);
        if (options.HasRowWeights)
            return graph;
        var loss = graph.Place(StorageKind.Output, "loss", DType.F32, 1);
        graph.Emit(Elementwise.ReduceSumOp, [losses, scale, loss], new OpAttribute("accumulate", addToGradients));
        return graph;
    }

    /// <summary>
    /// Trains on a batch: tokens and targets of [micro-batches · batch, length]. Targets of the ignore index do not count; at
    /// least one must count.
    /// </summary>
    /// <param name="tokens">Token ids.</param>
    /// <param name="targets">What follows each of them.</param>
    /// <param name="step">Number of the step, for dropout.</param>
    /// <param name="learningRate">Learning rate.</param>
    /// <param name="lossLimit">Loss above which the step is skipped.</param>
    /// <param name="normLimit">Norm of the gradient above which the step is skipped.</param>
    public StepResult Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, long step, double learningRate,
        double lossLimit = double.PositiveInfinity, double normLimit = double.PositiveInfinity)
    {
        Begin(tokens, targets, step);
        Update(learningRate, lossLimit, normLimit);
        return Finish();
    }

    /// <summary>The first part of a step: forward and backward. The parameters stay as they are.</summary>
    public void Begin(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, long step) =>
        Begin(tokens, targets, [], [], [], [], [], [], _options.Length, step);

    /// <summary>
    /// The first part of a step whose rows have weights (<see cref="TrainingStepOptions.HasRowWeights"/>): the gradient is that of the
    /// sum of all losses, each times its row's weight.
    /// </summary>
    /// <param name="tokens">[micro-batches · batch, length].</param>
    /// <param name="targets">What follows each token, or the ignore index.</param>
    /// <param name="weights">[micro-batches · batch].</param>
    /// <param name="loss">The loss to report, for which these are the right weights.</param>
    /// <param name="step">Number of the step, for dropout.</param>
    public void Begin(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<float> weights, double loss, long step)
    {
        if (!_options.HasRowWeights || weights.Length * _options.Length != tokens.Length)
            throw new ArgumentException($"{weights.Length} weights do not belong to {tokens.Length} tokens in rows of {_options.Length}");
        Begin(tokens, targets, [], [], [], [], [], weights, _options.Length, step);
        _results.Write<float>([(float)loss], LossAt);
    }

    /// <summary>
    /// The first part of a step: forward and backward on a batch of any number of micro-batches. At least one target must count.
    /// </summary>
    public void Begin(Batch batch, long step)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Begin(batch.Tokens, batch.Targets, batch.Positions, batch.Segments, batch.TokenTypes, batch.Source, batch.SourceLengths, [],
            batch.Length, step);
    }

    private void Begin(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<int> positions, ReadOnlySpan<int> segments,
        ReadOnlySpan<int> tokenTypes, ReadOnlySpan<int> source, ReadOnlySpan<int> sourceLengths, ReadOnlySpan<float> weights, int length,
        long step)
    {
        var size = _options.Batch * length;
        if (tokens.Length != targets.Length || tokens.Length == 0 || tokens.Length % size != 0)
            throw new ArgumentException($"{tokens.Length} tokens and {targets.Length} targets are not a number of micro-batches of {size}");
        if (length > _options.Length)
            throw new ArgumentException($"rows of {length} tokens are longer than the step's {_options.Length}");
        if (segments.IsEmpty == _options.HasSegments)
            throw new ArgumentException($"the batch has {(segments.IsEmpty ? "no " : "")}segments, and the step was made for one that has");
        var sourceSize = source.IsEmpty ? 0 : source.Length / (tokens.Length / size);
        if (sourceLengths.IsEmpty == _options.SourceLength > 0 || sourceSize > _options.Batch * _options.SourceLength)
        {
            throw new ArgumentException(
                $"the batch has {source.Length} tokens of sources, and the step was made for sources of {_options.SourceLength} at most");
        }

        var counted = targets.Length - targets.Count(_options.IgnoreIndex);
        if (counted == 0)
            throw new ArgumentException("no target of the batch counts: all are the ignore index");
        if (weights.IsEmpty == _options.HasRowWeights)
            throw new ArgumentException($"the batch has {(weights.IsEmpty ? "no " : "")}weights, and the step was made for one that has");

        for (var i = 0; i < tokens.Length / size; i++)
        {
            tokens.Slice(i * size, size).CopyTo(_pass.Map<int>(0, size));
            _model.TakeTargets(targets.Slice(i * size, size), length, _pass.Map<int>(_targetsAt, _model.TargetsOf(_options.Batch, length)));
            if (_options.HasSegments)
            {
                positions.Slice(i * size, size).CopyTo(_pass.Map<int>(_positionsAt, size));
                segments.Slice(i * size, size).CopyTo(_pass.Map<int>(_segmentsAt, size));
                tokenTypes.Slice(i * size, size).CopyTo(_pass.Map<int>(_tokenTypesAt, size));
            }

            if (_options.SourceLength > 0)
            {
                source.Slice(i * sourceSize, sourceSize).CopyTo(_pass.Map<int>(_sourceAt, sourceSize));
                sourceLengths.Slice(i * _options.Batch, _options.Batch).CopyTo(_pass.Map<int>(_sourceLengthsAt, _options.Batch));
            }

            if (_options.HasRowWeights)
                weights.Slice(i * _options.Batch, _options.Batch).CopyTo(_pass.Map<float>(_scaleAt, _options.Batch));
            else
                _pass.Map<float>(_scaleAt, 1)[0] = 1f / counted;
            // Each micro-batch has its own dropout masks.
            var seed = _pass.Map<long>(_seedAt, 2);
            seed[0] = _options.Seed;
            seed[1] = (step * (tokens.Length / size)) + i;
            _pass.Send();
            Run(PassOf(length, sourceSize / _options.Batch, addToGradients: i > 0).Program);
        }
    }

    /// <summary>The second part: norm, decision, AdamW. The result of the step before must have been read.</summary>
    public void Update(double learningRate, double lossLimit = double.PositiveInfinity, double normLimit = double.PositiveInfinity)
    {
        for (var i = 0; i < _learningRateFactors.Length; i++)
        {
            var schedule = _settings.Map<float>(SchedulesAt + (i * ScheduleBytes), 3);
            schedule[0] = (float)(learningRate * _learningRateFactors[i]);
            schedule[1] = (float)(1 - Math.Pow(_options.Beta1, Updates + 1));
            schedule[2] = (float)(1 - Math.Pow(_options.Beta2, Updates + 1));
        }

        var limits = _settings.Map<float>(LimitsAt, 2);
        limits[0] = (float)lossLimit;
        limits[1] = (float)normLimit;
        _settings.Send();
        Run(_update);
        if (_readBack is null)
            return;
        _results.CopyTo(0, _readBack, 0, ResultsBytes);
        _done!.Record();
    }

    /// <summary>The last part: waits for the update and reads what came of it, whatever was begun since.</summary>
    public StepResult Finish()
    {
        _done?.Synchronize();
        var results = _readBack ?? _results;
        var applied = results.Map<float>(ControlAt, 2)[1] != 0;
        if (applied)
            Updates++;
        return new StepResult(results.Map<float>(LossAt, 1)[0], results.Map<float>(NormAt, 1)[0], applied);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var pass in _passes.Values)
            pass.Dispose();
        _update?.Dispose();
        _pass?.Dispose();
        _settings?.Dispose();
        _results?.Dispose();
        _readBack?.Dispose();
        _done?.Dispose();
    }

    private void Run(NativeProgram program)
    {
        var start = Stopwatch.GetTimestamp();
        program.Run();
        _nativeTicks += Stopwatch.GetTimestamp() - start;
    }

    private CompiledGraph PassOf(int length, int sourceLength, bool addToGradients)
    {
        if (!_passes.TryGetValue((length, sourceLength, addToGradients), out var pass))
            _passes.Add((length, sourceLength, addToGradients), pass = Compile(length, sourceLength, addToGradients));
        return pass;
    }

    private CompiledGraph Compile(int length, int sourceLength, bool addToGradients) => CompiledGraph.Compile(
        Write(_model, _options with { Length = length, SourceLength = sourceLength }, addToGradients, Parameters.Layout), Parameters,
        new CompileOptions
        {
            Train = true,
            AddToGradients = addToGradients,
            Fuse = _options.Fuse,
            Recompute = _options.Recompute,
            HeadBytes = _options.HeadBytes,
            Tf32 = _options.Tf32,
            ShareMemory = _options.ShareMemory,
            Timed = _options.Timed,
            Kernels = _options.Kernels,
            Arena = _first?.Arena,
            Bind = storage => storage.Name switch
            {
                "tokens" => new Place(_pass.Buffer, 0),
                "targets" => new Place(_pass.Buffer, _targetsAt),
                "positions" => new Place(_pass.Buffer, _positionsAt),
                "segments" => new Place(_pass.Buffer, _segmentsAt),
                "token_types" => new Place(_pass.Buffer, _tokenTypesAt),
                "source" => new Place(_pass.Buffer, _sourceAt),
                "source_lengths" => new Place(_pass.Buffer, _sourceLengthsAt),
                "scale" => new Place(_pass.Buffer, _scaleAt),
                "seed" => new Place(_pass.Buffer, _seedAt),
                "loss" => new Place(_results, LossAt),
                _ => null,
            },
        });

    private List<OpCall> UpdateCalls()
    {
        var p = Parameters;
        var gradients = p.Gradients ?? throw new ArgumentException("the parameters were not made for training");
        if (p.Layout.TrainedElements == 0)
            throw new ArgumentException("there is nothing to train: all parameters are frozen");
        Operand Setting(long offset, long count) => new(_settings.Buffer, offset, DType.F32, count);
        Operand Result(long offset, long count) => new(_results, offset, DType.F32, count);
        var calls = new List<OpCall>
        {
            new("sum_squares", [new Operand(gradients, 0, DType.F32, p.Layout.TrainedElements), Result(SquaresAt, 1)])
            {
                Label = "gradient norm",
            },
            new("update_guard", [Result(SquaresAt, 1), Result(LossAt, 1), Setting(LimitsAt, 2), Result(NormAt, 1), Result(ControlAt, 2)])
            {
                Attributes = [new OpAttribute("max_norm", _options.MaxGradNorm)],
                Label = "guard",
            },
        };
        foreach (var (settings, begin, count) in p.Layout.Groups)
        {
            Operand Part(DeviceBuffer buffer) => new(buffer, begin * 4, DType.F32, count);
            var schedule = SchedulesAt + (Array.IndexOf(_learningRateFactors, settings.LearningRateFactor) * ScheduleBytes);
            calls.Add(new OpCall("adamw",
            [
                Part(p.Master), Part(gradients), Part(p.FirstMoments!), Part(p.SecondMoments!), Setting(schedule, 3), Result(ControlAt, 2),
                p.Compute is null ? default : new Operand(p.Compute, begin * 2, DType.Bf16, count),
            ])
            {
                Attributes =
                [
                    new OpAttribute("beta1", _options.Beta1), new OpAttribute("beta2", _options.Beta2),
                    new OpAttribute("epsilon", _options.Epsilon),
                    new OpAttribute("weight_decay", settings.Decays ? _options.WeightDecay : 0),
                ],
                Label = $"adamw.{(settings.Decays ? "decay" : "no_decay")}"
                    + (settings.LearningRateFactor == 1 ? "" : FormattableString.Invariant($".{settings.LearningRateFactor:0.####}")),
            });
        }

        return calls;
    }
}
