using System.CommandLine;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Lab;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>
/// `ingot profile`: how fast kernels are, side by side; where the time of a training step goes; what changed between two profiles.
/// </summary>
internal static class ProfileCommand
{
    public static Command Create()
    {
        var what = new Argument<string?>("what")
        {
            Description = "op=NAME: the op whose kernels are timed.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var shapes = new Option<string[]>("--shapes")
        {
            Description = "Sizes and attributes of the calls, B=1,T=1024,H=12,D=64,causal=1; one or several.",
            HelpName = "sizes",
            AllowMultipleArgumentsPerToken = true,
        };
        var variants = new Option<string[]>("--variants")
        {
            Description = "Only these kernels, a,b or a b; otherwise all that support the call.",
            HelpName = "names",
            AllowMultipleArgumentsPerToken = true,
        };
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        Option<int> threads = NumberOption.Create("threads", "CPU threads; 0 uses every core.", 0);
        Option<string[]> plugin = KernelOption.CreatePlugin();
        var output = new Option<string?>("--output") { Description = "File for the times, for `profile diff`.", HelpName = "file" };
        var command = new Command("profile", "Time kernels side by side, or a training step call by call.")
        {
            what, shapes, variants, precision, device, threads, plugin, output, ProfileStepCommand.Create(), ProfileDiffCommand.Create(),
        };
        command.SetAction(result =>
        {
            KernelPlugins.Load(result.GetValue(plugin) ?? []);
            NativeRuntime.Threads = result.GetValue(threads);
            OpSignature signature = FindOp(result.GetValue(what));
            Device where = DeviceOption.Find(result.GetRequiredValue(device));
            ShapeText[] sizes = [.. (result.GetValue(shapes) ?? []).Select(text => Parse(signature, text))];
            if (sizes.Length == 0)
            {
                throw new TrainingOptionsException(
                    [$"--shapes is missing: say what to time, for example --shapes "
                        + $"{string.Join(',', signature.Letters.Select(letter => $"{letter}=64"))}"]);
            }

            string[] names = [.. (result.GetValue(variants) ?? []).SelectMany(text => text.Split(',',
                StringSplitOptions.RemoveEmptyEntries))];
            CheckVariants(signature.Op.Name, names, where.Kind);
            return Run(sizes, names, PrecisionOption.Find(result.GetRequiredValue(precision)), where, result.GetValue(output));
        });
        HelpPage.Describe(command, """
            ingot profile op=attention --shapes B=1,T=1024,H=12,D=64,causal=1 --variants fused,naive
            ingot profile op=matmul --shapes M=1024,K=768,N=3072 M=1,K=768,N=3072 --precision bf16
            ingot profile step recipes/jargon.json --output profile      where the time of a step goes
            ingot profile diff before/profile.json after/profile.json    what became faster or slower
            """);
        return command;
    }

    private static OpSignature FindOp(string? what)
    {
        if (what?.Split('=', 2) is not ["op", { Length: > 0 } name])
        {
            throw new TrainingOptionsException([$"{(what is null ? "there is nothing to profile" : $"\"{what}\" is nothing to profile")}: "
                + "name an op, op=attention, or `profile step RECIPE`"]);
        }

        try
        {
            return OpSignature.Find(name);
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([e.Message]);
        }
    }

    private static ShapeText Parse(OpSignature signature, string text)
    {
        try
        {
            return ShapeText.Parse(signature, text);
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([$"--shapes: {e.Message}"]);
        }
    }

    private static void CheckVariants(string op, string[] names, DeviceKind kind)
    {
        string[] known = [.. Kernel.GetAll().Where(kernel => kernel.Op == op && kernel.DeviceKind == kind).Select(kernel =>
            kernel.Variant)];
        if (names.FirstOrDefault(name => !known.Contains(name)) is { } wrong)
        {
            throw new TrainingOptionsException([$"{op} has no kernel \"{wrong}\": "
                + $"{(NearestName.Find(wrong, known) is { } near ? $"did you mean {near}? " : "")}There are {string.Join(", ", known)}"]);
        }
    }

    private static int Run(ShapeText[] shapes, string[] variants, DType type, Device device, string? output)
    {
        using var interruption = new Interruption();
        Ceilings ceilings = Ceilings.Measure(device, type);
        Console.WriteLine($"{device}, {(type == DType.Bf16 ? "bf16" : "fp32")}: matmul {ceilings.MatmulFlops / 1e9:N1} GFLOP/s, "
            + $"memory {ceilings.Bandwidth / 1e9:N1} GB/s");
        var entries = new List<ProfileEntry>();
        string op = shapes[0].Signature.Op.Name;
        try
        {
            foreach (IGrouping<string, OpTiming> shape in OpProfile.Run(shapes, variants, type, device, interruption.Token)
                .GroupBy(timing => timing.Shape))
            {
                Console.WriteLine();
                Console.WriteLine($"{op} {shape.Key}");
                Console.WriteLine("             warm ms       ±      cold ms       ±   GFLOP/s      GB/s  of the ceiling");
                foreach (OpTiming timing in shape)
                {
                    Write(timing, ceilings);
                    AddTo(entries, op, timing, type);
                }
            }
        }
        catch (OperationCanceledException)
        {
            return interruption.ExitCode;
        }

        if (output is not null)
        {
            ProfileFile.Create($"{op}, {(type == DType.Bf16 ? "bf16" : "fp32")}", device.Properties.Name, ceilings, entries).Write(output);
        }

        return ExitCodes.Success;
    }

    private static void Write(OpTiming timing, Ceilings ceilings)
    {
        if (timing is not { Warm: { } warm, Cold: { } cold })
        {
            Console.WriteLine($"{timing.Variant,-10} not for this call: {timing.Refusal}");
            return;
        }

        Console.WriteLine($"{timing.Variant,-10} {1e3 * warm.Median,9:N4}  {warm.Spread,6:P1}  {1e3 * cold.Median,11:N4}  "
            + $"{cold.Spread,6:P1}"
            + $"  {timing.Flops / warm.Median / 1e9,8:N1}  {timing.Bytes / warm.Median / 1e9,8:N1}"
            + $"  {ceilings.Roof(timing.Flops, timing.Bytes) / warm.Median,14:P1}");
    }

    private static void AddTo(List<ProfileEntry> entries, string op, OpTiming timing, DType type)
    {
        foreach ((string cache, Samples? times) in new[] { ("warm", timing.Warm), ("cold", timing.Cold) })
        {
            if (times is not null)
            {
                entries.Add(new ProfileEntry("alone",
                    $"{op}={timing.Variant} {timing.Shape} {(type == DType.Bf16 ? "bf16" : "fp32")} {cache}", 1, timing.Flops,
                    timing.Bytes, times.Seconds));
            }
        }
    }
}
