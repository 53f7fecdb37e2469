using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Training;

namespace Ingot.Lab;

/// <summary>A call of a step.</summary>
/// <param name="Op">The op.</param>
/// <param name="Kernel">The kernel.</param>
/// <param name="Label">The scope that it was written in.</param>
/// <param name="Operands">Its operands' shapes and dtypes.</param>
/// <param name="Part">"forward and backward", or "update".</param>
/// <param name="Flops">Floating-point operations; 0 if the kernel does not tell.</param>
/// <param name="Bytes">Bytes read and written; 0 if the kernel does not tell.</param>
/// <param name="Start">Seconds from the beginning of the step, in the last one measured.</param>
/// <param name="Length">Seconds that it took then.</param>
/// <param name="Times">Seconds in every step.</param>
public sealed record StepCall(string Op, string Kernel, string Label, string Operands, string Part, double Flops, double Bytes,
    double Start, double Length, Samples Times)
{
    /// <summary>"attention=fused".</summary>
    public string Name => $"{Op}={Kernel}";

    /// <summary>The label up to a layer's number: "transformer.h.3"; all of it if there is no number.</summary>
    public string Layer
    {
        get
        {
            var parts = Label.Split('.');
            var number = Array.FindIndex(parts, part => part.Length > 0 && part.All(char.IsAsciiDigit));
            return Label.Length == 0 ? "(no layer)" : number < 0 ? Label : string.Join('.', parts[..(number + 1)]);
        }
    }
}

/// <summary>Where the time of a training step goes.</summary>
/// <param name="What">The model and the batch.</param>
/// <param name="Device">Where.</param>
/// <param name="Ceilings">What the device reaches at best, measured in the same run.</param>
/// <param name="Calls">The calls in the order in which they run.</param>
/// <param name="Steps">Whole steps with every call measured.</param>
/// <param name="Plain">Whole steps without that.</param>
/// <param name="Between">Seconds between calls and around programs, in every measured step.</param>
/// <param name="Tokens">Tokens of a step, those of sources not counted.</param>
public sealed record StepProfileResult(string What, string Device, Ceilings Ceilings, IReadOnlyList<StepCall> Calls, Samples Steps,
    Samples Plain, Samples Between, long Tokens)
{
    /// <summary>How much longer a step takes because its calls are measured, as a share.</summary>
    public double Overhead => (Steps.Best / Plain.Best) - 1;

    /// <summary>The profile as a file.</summary>
    public ProfileFile ToFile() => ProfileFile.Create(What, Device, Ceilings,
    [
        new ProfileEntry("step", "step", Calls.Count, Calls.Sum(call => call.Flops), Calls.Sum(call => call.Bytes), Steps.Seconds),
        new ProfileEntry("step", "between calls", 0, 0, 0, Between.Seconds),
        .. Sums("op", call => call.Op),
        .. Sums("kernel", call => call.Name),
        .. Sums("layer", call => call.Layer),
    ]);

    /// <summary>Calls grouped by something, most time first.</summary>
    public IEnumerable<ProfileEntry> Sums(string group, Func<StepCall, string> by) => Calls.GroupBy(by).Select(calls =>
        new ProfileEntry(group, calls.Key,
        calls.Count(), calls.Sum(call => call.Flops), calls.Sum(call => call.Bytes),
        [.. Enumerable.Range(0, Steps.Seconds.Count).Select(step => calls.Sum(call => call.Times.Seconds[step]))]))
        .OrderByDescending(entry => entry.ToSamples().Median);
}

