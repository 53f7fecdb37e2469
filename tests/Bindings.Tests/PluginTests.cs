using System.Diagnostics;
using NUnit.Framework;

namespace Ingot.Bindings.Tests;

/// <summary>A user's kernel in C, from its source to a program that runs it.</summary>
public class PluginTests
{
    // Adds dense fp32 tensors, and fails on a first element of 99. The lowest priority: no other test gets it.
    private const string Source = """
        #include "ingot/kernel.h"
        #include <stdio.h>

        static ingot_status launch(const ingot_kernel_call* call) {
            const float* a = call->tensors[0].data;
            const float* b = call->tensors[1].data;
            float* y = call->tensors[2].data;
            int64_t count = 1;
            for (int32_t i = 0; i < call->tensors[0].rank; i++) count *= call->tensors[0].shape[i];
            if (a[0] == 99) {
                snprintf(call->message, call->message_capacity, "99 is not allowed");
                return INGOT_ERROR_DATA;
            }
            for (int64_t i = 0; i < count; i++) y[i] = a[i] + b[i];
            return INGOT_OK;
        }

        static int32_t supports(const ingot_kernel_call* call) {
            if (call->tensors[0].dtype == INGOT_F32) return 1;
            snprintf(call->message, call->message_capacity, "fp32 only");
            return 0;
        }

        static const ingot_kernel kernels[] = {{
            .struct_size = sizeof(ingot_kernel), .device_kind = INGOT_DEVICE_CPU, .op = "add", .variant = "bindings-test",
            .description = "a loop", .priority = -1000, .supports = supports, .launch = launch,
        }};
        static const ingot_plugin plugin = {INGOT_ABI_VERSION, 1, kernels};
        INGOT_API const ingot_plugin* ingot_plugin_entry(void) { return &plugin; }
        """;

    private string _folder = "";
    private string _library = "";

    [OneTimeSetUp]
    public void Load()
    {
        _folder = Directory.CreateTempSubdirectory("ingot-").FullName;
        _library = Path.Combine(_folder, "plug-in.so");
        foreach (string header in new[] { "ingot.h", "kernel.h" })
        {
            using Stream text = typeof(PluginTests).Assembly.GetManifestResourceStream(header)!;
            string file = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "ingot")).FullName, header);
            using FileStream copy = File.Create(file);
            text.CopyTo(copy);
        }

        string source = Path.Combine(_folder, "plug-in.c");
        File.WriteAllText(source, Source);
        using Process compiler = Process.Start("cc", ["-std=c99", "-shared", "-fPIC", "-I", _folder, "-o", _library, source]);
        compiler.WaitForExit();
        Assert.That(compiler.ExitCode, Is.Zero, "the C compiler failed");
        Assert.That(NativeRuntime.LoadPlugin(_library), Is.EqualTo(1));
    }

    [OneTimeTearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void ItIsListed()
    {
        Kernel kernel = Kernel.GetAll().Single(kernel => kernel.Variant == "bindings-test");
        Assert.That(kernel, Is.EqualTo(new Kernel("add", "bindings-test", "a loop", _library, DeviceKind.Cpu, -1000)));
    }

    [Test]
    public void ItRunsAndItsErrorsArrive()
    {
        using var buffer = new DeviceBuffer(Device.Cpu, 16);
        Operand x = new(buffer, 0, DType.F32, 2);
        Operand y = new(buffer, 8, DType.F32, 2);
        using var program = new NativeProgram(Device.Cpu, [new("add", [x, x, y]) { Kernel = "bindings-test", Label = "sum" }]);
        buffer.Write<float>([3, 4]);
        program.Run();
        var result = new float[2];
        buffer.Read<float>(result, 8);
        Assert.That(result, Is.EqualTo(new float[] { 6, 8 }));

        buffer.Write<float>([99]);
        IngotException e = Assert.Throws<IngotException>(() => program.Run())!;
        Assert.That(e.Status, Is.EqualTo(Status.ErrorData));
        Assert.That(e.Message, Does.Contain("sum").And.Contain("99 is not allowed"));
    }

    [Test]
    public void WhatItDoesNotSupportIsAnError()
    {
        using var buffer = new DeviceBuffer(Device.Cpu, 16);
        Operand x = new(buffer, 0, DType.Bf16, 2);
        OpCall call = new("add", [x, x, x]) { Kernel = "bindings-test" };
        IngotException e = Assert.Throws<IngotException>(() => new NativeProgram(Device.Cpu, [call]))!;
        Assert.That(e.Status, Is.EqualTo(Status.ErrorUnsupported));
        Assert.That(e.Message, Does.Contain("fp32 only"));
    }
}
