using System.CommandLine;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>
/// `ingot bench`: the speed of whole training steps, beside what the matmul library reaches on this machine, and of generation.
/// </summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var bench = new Command("bench", "Measure the speed of this machine.") { CreateStep(), BenchGenerateCommand.Create() };
        HelpPage.Describe(bench, """
            ingot bench step --preset gpt2-124m --batch 1 --sequence 1024 --precision bf16
            ingot bench generate --preset gpt2-124m --precision bf16
            """);
        return bench;
    }

    private static Command CreateStep()
    {
        var preset = new Option<string>("--preset")
        {
            Description = "The model: " + string.Join(", ", Presets.Names) + ".",
            DefaultValueFactory = _ => "gpt2-124m",
            HelpName = "name",
        };
        Option<int> batch = NumberOption.Create("batch", "Sequences of a step.", 1);
        Option<int> sequence = NumberOption.Create("sequence", "Tokens of a sequence.", 1024);
        Option<int> steps = NumberOption.Create("steps", "Steps that are measured, after one that is not; the fastest counts.", 5);
        Option<int> threads = NumberOption.Create("threads", "CPU threads; 0 uses every core.", 0);
        Option<string> precision = new Option<string>("--precision")
        {
            Description = "Precision of computations.",
            DefaultValueFactory = _ => "fp32",
        }.AcceptOnlyFromAmong("fp32", "bf16");
        Option<string> checkpointing = new Option<string>("--gradientCheckpointing")
        {
            Description = "What is computed again in the backward pass.",
            DefaultValueFactory = _ => "none",
        }.AcceptOnlyFromAmong("none", "cheap", "block");
        Option<string> device = DeviceOption.Create();
        var calls = new Option<bool>("--calls") { Description = "Also show where the time of a step goes, by kernel." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("step", "Measure training steps: forward, backward, clipping and AdamW on random tokens.")
        {
            preset, device, batch, sequence, precision, checkpointing, steps, threads, calls, json,
        };
        var kernels = new KernelOption();
        kernels.AddTo(command);
        command.SetAction(result =>
        {
            var options = new StepBenchmarkOptions
            {
                Model = FindPreset(result.GetRequiredValue(preset)),
                Device = DeviceOption.Find(result.GetRequiredValue(device)),
                Batch = AtLeastOne(batch, result.GetValue(batch)),
                Sequence = AtLeastOne(sequence, result.GetValue(sequence)),
                Steps = AtLeastOne(steps, result.GetValue(steps)),
                Precision = result.GetValue(precision) == "bf16" ? Precision.Bf16 : Precision.Fp32,
                GradientCheckpointing = Enum.Parse<GradientCheckpointing>(result.GetRequiredValue(checkpointing), ignoreCase: true),
                Timed = result.GetValue(calls),
                Kernels = kernels.Read(result),
            };
            NativeRuntime.Threads = result.GetValue(threads);
            StepBenchmarkResult figures = StepBenchmark.Run(options);
            if (result.GetValue(json))
            {
                WriteJson(result.GetRequiredValue(preset), options, figures);
            }
            else
            {
                WriteText(figures);
            }
        });
        HelpPage.Describe(command, """
            ingot bench step                                       GPT-2 124M, 1 x 1,024 tokens, fp32
            ingot bench step --precision bf16 --batch 4 --json     one JSON object for scripts
            ingot bench step --calls                               where the time goes
            ingot bench step --device cuda --batch 16 --precision bf16
            """);
        return command;
    }

    internal static ModelConfig FindPreset(string name) => Presets.Find(name) ?? throw new TrainingOptionsException(
        [$"--preset \"{name}\" is not known: {(NearestName.Find(name, Presets.Names) is { } near ? $"did you mean {near}? " : "")}"
            + $"There are {string.Join(", ", Presets.Names)}"]);

    internal static int AtLeastOne(Option<int> option, int value) =>
        value >= 1 ? value : throw new TrainingOptionsException([$"{option.Name} is {value}, but must be a whole number of at least 1"]);

    private static void WriteText(StepBenchmarkResult figures)
    {
        Console.WriteLine($"tokens/s       {figures.TokensPerSecond,12:N1}");
        Console.WriteLine($"ms/step        {figures.MsPerStep,12:N1}   (median {figures.MedianMsPerStep:N1})");
        Console.WriteLine($"GFLOP/s        {figures.Gflops,12:N1}   {figures.Share:P1} of the matmul library's {figures.MatmulGflops:N1}");
        Console.WriteLine($"peak memory    {figures.PeakMemoryMB,12:N0} MiB");
        Console.WriteLine($"C# and interop {figures.HostShare,12:P2}");
        if (figures.Calls.Count > 0)
        {
            Console.WriteLine();
            WriteCalls(figures.Calls);
        }
    }

    internal static void WriteCalls(IReadOnlyList<CallInfo> calls)
    {
        double all = calls.Sum(call => call.Seconds);
        Console.WriteLine("   share          ms  calls   GFLOP/s      GB/s  kernel");
        foreach (var kernel in calls.GroupBy(call => $"{call.Op}/{call.Kernel}")
            .OrderByDescending(group => group.Sum(call => call.Seconds)))
        {
            double seconds = kernel.Sum(call => call.Seconds);
            Console.WriteLine($"{seconds / all,8:P1}  {1e3 * seconds,10:N2}  {kernel.Count(),5}"
                + $"  {kernel.Sum(call => call.Flops) / seconds / 1e9,8:N1}  {kernel.Sum(call => call.Bytes) / seconds / 1e9,8:N1}  "
                + $"{kernel.Key}");
        }
    }

    private static void WriteJson(string preset, StepBenchmarkOptions options, StepBenchmarkResult figures) => Text.WriteJson(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("preset", preset);
        writer.WriteString("device", options.Device!.Properties.Name);
        writer.WriteNumber("batch", options.Batch);
        writer.WriteNumber("sequence", options.Sequence);
        writer.WriteString("precision", options.Precision == Precision.Bf16 ? "bf16" : "fp32");
        writer.WriteNumber("threads", NativeRuntime.Threads);
        writer.WriteNumber("parameters", figures.Parameters);
        writer.WriteNumber("tokensPerSecond", Math.Round(figures.TokensPerSecond, 2));
        writer.WriteNumber("msPerStep", Math.Round(figures.MsPerStep, 3));
        writer.WriteNumber("medianMsPerStep", Math.Round(figures.MedianMsPerStep, 3));
        writer.WriteNumber("gflops", Math.Round(figures.Gflops, 2));
        writer.WriteNumber("matmulGflops", Math.Round(figures.MatmulGflops, 2));
        writer.WriteNumber("share", Math.Round(figures.Share, 4));
        writer.WriteNumber("peakMemoryMB", Math.Round(figures.PeakMemoryMB, 1));
        writer.WriteNumber("hostShare", Math.Round(figures.HostShare, 6));
        writer.WriteEndObject();
    });
}