/// <summary>Profiles a training step of a recipe: its model, batch, precision and kernels, on random tokens.</summary>
public static class StepProfile
{
    /// <summary>Runs the steps: as many with every call measured as without, after one of each that does not count.</summary>
    /// <param name="options">The recipe.</param>
    /// <param name="steps">Steps of each kind.</param>
    /// <param name="progress">Is told what is being done; null for nobody.</param>
    /// <param name="cancellationToken">Ends it before the next step.</param>
    /// <exception cref="ArgumentException">The model is a folder's that has no head, and no task is named.</exception>
    public static StepProfileResult Run(TrainingOptions options, int steps, Action<string>? progress = null,
        CancellationToken cancellationToken = default)
    {
        KernelPlugins.Load(options.Plugins);
        NativeRuntime.Threads = options.Threads;
        var device = DeviceChoice.Find(options.Device);
        var model = ModelFactory.Adapt(
            ModelFactory.Create(options, options.VocabSize ?? Presets.Find(options.Model)?.VocabularySize ?? 8192, null), options);
        if (model.Task == ModelTask.FeatureExtraction)
            throw new ArgumentException($"the {model.ModelType} in {options.Model} has no head, and so there is nothing to learn: set "
                + "task");
        TrainingPlan.RequireMemory(TrainingPlan.Make(model, options), device);
        // A classifier's rows are padded, and those of running text may hold several documents: attention then has segments to read.
        var stepOptions = TrainingPlan.StepOptions(options, model) with
        {
            HasSegments = model.Task.IsClassification() || options.DocumentMask,
        };
        using var parameters = new ParameterStore(device, ParameterSelection.Layout(model, options), stepOptions.ComputeType,
            training: true);
        parameters.Initialize((ulong)options.Seed);
        progress?.Invoke("measuring what the machine reaches");
        var ceilings = Ceilings.Measure(device, stepOptions.ComputeType);
        var batch = RandomBatch.Make(model, stepOptions);

        progress?.Invoke("running steps");
        // Nothing is learned from random tokens, and nothing shall be.
        const double LearningRate = 0;
        var plain = new List<double>();
        using (var step = new TrainingStep(model, parameters, stepOptions))
        {
            for (var i = 0; i <= steps; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var start = Stopwatch.GetTimestamp();
                step.Begin(batch, i);
                step.Update(LearningRate);
                step.Finish();
                plain.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        progress?.Invoke("running steps with every call measured");
        using var timed = new TrainingStep(model, parameters, stepOptions with { Timed = true });
        var measured = new List<double>();
        var runs = new List<(IReadOnlyList<CallInfo> Pass, IReadOnlyList<CallInfo> Update)>();
        var updateAt = 0.0;
        for (var i = 0; i <= steps; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = Stopwatch.GetTimestamp();
            timed.Begin(batch, i);
            updateAt = Stopwatch.GetElapsedTime(start).TotalSeconds;
            timed.Update(LearningRate);
            timed.Finish();
            measured.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            runs.Add((timed.Program.GetCalls(), timed.UpdateProgram.GetCalls()));
        }

        runs.RemoveAt(0);
        string[] operands = [.. timed.Calls.Select(call => string.Join(' ', call.Operands.OfType<Tensor>().Select(Describe)))];
        List<StepCall> calls =
        [
            .. runs[^1].Pass.Select((call, i) =>
                Make(call, operands[i], "forward and backward", 0, [.. runs.Select(run => run.Pass[i].Seconds)])),
            .. runs[^1].Update.Select((call, i) => Make(call, "", "update", updateAt, [.. runs.Select(run => run.Update[i].Seconds)])),
        ];
        var between = measured.Skip(1).Zip(runs, (all, run) => all - run.Pass.Concat(run.Update).Sum(call => call.Seconds));
        var sources = stepOptions.SourceLength > 0 ? $" from sources of {stepOptions.SourceLength}" : "";
        return new StepProfileResult($"{options.Model}, {stepOptions.Batch} x {stepOptions.Length} tokens{sources}, "
            + $"{(stepOptions.ComputeType == DType.Bf16 ? "bf16" : "fp32")}",
            device.Properties.Name, ceilings, calls, new Samples(measured.Skip(1)), new Samples(plain.Skip(1)), new Samples(between),
            batch.TokenCount);
    }

    private static string Describe(Tensor t) => t.ShapeText + (t.DType == DType.Bf16 ? "bf16" : "");

    private static StepCall Make(CallInfo call, string operands, string part, double offset, double[] times) => new(call.Op, call.Kernel,
        call.Label, operands, part, call.Flops, call.Bytes, offset + call.Start, call.Seconds, new Samples(times));
}
