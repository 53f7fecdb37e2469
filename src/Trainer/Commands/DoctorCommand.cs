using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Ingot.Bindings;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot doctor`: what was found on this machine, what is missing, and what to do about it.</summary>
internal static class DoctorCommand
{
    private const long LowMemory = 2L << 30;
    private const long LowDisk = 2L << 30;

    public static Command Create()
    {
        var command = new Command("doctor", "Say what was found on this machine, what is missing, and what to do about it.");
        command.SetAction(_ => Run());
        HelpPage.Describe(command, """
            ingot doctor                            exit code 0 if everything needed is there
            INGOT_LIBRARY=build/release/lib ingot doctor    with the native library from there
            """);
        return command;
    }

    private static int Run()
    {
        var findings = new Findings();
        CheckRuntime(findings);
        if (CheckLibrary(findings))
        {
            CheckProcessor(findings);
            CheckCuda(findings);
            CheckMemory(findings);
            if (CheckKernels(findings))
            {
                foreach (Device device in Device.All)
                {
                    CheckComputation(findings, device);
                }
            }
        }

        CheckDisk(findings);
        CheckEnvironment(findings);
        return findings.Report();
    }

    private static void CheckRuntime(Findings findings)
    {
        findings.Add(".NET", $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
        findings.Add("system", RuntimeInformation.OSDescription);
    }

    private static bool CheckLibrary(Findings findings)
    {
        try
        {
            BuildInfo build = NativeRuntime.BuildInfo;
            findings.Add("library", $"Ingot {build.Version}, {build.Configuration}, {build.Compiler}");
            findings.Add("", $"{LibraryPath()} ({(IsSet("INGOT_LIBRARY") ? "named by INGOT_LIBRARY" : "found beside the program")})");
            if (!build.Configuration.Contains("Release", StringComparison.OrdinalIgnoreCase))
            {
                findings.Warn("the native library is not a Release build and slow: cmake --preset release && cmake --build --preset "
                    + "release");
            }

            return true;
        }
        catch (IngotException e)
        {
            findings.Add("library", "not loaded");
            findings.Fail(e.Message);
            return false;
        }
    }

    private static string LibraryPath()
    {
        using var process = Process.GetCurrentProcess();
        return process.Modules.Cast<ProcessModule>()
            .FirstOrDefault(module => Path.GetFileName(module.FileName) is "libingot.so" or "libingot.dylib" or "ingot.dll")?.FileName
                ?? "loaded";
    }

    private static void CheckProcessor(Findings findings)
    {
        BuildInfo build = NativeRuntime.BuildInfo;
        int threads = NativeRuntime.Threads;
        findings.Add("cpu", $"{Device.Cpu.Properties.Name}, {Device.Cpu.Properties.ComputeUnits} cores, {threads} threads");
        findings.Add("SIMD", build.Simd);
        findings.Add("matmul", build.MatmulLibrary);
        findings.Add("bf16", Device.Cpu.Properties.HasBf16 ? "instructions found" : "no instructions; it works, but fp32 is faster");

        // .NET counts what a container may use.
        if (threads > Environment.ProcessorCount)
        {
            findings.Warn($"the process may use {Environment.ProcessorCount} of the cores, but would start {threads} threads: "
                + $"train with --threads {Environment.ProcessorCount}");
        }
    }

    private static void CheckCuda(Findings findings)
    {
        CudaInfo cuda = NativeRuntime.CudaInfo;
        int number = 0;
        foreach (Device gpu in Device.All.Where(device => device.Kind == DeviceKind.Cuda))
        {
            DeviceProperties properties = gpu.Properties;
            findings.Add($"cuda:{number++}", $"{properties.Name}, compute capability "
                + $"{properties.ComputeCapability / 10}.{properties.ComputeCapability % 10}, {properties.ComputeUnits} multiprocessors, "
                + $"{Text.Bytes(gpu.GetMemory().Available)} available of {Text.Bytes(properties.MemoryBytes)}");
        }

        findings.Add("CUDA", cuda.Available ? cuda.Module : $"no GPU is used: {cuda.Problem}");
        (string What, string Version)[] parts =
            [("built with CUDA ", cuda.Runtime), ("driver for CUDA up to ", cuda.Driver), ("matmul by ", cuda.MatmulLibrary)];
        string found = string.Join(", ", parts.Where(part => part.Version.Length > 0).Select(part => part.What + part.Version));
        if (found.Length > 0)
        {
            findings.Add("", found);
        }

        // A GPU can be used, but not in all that it can do, or not every GPU.
        if (cuda.Available && cuda.Problem.Length > 0)
        {
            findings.Warn(cuda.Problem);
        }
    }

    private static void CheckMemory(Findings findings)
    {
        // The smaller of what the system has to give and what a container may take.
        long limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long available = Math.Min(Device.Cpu.GetMemory().Available, limit);
        findings.Add("memory", $"{Text.Bytes(available)} available of {Text.Bytes(Math.Min(Device.Cpu.Properties.MemoryBytes, limit))}");
        if (available < LowMemory)
        {
            findings.Warn("little memory is available: end other programs, or train small models (`ingot plan RECIPE` says what a run "
                + "takes)");
        }
    }

    private static bool CheckKernels(Findings findings)
    {
        IReadOnlyList<Op> ops = Op.GetAll();
        IReadOnlyList<Kernel> kernels = Kernel.GetAll();
        findings.Add("kernels", $"{kernels.Count} for {ops.Count} ops");
        string[] missing = [.. ops.Select(op => op.Name).Except(kernels.Where(k => k.DeviceKind == DeviceKind.Cpu).Select(k => k.Op))];
        if (missing.Length > 0)
        {
            findings.Fail($"the native library has no CPU kernel for {string.Join(", ", missing)}: build it again from complete sources");
        }

        return missing.Length == 0;
    }

    // Whether the library also computes: the product of two small matrices, exact in fp32.
    private static void CheckComputation(Findings findings, Device device)
    {
        const int Size = 8;
        string name = device.Index == 0 ? "computing" : "";
        string where = device.Index == 0 ? "" : $" on {device}";
        try
        {
            using var a = new DeviceBuffer(device, Size * Size * sizeof(float));
            using var product = new DeviceBuffer(device, Size * Size * sizeof(float));
            float[] values = new float[Size * Size];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = i / Size == i % Size ? 2 : 0;
            }

            a.Write<float>(values);
            var operand = new Operand(a, 0, DType.F32, Size, Size);
            using var program = new NativeProgram(device,
                [new OpCall("matmul", [operand, operand, default, default, new Operand(product, 0, DType.F32, Size, Size)])]);
            program.Run();
            float[] result = new float[Size * Size];
            product.Read<float>(result);
            bool right = true;
            for (int i = 0; i < result.Length; i++)
            {
                right &= result[i] == (i / Size == i % Size ? 4 : 0);
            }

            findings.Add(name, $"a small matmul is {(right ? "right" : "wrong")}{where}");
            if (!right)
            {
                findings.Fail("the native library computes wrongly{where} on this machine: run its tests (./build.sh test), and report "
                    + "what fails");
            }
        }
        catch (IngotException e)
        {
            findings.Add(name, $"a small matmul failed{where}");
            findings.Fail(e.Message);
        }
    }

    private static void CheckDisk(Findings findings)
    {
        string here = Directory.GetCurrentDirectory();
        try
        {
            var drive = new DriveInfo(here);
            findings.Add("disk", $"{Text.Bytes(drive.AvailableFreeSpace)} free at {here}");
            if (drive.AvailableFreeSpace < LowDisk)
            {
                findings.Warn("little disk space is free here: make room, or keep runs elsewhere with --outputDir");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Warn($"the disk at {here} cannot be asked for its free space: {e.Message}");
        }
    }

    private static void CheckEnvironment(Findings findings)
    {
        string[] set = [.. Environment.GetEnvironmentVariables().Keys.Cast<string>()
            .Where(name => name.StartsWith("INGOT_", StringComparison.Ordinal))];
        if (set.Length > 0)
        {
            findings.Add("environment", string.Join(", ",
                set.Order().Select(name => $"{name}={Environment.GetEnvironmentVariable(name)}")));
        }
    }

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));

    // What was found, printed at once, and what is wrong, printed at the end where it is seen.
    private sealed class Findings
    {
        private readonly TextWriter _output = Console.Out;
        private readonly List<string> _problems = [];
        private bool _failed;

        public void Add(string name, string text) => _output.WriteLine($"{name,-12} {text}");

        public void Warn(string problem) => _problems.Add($"warning: {problem}");

        public void Fail(string problem)
        {
            _problems.Add($"error: {problem}");
            _failed = true;
        }

        public int Report()
        {
            _output.WriteLine();
            if (_problems.Count == 0)
            {
                _output.WriteLine("Everything needed is there.");
            }

            foreach (string problem in _problems)
            {
                _output.WriteLine(problem);
            }

            return _failed ? ExitCodes.Failure : ExitCodes.Success;
        }
    }
}
