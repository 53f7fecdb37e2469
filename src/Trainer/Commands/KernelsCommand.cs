using System.CommandLine;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Lab;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot kernels`: which ways there are to compute each op, and which of them is taken by itself.</summary>
internal static class KernelsCommand
{
    public static Command Create()
    {
        var op = new Argument<string?>("op") { Description = "Only the kernels of this op.", Arity = ArgumentArity.ZeroOrOne };
        var shape = new Option<string?>("--shape")
        {
            Description = "Say which is taken for a call of this op with these sizes and attributes, and why others are not.",
            HelpName = "B=1,T=64,…",
        };
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        Option<string[]> plugin = KernelOption.CreatePlugin();
        var json = new Option<bool>("--json") { Description = "Print one JSON array instead of a table." };
        var command = new Command("kernels", "List the kernels: for each op, the ways to compute it.")
        {
            op, shape, precision, device, plugin, json, KernelsCheckCommand.Create(), KernelsNewCommand.Create(),
                PluginProbe.CreateCommand(),
        };
        command.SetAction(result =>
        {
            KernelPlugins.Load(result.GetValue(plugin) ?? []);
            Kernel[] kernels = Find(result.GetValue(op));
            if (result.GetValue(shape) is { } text)
            {
                ShapeText sizes = ReadShape(result.GetValue(op), text);
                ListFor(sizes, PrecisionOption.Find(result.GetRequiredValue(precision)),
                    DeviceOption.Find(result.GetRequiredValue(device)), kernels,
                    result.GetValue(json));
            }
            else
            {
                List(kernels, result.GetValue(json));
            }
        });
        HelpPage.Describe(command, """
            ingot kernels                   all kernels; * marks the one that is taken first
            ingot kernels attention         those of one op
            ingot kernels attention --shape B=1,T=1024,H=12,D=64,causal=1      which is taken, and what others cannot do
            ingot train RECIPE --kernel attention=naive                        train with another one
            ingot train RECIPE --kernel h.0.attn/attention=naive               in the first layer only
            ingot kernels check attention                                      are they right?
            ingot kernels new mine --op attention                              begin one of your own
            """);
        return command;
    }

    private static Kernel[] Find(string? op)
    {
        IReadOnlyList<Kernel> all = Kernel.GetAll();
        Kernel[] kernels = [.. all.Where(kernel => op is null || kernel.Op == op)];
        if (kernels.Length == 0 && op is not null)
        {
            string[] ops = [.. all.Select(kernel => kernel.Op).Distinct()];
            string near = NearestName.Find(op, ops) is { } name ? $"did you mean {name}? " : "";
            throw new TrainingOptionsException([$"there is no op \"{op}\": {near}There are {string.Join(", ", ops)}"]);
        }

        return kernels;
    }

    private static ShapeText ReadShape(string? op, string text)
    {
        if (op is null)
        {
            throw new TrainingOptionsException(["--shape belongs to one op: name it, as in `ingot kernels attention --shape "
                + "B=1,T=1024,H=12,D=64`"]);
        }

        try
        {
            return ShapeText.Parse(OpSignature.Find(op), text);
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([$"--shape: {e.Message}"]);
        }
    }

    private static void List(Kernel[] kernels, bool json)
    {
        // Of an op's kernels on a kind of device the first is the default: the list is ordered by priority.
        HashSet<Kernel> defaults = [.. kernels.DistinctBy(kernel => (kernel.Op, kernel.DeviceKind))];
        if (json)
        {
            WriteJson(kernels, defaults);
        }
        else
        {
            WriteTable(kernels, defaults);
        }
    }

    // The kernels of a device for one call: the first that supports it is taken.
    private static void ListFor(ShapeText sizes, DType type, Device device, Kernel[] kernels, bool json)
    {
        IReadOnlyList<KernelSupport> answers = KernelSupport.Of(device, sizes.Shapes(type));
        KernelSupport? taken = answers.FirstOrDefault(answer => answer.IsSupported);
        if (json)
        {
            Text.WriteJson(writer =>
            {
                writer.WriteStartArray();
                foreach (KernelSupport answer in answers)
                {
                    writer.WriteStartObject();
                    writer.WriteString("op", sizes.Signature.Op.Name);
                    writer.WriteString("variant", answer.Kernel);
                    writer.WriteBoolean("supported", answer.IsSupported);
                    writer.WriteBoolean("default", answer == taken);
                    writer.WriteString("reason", answer.Reason);
                    writer.WriteNumber("flops", answer.Flops);
                    writer.WriteNumber("bytes", answer.Bytes);
                    writer.WriteNumber("workspaceBytes", answer.WorkspaceBytes);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            });
            return;
        }

        Console.WriteLine($"{sizes.Signature.Op.Name} {sizes} {(type == DType.Bf16 ? "bf16" : "fp32")} on {device}");
        foreach (KernelSupport answer in answers)
        {
            string what = answer.IsSupported ? kernels.First(kernel => kernel.Variant == answer.Kernel && kernel.DeviceKind == device.Kind)
                .Description
                : $"not for this call: {answer.Reason}";
            Console.WriteLine($"{(answer == taken ? "*" : answer.IsSupported ? " " : "-")} {answer.Kernel,-10}  {what}");
        }

        if (taken is null)
        {
            Console.WriteLine("No kernel computes this call.");
        }
    }

    private static void WriteTable(Kernel[] kernels, HashSet<Kernel> defaults)
    {
        int opWidth = Math.Max(2, kernels.Max(kernel => kernel.Op.Length));
        int variantWidth = Math.Max(9, 2 + kernels.Max(kernel => kernel.Variant.Length));
        Console.WriteLine($"{"op".PadRight(opWidth)}  {"  variant".PadRight(variantWidth)}  device  description");
        foreach (Kernel kernel in kernels)
        {
            string mark = defaults.Contains(kernel) ? "*" : " ";
            string origin = kernel.Origin == "built-in" ? "" : $" ({kernel.Origin})";
            Console.WriteLine($"{kernel.Op.PadRight(opWidth)}  {$"{mark} {kernel.Variant}".PadRight(variantWidth)}  "
                + $"{NameOf(kernel.DeviceKind),-6}"
                + $"  {kernel.Description}{origin}");
        }

        Console.WriteLine();
        Console.WriteLine("* is taken first, if it supports the call. Others: --kernel op=variant, the recipe's kernels, or "
            + "INGOT_KERNEL=op=variant,…");
    }

    private static void WriteJson(Kernel[] kernels, HashSet<Kernel> defaults) => Text.WriteJson(writer =>
    {
        writer.WriteStartArray();
        foreach (Kernel kernel in kernels)
        {
            writer.WriteStartObject();
            writer.WriteString("op", kernel.Op);
            writer.WriteString("variant", kernel.Variant);
            writer.WriteString("device", NameOf(kernel.DeviceKind));
            writer.WriteBoolean("default", defaults.Contains(kernel));
            writer.WriteNumber("priority", kernel.Priority);
            writer.WriteString("origin", kernel.Origin);
            writer.WriteString("description", kernel.Description);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    private static string NameOf(DeviceKind kind) => kind.ToString().ToLowerInvariant();
}
