using System.Diagnostics;
using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>Kernels of a user's own: begun by `ingot kernels new`, checked, loaded, and those that break the rules.</summary>
public sealed class PluginCommandTests
{
    private const string Tiny = "--device cpu --model gpt2 --numHiddenLayers 2 --numAttentionHeads 2 --hiddenSize 16 --sequenceLength 16 "
        + "--vocabSize 300 --maxSteps 2 --saveTotalLimit 1 ";

    private readonly TemporaryDirectory _folder = new();

    [OneTimeTearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void ANewKernelOfAttentionBuildsIsRightAndTrains()
    {
        Assert.That(Ingot($"kernels new mine --op attention --output {_folder["mine"]}").ExitCode, Is.Zero);
        string library = Build("mine", _folder["mine"]);
        IngotProcess.Result check = Ingot($"kernels check attention mine --device cpu --plugin {library}");
        Assert.That(check.ExitCode, Is.Zero, check.Output + check.Error);
        Assert.That(check.Output, Does.Match(@"attention=mine +9 +15 +0 +[1-9]\.\de-7 +-\n").And.Contain("1 of 1 kernels are right"));

        File.WriteAllText(_folder["text.txt"], string.Concat(Enumerable.Range(0, 400).Select(i => $"The number {i} comes before "
            + $"{i + 1}. ")));
        IngotProcess.Result train = Ingot($"train {Tiny} --data {_folder["text.txt"]} --outputDir {_folder["run"]} --plugin "
            + $"{library} --kernel attention=mine");
        Assert.That(train.ExitCode, Is.Zero, train.Error);
        IngotProcess.Result text = Ingot($"generate --device cpu --model {_folder["run"]} --prompt The --maxNewTokens 3 --plugin "
            + $"{library} --kernel attention=mine");
        Assert.That(text.ExitCode, Is.Zero, text.Error);
    }

    [Test]
    public void TheExampleIsRight()
    {
        string library = Build("simple", TestData.InRepository("examples", "AttentionPlugin"));
        IngotProcess.Result check = Ingot($"kernels check attention --device cpu --plugin {library}");
        Assert.That(check.ExitCode, Is.Zero, check.Output + check.Error);
        Assert.That(Ingot($"kernels attention --plugin {library}").Output, Does.Contain($"a query at a time, as the formula says "
            + $"({library})"));
    }

    [Test]
    public void ANewKernelOfAnotherOpBuildsAndRefusesUntilItIsWritten()
    {
        Assert.That(Ingot($"kernels new norm --op rms_norm --output {_folder["norm"]}").ExitCode, Is.Zero);
        IngotProcess.Result check = Ingot($"kernels check rms_norm norm --device cpu --plugin {Build("norm", _folder["norm"])}");
        Assert.That(check.ExitCode, Is.EqualTo(1));
        Assert.That(check.Output, Does.Contain("rms_norm=norm is not written yet").And.Contain("0 of 1 kernels are right"));
    }

    [TestCase("kernels new mine --op attenton", "there is no op \"attenton\": did you mean attention?")]
    [TestCase("kernels new Mine --op attention", "\"Mine\" is no name for a kernel")]
    [TestCase("kernels check attention niave", "attention has no kernel \"niave\": did you mean naive?")]
    [TestCase("kernels check attenton", "there is no op \"attenton\": did you mean attention?")]
    public void WrongNamesAreErrors(string arguments, string message)
    {
        IngotProcess.Result result = Ingot(arguments);
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Error, Does.Contain(message));
    }

    // Each breaks one rule; the trainer goes on without it, or does not begin.
    [TestCase("crash", "supports", "return *(volatile float*)call->tensors[0].data == 0;", "crashed (signal 11), kernel add=crash in "
        + "supports, asked about add fp32 N=1,C=1")]
    [TestCase("hit", "launch", "*(volatile int*)8 = 1;", "crashed (signal 11), kernel add=hit in computing add fp32 N=1,C=1")]
    [TestCase("overrun", "launch", "((float*)call->tensors[2].data)[count] = 1;", "kernel add=overrun (", "wrote 0 bytes behind the "
        + "end of y")]
    [TestCase("input", "launch", "((float*)call->tensors[1].data)[0] = 0.5f;", "kernel add=input (", "wrote to its input b")]
    [TestCase("fails", "launch", "return INGOT_ERROR_DATA;", "add (kernel fails): failed without a reason")]
    public void AKernelThatBreaksTheRulesIsNamedAndNotLoaded(string variant, string place, string code, params string[] messages)
    {
        string library = Compile(variant, place == "supports" ? code : "return 1;", place == "launch" ? code : "");
        IngotProcess.Result plan = Ingot($"plan {Tiny} --plugin {library}");
        Assert.That(plan.ExitCode, Is.EqualTo(1));
        Assert.That(plan.Error, Does.StartWith($"error: plug-in {library} was not loaded: "));
        foreach (string message in messages)
        {
            Assert.That(plan.Error, Does.Contain(message));
        }
    }

