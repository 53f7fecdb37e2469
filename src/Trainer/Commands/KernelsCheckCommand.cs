using System.CommandLine;
using System.Globalization;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Lab;
using Ingot.Lab.Cases;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot kernels check`: are kernels right? Each against the definition of its op in double precision.</summary>
internal static class KernelsCheckCommand
{
    // Failing cases of a kernel that are printed; the others are counted.
    private const int MostShown = 5;

    public static Command Create()
    {
        var op = new Argument<string?>("op") { Description = "Only the kernels of this op.", Arity = ArgumentArity.ZeroOrOne };
        var variant = new Argument<string?>("variant") { Description = "Only this one.", Arity = ArgumentArity.ZeroOrOne };
        Option<string> device = DeviceOption.Create();
        Option<string[]> plugin = KernelOption.CreatePlugin();
        var json = new Option<bool>("--json") { Description = "Print one JSON array." };
        var command = new Command("check", "Check kernels against the definition of their op in double precision.") { op, variant, device,
            plugin, json };
        command.SetAction(result =>
        {
            KernelPlugins.Guard = PluginProbe.TryToCheck;
            KernelPlugins.Load(result.GetValue(plugin) ?? []);
            Device where = DeviceOption.Find(result.GetRequiredValue(device));
            List<Kernel> kernels = Find(result.GetValue(op), result.GetValue(variant), where.Kind);
            return Run(kernels, where, result.GetValue(json));
        });
        HelpPage.Describe(command, """
            ingot kernels check                                   every kernel of this machine
            ingot kernels check attention                         all ways to compute one op
            ingot kernels check attention mine --plugin build/libmine.so
            """);
        return command;
    }

    private static List<Kernel> Find(string? op, string? variant, DeviceKind kind)
    {
        if (op is not null)
        {
            try
            {
                OpSignature.Find(op);
            }
            catch (ArgumentException e)
            {
                throw new TrainingOptionsException([e.Message]);
            }
        }

        List<Kernel> kernels = [.. Kernel.GetAll().Where(kernel => kernel.DeviceKind == kind && (op is null || kernel.Op == op))];
        if (variant is null)
        {
            return kernels;
        }

        string[] variants = [.. kernels.Select(kernel => kernel.Variant)];
        if (variants.Contains(variant))
        {
            return [.. kernels.Where(kernel => kernel.Variant == variant)];
        }

        string near = NearestName.Find(variant, variants) is { } name ? $"did you mean {name}? " : "";
        throw new TrainingOptionsException([$"{op} has no kernel \"{variant}\": {near}There are {string.Join(", ", variants)}"]);
    }

    private static int Run(List<Kernel> kernels, Device device, bool json)
    {
        var results = new List<KernelCheckResult>();
        if (!json)
        {
            Console.WriteLine("kernel                               passed  refused  failed   worst fp32   worst bf16");
        }

        // The cases of an op are computed once for all its kernels.
        foreach (IGrouping<string, Kernel> op in kernels.GroupBy(kernel => kernel.Op))
        {
            OpCase[] cases = [.. OpCases.Of(op.Key)];
            foreach (Kernel kernel in op)
            {
                KernelCheckResult result = KernelCheck.Run(kernel, device, cases);
                results.Add(result);
                if (!json)
                {
                    Write(result);
                }
            }
        }

        int failed = results.Count(result => result.Failures.Count > 0);
        if (json)
        {
            WriteJson(results);
        }
        else
        {
            Console.WriteLine($"{results.Count - failed} of {results.Count} kernels are right");
        }

        return failed == 0 ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static void Write(KernelCheckResult result)
    {
        string name = $"{result.Kernel.Op}={result.Kernel.Variant}";
        Console.WriteLine($"{name,-36} {result.Passed,6}  {result.Refused,7}  {result.Failures.Count,6}   "
            + $"{Error(result.WorstFp32),10}   {Error(result.WorstBf16),10}");
        foreach (FailedCase failure in result.Failures.Take(MostShown))
        {
            Console.WriteLine($"  {failure.Case}");
            Console.WriteLine($"    {failure.Problem}");
        }

        if (result.Failures.Count > MostShown)
        {
            Console.WriteLine($"  and {result.Failures.Count - MostShown} others");
        }
    }

    private static string Error(double? error) => error?.ToString("0.0e+0", CultureInfo.InvariantCulture) ?? "-";

    private static void WriteJson(List<KernelCheckResult> results) => Text.WriteJson(writer =>
    {
        writer.WriteStartArray();
        foreach (KernelCheckResult result in results)
        {
            writer.WriteStartObject();
            writer.WriteString("op", result.Kernel.Op);
            writer.WriteString("variant", result.Kernel.Variant);
            writer.WriteNumber("passed", result.Passed);
            writer.WriteNumber("refused", result.Refused);
            WriteError("worstFp32", result.WorstFp32);
            WriteError("worstBf16", result.WorstBf16);
            writer.WriteStartArray("failures");
            foreach (FailedCase failure in result.Failures)
            {
                writer.WriteStartObject();
                writer.WriteString("case", failure.Case);
                writer.WriteString("problem", failure.Problem);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();

        void WriteError(string name, double? error)
        {
            if (error is { } number && double.IsFinite(number))
            {
                writer.WriteNumber(name, number);
            }
            else
            {
                writer.WriteNull(name);
            }
        }
    });
}
