using System.Diagnostics;
using System.Runtime.InteropServices;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>The command line as a process of its own, the way users and scripts meet it.</summary>
internal sealed partial class IngotProcess : IDisposable
{
    /// <summary>The signals of Ctrl-C and of `kill`.</summary>
    public const int Interrupt = 2, Terminate = 15;

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private IngotProcess(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _error = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts it.</summary>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="folder">Its current directory; null for that of the tests.</param>
    /// <param name="environment">Environment variables beside the test process's own.</param>
    public static IngotProcess Start(
        IEnumerable<string> arguments, string? folder = null, params (string Name, string Value)[] environment) =>
        Start(new ProcessStartInfo("dotnet"), arguments, folder, environment);

    /// <summary>Starts it as a shell script starts a background job: with SIGINT ignored.</summary>
    public static IngotProcess StartInBackground(
        IEnumerable<string> arguments, string? folder = null, params (string Name, string Value)[] environment) =>
        Start(new ProcessStartInfo("sh", ["-c", "trap '' INT; exec dotnet \"$@\"", "sh"]), arguments, folder, environment);

    /// <summary>Starts it with some text on its standard input, and waits for its end.</summary>
    public static Result RunWithInput(IEnumerable<string> arguments, string input)
    {
        using IngotProcess process = Start(new ProcessStartInfo("dotnet"), arguments, null, [], input);
        return process.Wait();
    }

    private static IngotProcess Start(
        ProcessStartInfo info, IEnumerable<string> arguments, string? folder, (string Name, string Value)[] environment, string input = "")
    {
        info.WorkingDirectory = folder ?? TestContext.CurrentContext.TestDirectory;
        info.RedirectStandardOutput = info.RedirectStandardError = info.RedirectStandardInput = true;
        info.ArgumentList.Add(Path.Combine(TestContext.CurrentContext.TestDirectory, "Ingot.Trainer.dll"));
        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in environment)
        {
            info.Environment[name] = value;
        }

        Process process = Process.Start(info)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return new(process);
    }

    /// <summary>Starts it and waits for its end.</summary>
    public static Result Run(IEnumerable<string> arguments, string? folder = null, params (string Name, string Value)[] environment)
    {
        using IngotProcess process = Start(arguments, folder, environment);
        return process.Wait();
    }

    /// <summary>The same with the arguments as one text, split at spaces.</summary>
    public static Result Run(string arguments, string? folder = null, params (string Name, string Value)[] environment) =>
        Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), folder, environment);

    /// <summary>Sends it a signal.</summary>
    public void Signal(int number) => Assert.That(SendSignal(_process.Id, number), Is.Zero);

    /// <summary>Waits for its end; a process that hangs fails the test.</summary>
    public Result Wait()
    {
        if (!_process.WaitForExit(TimeSpan.FromMinutes(5)))
        {
            _process.Kill(entireProcessTree: true);
            Assert.Fail($"The process did not end. It wrote:\n{_output.Result}\n{_error.Result}");
        }

        return new(_process.ExitCode, _output.Result, _error.Result);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int number);

    public sealed record Result(int ExitCode, string Output, string Error)
    {
        public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
