using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Graphs.Passes;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>What a training run will take, before anything is allocated. Sizes are bytes.</summary>
/// <param name="Model">The model.</param>
/// <param name="Parameters">Number of parameters.</param>
/// <param name="TrainedParameters">Number of those that are trained; the others are frozen.</param>
/// <param name="ParameterBytes">Master copies, and bf16 copies if there are any.</param>
/// <param name="GradientBytes">Gradients, fp32.</param>
/// <param name="OptimizerBytes">Both moments, fp32.</param>
/// <param name="ActivationBytes">The arena of temporaries, after sharing.</param>
/// <param name="UnsharedActivationBytes">What temporaries would take without sharing.</param>
/// <param name="SnapshotBytes">Copy of weights and moments while a checkpoint is written; always in the host's memory.</param>
/// <param name="TokensPerStep">Tokens of a step, accumulation included.</param>
/// <param name="FlopsPerStep">Floating-point operations of a step: (6 N + 6 L C T) for each token.</param>
/// <param name="Calls">Kernel calls of a micro-batch.</param>
public sealed record PlanReport(ModelConfig Model, long Parameters, long TrainedParameters, long ParameterBytes, long GradientBytes,
    long OptimizerBytes, long ActivationBytes, long UnsharedActivationBytes, long SnapshotBytes, long TokensPerStep, double FlopsPerStep,
    int Calls)
{
    /// <summary>Which kernels compute a micro-batch, most work first; null if this machine does not have the device.</summary>
    public IReadOnlyList<PlannedKernel>? Kernels { get; init; }

    /// <summary>All but that copy: what lies in the memory of the device that trains.</summary>
    public long DeviceBytes => checked(ParameterBytes + GradientBytes + OptimizerBytes + ActivationBytes);

    /// <summary>All of it together.</summary>
    public long TotalBytes => checked(DeviceBytes + SnapshotBytes);
}

/// <summary>Plans a run: what it takes in memory and work.</summary>
public static class TrainingPlan
{
    /// <summary>
    /// Plans the run that <paramref name="options"/> describe. Without data the vocabulary is <see cref="TrainingOptions.VocabSize"/>
    /// or the preset's.
    /// </summary>
    public static PlanReport Make(TrainingOptions options)
    {
        KernelPlugins.Load(options.Plugins);
        return Make(ModelFactory.Adapt(
            ModelFactory.Create(options, options.VocabSize ?? Presets.Find(options.Model)?.VocabularySize ?? 8192, null), options),
            options);
    }

    /// <summary>Plans the training of a model.</summary>
    /// <exception cref="InsufficientMemoryException">It takes more than 64 bits can count.</exception>
    public static PlanReport Make(ModelConfig model, TrainingOptions options)
    {
        try
        {
            return Count(model, options);
        }
        catch (OverflowException e)
        {
            throw new InsufficientMemoryException(
                "training takes more memory than any machine has: take a smaller --perDeviceTrainBatchSize, a shorter --sequenceLength, "
                + "or a smaller model",
                e);
        }
    }

    /// <summary>
    /// Throws if the device and the machine have not as much memory available as the plan takes; the message says what to change.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">It does not fit.</exception>
    public static void RequireMemory(PlanReport plan, Device device)
    {
        var state = $"{Gigabytes(plan.ParameterBytes + plan.GradientBytes + plan.OptimizerBytes)} for {plan.Parameters:N0} parameters, "
            + $"their gradients and moments, {Gigabytes(plan.ActivationBytes)} for activations";
        const string WayOut = "take a smaller --perDeviceTrainBatchSize (and more --gradientAccumulationSteps), "
            + "--gradientCheckpointing block, a shorter --sequenceLength, or a smaller model";
        var available = device.GetMemory().Available;
        if (device.Kind == DeviceKind.Cpu)
        {
            if (plan.TotalBytes > available)
            {
                throw new InsufficientMemoryException($"training takes {Gigabytes(plan.TotalBytes)} ({state}, "
                    + $"{Gigabytes(plan.SnapshotBytes)} for the copy that a checkpoint is written from), but {Gigabytes(available)} are "
                    + $"available: {WayOut}");
            }

            return;
        }

        if (plan.DeviceBytes > available)
        {
            throw new InsufficientMemoryException($"training takes {Gigabytes(plan.DeviceBytes)} of the GPU's memory ({state}), but "
                + $"{Gigabytes(available)} are available on {device}: {WayOut}; --precision bf16 also halves the activations");
        }

        var host = Device.Cpu.GetMemory().Available;
        if (plan.SnapshotBytes > host)
        {
            throw new InsufficientMemoryException($"the copy that a checkpoint is written from takes {Gigabytes(plan.SnapshotBytes)} of "
                + $"the host's memory, but {Gigabytes(host)} are available: end other programs, or take a smaller model");
        }
    }

