using System.Diagnostics;
using NUnit.Framework;

namespace Ingot.Tests.Examples;

/// <summary>An example as a process, as a reader of it would start it.</summary>
internal static class ExampleProcess
{
    public static (int ExitCode, string Output, string Error) Run(string example, string folder, string cache, params string[] arguments)
    {
        var program = Path.Combine(TestContext.CurrentContext.TestDirectory, example + ".dll");
        using var process = Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["INGOT_CACHE"] = cache },
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"The example did not end. It wrote:\n{output.Result}\n{error.Result}");
        }

        return (process.ExitCode, output.Result, error.Result);
    }
}
