namespace Ingot.Training;

/// <summary>
/// The learning rate of every step: a linear warm-up from 0 to the peak, then the course that <see cref="LrSchedulerType"/> names, with
/// the formulas of Hugging Face Transformers (optimization.py). As there, a step's number is the number of updates done before it: the
/// first update has step 0, and so, with warm-up, learning rate 0; the last of N has step N - 1. A step of a run that is skipped is no
/// update: the one after it has its learning rate, and a run that skipped k of its steps ends k updates before the schedule does. A decay
/// that ends at <see cref="TrainingOptions.MinLearningRate"/> instead of 0 is stretched between the peak and it, as in nanoGPT.
/// </summary>
public sealed class LearningRateSchedule
{
    // Where inverse_sqrt without warm-up has its scale, as in Transformers.
    private const double DefaultTimescale = 10_000;

    private readonly TrainingOptions _options;
    private readonly double _cycles;

    /// <summary>Makes the schedule of a run.</summary>
    /// <param name="options">Rates, warm-up and type; must be valid.</param>
    /// <param name="totalSteps">Updates of the whole run; of every type only constant and inverse_sqrt do without (0).</param>
    /// <exception cref="ArgumentOutOfRangeException">The type needs the count of steps.</exception>
    public LearningRateSchedule(TrainingOptions options, long totalSteps)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.LrSchedulerType is not (LrSchedulerType.Constant or LrSchedulerType.InverseSqrt))
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(totalSteps, 1);
        }

        _options = options;
        _cycles = options.LrSchedulerNumCycles ?? (options.LrSchedulerType == LrSchedulerType.CosineWithRestarts ? 1 : 0.5);
        TotalSteps = totalSteps;
    }

    /// <summary>Updates of the whole run; 0 when there is no such count.</summary>
    public long TotalSteps { get; }

    /// <summary>Learning rate of the update before which <paramref name="step"/> updates were done.</summary>
    public double At(long step) => At(step, TotalSteps);

    /// <summary>
    /// The same for a run whose length is only estimated: with a limit of time alone, <paramref name="totalSteps"/> is what the speed so
    /// far promises.
    /// </summary>
    public double At(long step, long totalSteps)
    {
        double peak = _options.LearningRate;
        double warmup = _options.WarmupSteps > 0 ? _options.WarmupSteps : Math.Ceiling(totalSteps * _options.WarmupRatio);
        if (step < warmup)
        {
            return peak * step / warmup;
        }

        if (_options.LrSchedulerType == LrSchedulerType.InverseSqrt)
        {
            double timescale = warmup > 0 ? warmup : DefaultTimescale;
            return Math.Max(_options.MinLearningRate, peak / Math.Sqrt((step + timescale - warmup) / timescale));
        }

        // 0 where warm-up ends, 1 after the last step.
        double progress = Progress(step, warmup, totalSteps);
        double factor = _options.LrSchedulerType switch
        {
            LrSchedulerType.Constant => 1,
            LrSchedulerType.Linear => 1 - progress,
            LrSchedulerType.Cosine => Cosine(2 * _cycles * progress),
            LrSchedulerType.CosineWithRestarts => progress < 1 ? Cosine(_cycles * progress % 1) : 0,
            LrSchedulerType.Polynomial => Math.Pow(1 - progress, _options.LrSchedulerPower),
            LrSchedulerType.WarmupStableDecay => Cosine(Progress(step, Math.Max(warmup, totalSteps - DecaySteps(totalSteps)), totalSteps)),
            _ => throw new InvalidOperationException($"lrSchedulerType {_options.LrSchedulerType} has no formula."),
        };
        return _options.MinLearningRate + (peak - _options.MinLearningRate) * factor;
    }

    private static double Progress(long step, double start, long end) =>
        Math.Clamp((step - start) / Math.Max(1, end - start), 0, 1);

    private static double Cosine(double halfTurns) => 0.5 * (1 + Math.Cos(Math.PI * halfTurns));

    private double DecaySteps(long totalSteps) => _options.DecaySteps ?? Math.Ceiling(totalSteps / 10.0);
}
