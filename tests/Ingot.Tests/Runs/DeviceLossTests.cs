using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>A device that fails in the middle of a run: what was saved is intact, and the message says how to go on.</summary>
public sealed class DeviceLossTests : RunTests
{
    // A sum that is right four times and then fails as the CUDA backend does when the GPU is gone. Nobody else gets it.
    private const string Source = """
        #include "ingot/kernel.h"
        #include <stdio.h>

        static int runs = 0;

        static ingot_status launch(const ingot_kernel_call* call) {
            const float* x = call->tensors[0].data;
            const float* scale = call->tensors[1].data;
            float sum = 0;
            for (int64_t i = 0; i < call->tensors[0].shape[0]; i++) sum += x[i];
            *(float*)call->tensors[2].data = scale ? sum * *scale : sum;
            if (++runs <= 4) return INGOT_OK;
            snprintf(call->message, call->message_capacity, "the GPU has fallen off the bus");
            return INGOT_ERROR_DEVICE;
        }

        static const ingot_kernel kernels[] = {{
            .struct_size = sizeof(ingot_kernel), .device_kind = INGOT_DEVICE_CPU, .op = "reduce_sum", .variant = "lost-device",
            .description = "fails after four runs", .priority = -1000, .launch = launch,
        }};
        static const ingot_plugin plugin = {INGOT_ABI_VERSION, 1, kernels};
        INGOT_API const ingot_plugin* ingot_plugin_entry(void) { return &plugin; }
        """;

    [Test]
    public void TheMessageNamesTheCheckpointAndHowToGoOn()
    {
        LoadFailingKernel();
        var options = Tiny() with { MaxSteps = 8, SaveSteps = 2, ValidationFraction = 0 };
        var failing = options with { Kernels = new Dictionary<string, string> { ["reduce_sum"] = "lost-device" } };

        var e = Assert.Throws<TrainingException>(() => Train(failing))!;
        Assert.That(e.Message, Does.Contain("fallen off the bus").And.Contain(LatestCheckpoint(RunPath))
            .And.Contain($"ingot train --resume {RunPath}"));
        Assert.That(LatestCheckpoint(RunPath), Does.EndWith("step-00000004"));

        var listener = new Listener();
        Resume(RunPath, listener, options);
        Assert.That(listener.Warnings, Is.Empty, "the checkpoint is intact");
        Assert.That(listener.Steps[0].Step, Is.EqualTo(5));
        Train(options with { OutputDir = In("unbroken") });
        Assert.That(Rows(RunPath)[^1], Is.EqualTo(Rows(In("unbroken"))[^1]));
    }

    private void LoadFailingKernel()
    {
        var source = Write("failing.c", Source);
        using var compiler = Process.Start(
            "cc", ["-std=c99", "-shared", "-fPIC", "-I", TestData.InRepository("native", "include"), "-o", In("failing.so"), source]);
        compiler.WaitForExit();
        Assert.That(compiler.ExitCode, Is.Zero, "the C compiler failed");
        Assert.That(NativeRuntime.LoadPlugin(In("failing.so")), Is.EqualTo(1));
    }
}
