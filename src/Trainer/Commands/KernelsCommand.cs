using System.CommandLine;
using Ingot.Bindings;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot kernels`: which ways there are to compute each op, and which of them is taken by itself.</summary>
internal static class KernelsCommand
{
    public static Command Create()
    {
        var op = new Argument<string?>("op") { Description = "Only the kernels of this op.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print one JSON array instead of a table." };
        var command = new Command("kernels", "List the kernels: for each op, the ways to compute it.") { op, json };
        command.SetAction(result => Run(result.GetValue(op), result.GetValue(json)));
        HelpPage.Describe(command, """
            ingot kernels                   all kernels; * marks the one that is taken first
            ingot kernels attention         those of one op
            ingot train RECIPE --kernels attention=naive     train with another one
            """);
        return command;
    }

    private static int Run(string? op, bool json)
    {
        IReadOnlyList<Kernel> all = Kernel.GetAll();
        Kernel[] kernels = [.. all.Where(kernel => op is null || kernel.Op == op)];
        if (kernels.Length == 0 && op is not null)
        {
            string[] ops = [.. all.Select(kernel => kernel.Op).Distinct()];
            string near = NearestName.Find(op, ops) is { } name ? $"did you mean {name}? " : "";
            throw new TrainingOptionsException([$"there is no op \"{op}\": {near}There are {string.Join(", ", ops)}"]);
        }

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

        return ExitCodes.Success;
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
            Console.WriteLine($"{kernel.Op.PadRight(opWidth)}  {$"{mark} {kernel.Variant}".PadRight(variantWidth)}  {NameOf(kernel.DeviceKind),-6}"
                + $"  {kernel.Description}{origin}");
        }

        Console.WriteLine();
        Console.WriteLine("* is taken first, if it supports the call. Others: --kernels op=variant, the recipe's kernels, or INGOT_KERNEL=op=variant,…");
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