    internal static TrainingStepOptions StepOptions(TrainingOptions o, ModelConfig model) => new()
    {
        Batch = o.PerDeviceTrainBatchSize * RowsOf(o.Objective),
        Length = LengthsOf(o, model).Length,
        SourceLength = LengthsOf(o, model).Source,
        ComputeType = o.Precision == Precision.Bf16 ? DType.Bf16 : DType.F32,
        Tf32 = o.Tf32,
        HeadBytes = Head.ChunkBytesFor(DeviceChoice.KindOf(o.Device)),
        Recompute = o.GradientCheckpointing.ToPolicy(),
        Beta1 = o.AdamBeta1,
        Beta2 = o.AdamBeta2,
        Epsilon = o.AdamEpsilon,
        WeightDecay = o.WeightDecay,
        MaxGradNorm = o.MaxGradNorm,
        LabelSmoothing = o.LabelSmoothingFactor,
        Seed = o.Seed,
        Kernels = o.Kernels,
    };

    /// <summary>Most tokens of a row and, of an encoder-decoder, of its source; 0 for other models.</summary>
    internal static (int Length, int Source) LengthsOf(TrainingOptions o, ModelConfig model)
    {
        var length = o.SequenceLength ?? o.MaxLength ?? model.MaxPositions;
        // Of pairs, maxLength is no part of a row.
        var most = o.MaxLength ?? length;
        return model.EncoderDecoder is not null ? (o.MaxTargetLength ?? most, o.MaxSourceLength ?? most) : (length, 0);
    }

    /// <summary>Rows of a batch that one of <see cref="TrainingOptions.PerDeviceTrainBatchSize"/> takes: a pair has two.</summary>
    internal static int RowsOf(TrainingObjective objective) => objective == TrainingObjective.Dpo ? 2 : 1;

    internal static RecomputePolicy ToPolicy(this GradientCheckpointing value) => value switch
    {
        GradientCheckpointing.Cheap => RecomputePolicy.Cheap,
        GradientCheckpointing.Block => RecomputePolicy.Block,
        _ => RecomputePolicy.None,
    };

    private static PlanReport Count(ModelConfig model, TrainingOptions options)
    {
        var step = StepOptions(options, model);
        var layout = ParameterSelection.Layout(model, options);
        var graph = TrainingStep.Write(model, step, layout: layout);
        var plan = CompiledGraph.Prepare(graph,
            new CompileOptions { Train = true, Recompute = step.Recompute, HeadBytes = step.HeadBytes });
        var trained = checked(layout.TrainedElements * 4);
        // An adapter's checkpoints hold what is trained and nothing else.
        var frozen = checked((layout.Elements - layout.TrainedElements) * step.ComputeType.Size());
        var saved = model is AdaptedModel ? trained : checked(trained + frozen);
        var tokens = (long)step.Batch * step.Length * options.GradientAccumulationSteps;
        var report = new PlanReport(model, layout.ParameterCount, layout.TrainedCount, layout.ParameterBytes(step.ComputeType), trained,
            checked(2 * trained), plan.ArenaBytes, plan.UnsharedBytes, checked(saved + (2 * trained)), tokens,
            model.TrainingFlopsPerToken(step.Length) * tokens, graph.Calls.Count)
        {
            Kernels = FindDevice(options.Device) is { } device ? KernelPlan.Make(graph, device, options.Kernels) : null,
        };
        _ = report.TotalBytes; // What cannot be counted is found out here.
        return report;
    }

    private static Device? FindDevice(string name)
    {
        var kind = DeviceChoice.KindOf(name);
        return Device.All.Any(device => device.Kind == kind) ? DeviceChoice.Find(name) : null;
    }

    private static string Gigabytes(long bytes) => $"{bytes / (double)(1L << 30):0.00} GiB";
}
