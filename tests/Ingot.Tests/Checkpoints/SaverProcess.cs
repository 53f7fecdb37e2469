using System.Diagnostics;
using System.Globalization;

namespace Ingot.Tests.Checkpoints;

/// <summary>The program tests/CheckpointSaver as a process.</summary>
internal sealed class SaverProcess : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];

    /// <param name="limit">Shell commands to run first, such as "ulimit -f 100".</param>
    /// <param name="arguments">The command and its arguments.</param>
    public SaverProcess(string limit, params string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "CheckpointSaver.dll");
        var host = Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : "dotnet";
        string[] shell = ["-c", limit + "\nexec \"$0\" \"$@\"", host];
        _process = Process.Start(new ProcessStartInfo("/bin/sh", [.. shell, program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,

            // The runtime keeps its code in a file that a limit on file sizes would hit first.
            Environment = { ["DOTNET_EnableWriteXorExecute"] = "0" },
        })!;
    }

    public int Id => _process.Id;

    /// <summary>Lines printed so far, after <see cref="Kill"/> or <see cref="WaitForExit"/> all of them.</summary>
    public IReadOnlyList<string> Lines => _lines;

    /// <summary>The newest step that it reported as safe; 0 when none.</summary>
    public long LastSaved => _lines.Where(line => line.All(char.IsAsciiDigit))
        .Select(line => long.Parse(line, CultureInfo.InvariantCulture)).DefaultIfEmpty().Max();

    /// <summary>Waits for a line of output; null at the end.</summary>
    public string? ReadLine()
    {
        var line = _process.StandardOutput.ReadLine();
        if (line is not null)
            _lines.Add(line);
        return line;
    }

    /// <summary>kill -9.</summary>
    public void Kill()
    {
        _process.Kill();
        WaitForExit();
    }

    public int WaitForExit()
    {
        _process.StandardInput.Close();
        while (ReadLine() is not null)
        {
        }

        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
