using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>`ingot train` as a process that can be watched and killed while it runs.</summary>
internal sealed partial class TrainingProcess : IDisposable
{
    public const int Interrupt = 2, Terminate = 15;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly BlockingCollection<string> _lines = [];
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    /// <param name="arguments">Arguments of `ingot`.</param>
    /// <param name="limit">Shell commands to run first, such as "ulimit -f 100".</param>
    /// <param name="user">A command that runs another as some user, with a space behind it.</param>
    public TrainingProcess(IEnumerable<string> arguments, string limit = "", string user = "")
    {
        var program = Path.Combine(TestContext.CurrentContext.TestDirectory, "Ingot.Trainer.dll");
        _process = new Process
        {
            StartInfo = new ProcessStartInfo("/bin/sh", ["-c", limit + $"\nexec {user}dotnet \"$0\" \"$@\"", program, .. arguments])
            {
                WorkingDirectory = TestContext.CurrentContext.TestDirectory,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,

                Environment =
                {
                    // The runtime keeps its code in a file that a limit on file sizes would hit first.
                    ["DOTNET_EnableWriteXorExecute"] = "0",

                    // Threads that spin while they wait take minutes where other tests run beside this one.
                    ["OMP_WAIT_POLICY"] = "passive",
                },
            },
        };
        _process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is null)
            {
                _lines.CompleteAdding();
                return;
            }

            lock (_output)
                _output.AppendLine(e.Data);
            _lines.Add(e.Data);
        };
        _process.ErrorDataReceived += (_, e) =>
        {
            lock (_error)
                _error.AppendLine(e.Data);
        };
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Runs it to its end.</summary>
    public static Ending Run(IEnumerable<string> arguments, string limit = "", string user = "")
    {
        using var process = new TrainingProcess(arguments, limit, user);
        return process.Wait();
    }

    /// <summary>Waits until so many more steps are reported; false if the process ends first.</summary>
    public bool WaitForSteps(int count)
    {
        while (count > 0)
        {
            if (!_lines.TryTake(out var line, Patience))
                return _lines.IsCompleted ? false : throw new TimeoutException(Text(_output));
            if (line.StartsWith("step ", StringComparison.Ordinal) && line.Contains("loss", StringComparison.Ordinal))
                count--;
        }

        return true;
    }

    /// <summary>kill -9. Whether it came before the process had ended by itself.</summary>
    public bool Kill()
    {
        Signal(9);
        _process.WaitForExit();
        return _process.ExitCode == 128 + 9;
    }

    public void Signal(int number) => _ = SendSignal(_process.Id, number);

    /// <summary>Waits for its end; a process that hangs fails the test.</summary>
    public Ending Wait()
    {
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill();
            Assert.Fail($"The process did not end. It wrote:\n{this}");
        }

        _process.WaitForExit(); // And for its last words.
        return new Ending(_process.ExitCode, Text(_output), Text(_error));
    }

    /// <summary>What it wrote so far.</summary>
    public override string ToString() => $"{Text(_output)}\n{Text(_error)}";

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
        _lines.Dispose();
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
            return text.ToString().Trim();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);

    /// <summary>How a process ended.</summary>
    public sealed record Ending(int ExitCode, string Output, string Error)
    {
        /// <summary>Asserts one line of error, and what it says.</summary>
        public void AssertError(int exitCode, params string[] parts)
        {
            Assert.That(ExitCode, Is.EqualTo(exitCode), ToString());
            var lines = Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.That(lines, Has.Length.EqualTo(1), Error);
            Assert.That(lines[0], Does.StartWith("error: "));
            Assert.That(lines[0], Does.Not.Contain("defect of Ingot"));
            foreach (var part in parts)
                Assert.That(lines[0], Does.Contain(part));
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"exit {ExitCode}\n{Output}\n{Error}");
    }
}
