using System.CommandLine;
using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Lab;
using Ingot.Lab.Cases;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>
/// Tries a plug-in in a process of its own before it is loaded into this one: whether it loads, and whether its kernels, asked about a few
/// calls and let compute them, keep the rules. One that crashes there is reported by name, and takes nothing with it.
/// </summary>
internal static class PluginProbe
{
    private const string Name = "probe";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The command that the other process runs; not for people.</summary>
    public static Command CreateCommand()
    {
        var path = new Argument<string>("path");
        var command = new Command(Name, "Try a plug-in.") { path };
        command.Hidden = true;
        command.SetAction(result => Run(result.GetRequiredValue(path)));
        return command;
    }

    /// <summary>Tries a plug-in; says on standard error if its results are inexact.</summary>
    /// <exception cref="TrainingException">It does not load, crashes, hangs, or its kernels break the rules.</exception>
    public static void Try(string path) => Try(path, isToBeChecked: false);

    /// <summary>The same for a plug-in that is loaded to be checked: what its kernels break without a crash the check will say.</summary>
    /// <exception cref="TrainingException">It does not load, crashes or hangs.</exception>
    public static void TryToCheck(string path) => Try(path, isToBeChecked: true);

    private static void Try(string path, bool isToBeChecked)
    {
        ProcessStartInfo info = SameProgram();
        foreach (string argument in (string[])["kernels", Name, path])
        {
            info.ArgumentList.Add(argument);
        }

        info.RedirectStandardOutput = info.RedirectStandardError = true;
        info.Environment.Remove("INGOT_KERNEL");
        using Process process = Process.Start(info)!;
        // Lines of what is about to be done, then lines of what was wrong.
        string[] output = ReadAll(process, path).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string last = output.LastOrDefault(line => line.StartsWith("at ", StringComparison.Ordinal))?[3..] ?? "being loaded";
        if (process.ExitCode > 128)
        {
            throw new TrainingException($"plug-in {path} was not loaded: tried in a process of its own it crashed (signal "
                + $"{process.ExitCode - 128}), {last}");
        }

        bool loads = output.Any(line => line.StartsWith("at ", StringComparison.Ordinal));
        if (isToBeChecked && loads)
        {
            return;
        }

        string[] broken = [.. output.Where(line => line.StartsWith("broke ", StringComparison.Ordinal)).Select(line => line[6..])];
        if (broken.Length > 0)
        {
            throw new TrainingException($"plug-in {path} was not loaded: {broken[0]}");
        }

        foreach (string line in output.Where(line => line.StartsWith("inexact ", StringComparison.Ordinal)))
        {
            Console.Error.WriteLine($"warning: plug-in {path}: {line[8..]}");
        }
    }

    // In the other process.
    private static int Run(string path)
    {
        string file = Path.GetFullPath(path);
        try
        {
            NativeRuntime.LoadPlugin(file);
        }
        catch (IngotException e)
        {
            Console.WriteLine($"broke {e.Message}");
            return ExitCodes.Failure;
        }

        foreach (Kernel kernel in Kernel.GetAll().Where(kernel => kernel.Origin != "built-in"))
        {
            if (Device.All.FirstOrDefault(device => device.Kind == kernel.DeviceKind) is not { } device)
            {
                continue;
            }

            string name = $"kernel {kernel.Op}={kernel.Variant}";
            // The smallest calls of each dtype: enough to see whether it keeps the rules.
            IEnumerable<OpCase> cases = OpCases.Of(kernel.Op).GroupBy(c => c.Type).SelectMany(group => group.Take(3));
            KernelCheckResult result = KernelCheck.Run(kernel, device, cases, step => Say($"at {name} in {step}"));
            foreach (FailedCase failure in result.Failures.Where(failure => failure.BrokeRules).Take(1))
            {
                Say($"broke {failure.Problem}");
            }

            if (result.Failures.FirstOrDefault(failure => !failure.BrokeRules) is { } inexact)
            {
                Say($"inexact {name}: {inexact.Case}: {inexact.Problem}; `ingot kernels check {kernel.Op} {kernel.Variant}` says more");
            }
        }

        return ExitCodes.Success;

        static void Say(string line)
        {
            Console.Out.WriteLine(line.ReplaceLineEndings(" "));
            Console.Out.Flush();
        }
    }

    private static string ReadAll(Process process, string path)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        _ = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            string last = output.Result.TrimEnd().Split('\n')[^1];
            throw new TrainingException($"plug-in {path} was not loaded: tried in a process of its own it did not come to an end, {last}");
        }

        return output.Result;
    }

    // `dotnet Ingot.Trainer.dll`, or a program of its own.
    private static ProcessStartInfo SameProgram()
    {
        string host = Environment.ProcessPath!;
        var info = new ProcessStartInfo(host);
        if (Path.GetFileNameWithoutExtension(host) == "dotnet")
        {
            info.ArgumentList.Add(typeof(PluginProbe).Assembly.Location);
        }

        return info;
    }
}