    [Test]
    public void AnInexactKernelIsLoadedWithAWarningAndFailsTheCheck()
    {
        string library = Compile("wrong", "return 1;", "((float*)call->tensors[2].data)[0] += 0.125f; return INGOT_OK;");
        IngotProcess.Result plan = Ingot($"plan {Tiny} --plugin {library}");
        Assert.That(plan.ExitCode, Is.Zero);
        Assert.That(plan.Error, Does.StartWith($"warning: plug-in {library}: kernel add=wrong: add fp32 N=1,C=1: y is off by "));
        IngotProcess.Result check = Ingot($"kernels check add wrong --device cpu --plugin {library}");
        Assert.That(check.ExitCode, Is.EqualTo(1));
        Assert.That(check.Output, Does.Contain("y is off by ").And.Contain("expected ").And.Contain("0 of 1 kernels are right"));
    }

    /// <summary>
    /// A kernel that keeps the rules in small calls and breaks them in the run: checked, it is stopped before it does harm, and the run
    /// goes on
    /// from its checkpoint without it.
    /// </summary>
    [Test]
    public void InACheckedRunWhatIsWrittenElsewhereDoesNotReachTheRun()
    {
        string source = _folder["late.c"], library = _folder["late.so"];
        File.WriteAllText(source, """
            #include "ingot/kernel.h"
            static int calls = 0;
            static ingot_status launch(const ingot_kernel_call* call) {
                const float* x = call->tensors[0].data;
                double sum = 0;
                for (int64_t i = 0; i < call->tensors[0].shape[0]; i++) sum += (double)x[i] * x[i];
                float* y = call->tensors[1].data;
                *y = call->attributes[0].i ? *y + (float)sum : (float)sum;
                if (call->tensors[0].shape[0] > 5000 && ++calls > 2) y[16] = 1e9f;
                return INGOT_OK;
            }
            static const ingot_kernel kernel = {
                .struct_size = sizeof(ingot_kernel), .device_kind = INGOT_DEVICE_CPU, .op = "sum_squares", .variant = "late",
                .description = "a test's", .priority = -1000, .launch = launch,
            };
            static const ingot_plugin plugin = {INGOT_ABI_VERSION, 1, &kernel};
            INGOT_API const ingot_plugin* ingot_plugin_entry(void) { return &plugin; }
            """);
        Execute("cc", "-shared", "-fPIC", "-I", TestData.InRepository("native", "include"), "-o", library, source);
        File.WriteAllText(_folder["numbers.txt"], string.Concat(Enumerable.Range(0, 400).Select(i => $"The number {i} comes before "
            + $"{i + 1}. ")));
        string run = _folder["checked"];
        string tiny = Tiny.Replace("--maxSteps 2", "--maxSteps 4 --saveSteps 1");
        string arguments = $"train {tiny} --data {_folder["numbers.txt"]} --outputDir {run} --plugin {library} --kernel sum_squares=late";
        IngotProcess.Result result = IngotProcess.Run(arguments, null, ("INGOT_CHECKED", "1"));
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("'gradient norm': kernel sum_squares=late (").And.Contain("bytes behind the end of y; "
            + "nothing of what it computed was kept"));
        IngotProcess.Result resumed = Ingot($"train --resume {run} --kernel sum_squares=simd");
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Does.Contain("step 4"));
    }

    private static IngotProcess.Result Ingot(string arguments) => IngotProcess.Run(arguments);

    // add in fp32, with code of a test's own.
    private string Compile(string variant, string supports, string launch)
    {
        string source = _folder[$"{variant}.c"], library = _folder[$"{variant}.so"];
        File.WriteAllText(source, $$"""
            #include "ingot/kernel.h"
            static int32_t supports(const ingot_kernel_call* call) { if (call->tensors[0].dtype != INGOT_F32) return 0; {{supports}} }
            static ingot_status launch(const ingot_kernel_call* call) {
                int64_t count = 1;
                for (int32_t i = 0; i < call->tensors[0].rank; i++) count *= call->tensors[0].shape[i];
                for (int64_t i = 0; i < count; i++)
                    ((float*)call->tensors[2].data)[i] = ((float*)call->tensors[0].data)[i] + ((float*)call->tensors[1].data)[i];
                {{launch}}
                return INGOT_OK;
            }
            static const ingot_kernel kernel = {
                .struct_size = sizeof(ingot_kernel), .device_kind = INGOT_DEVICE_CPU, .op = "add", .variant = "{{variant}}",
                .description = "a test's", .priority = -1000, .supports = supports, .launch = launch,
            };
            static const ingot_plugin plugin = {INGOT_ABI_VERSION, 1, &kernel};
            INGOT_API const ingot_plugin* ingot_plugin_entry(void) { return &plugin; }
            """);
        Execute("cc", "-shared", "-fPIC", "-I", TestData.InRepository("native", "include"), "-o", library, source);
        return library;
    }

    private string Build(string name, string source)
    {
        string build = _folder[$"{name}-build"];
        Execute("cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release");
        Execute("cmake", "--build", build);
        return Path.Combine(build, $"lib{name}.so");
    }

    private static void Execute(string program, params string[] arguments)
    {
        // Without a CUDA toolkit, whose compiler takes long.
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["CUDACXX"] = "none" },
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"{program}: {output.Result}{error.Result}");
    }
}
