using Ingot.Bindings;
using Ingot.Lab;
using Ingot.Lab.Cases;
using NUnit.Framework;

namespace Ingot.Tests.Lab;

public class KernelCheckTests
{
    private static IEnumerable<string> Ops => Op.GetAll().Select(op => op.Name);

    [TestCaseSource(nameof(Ops))]
    public void EveryBuiltInKernelIsRight(string op)
    {
        OpCase[] cases = [.. OpCases.Of(op)];
        Assert.That(cases, Is.Not.Empty, "an op without cases cannot be checked");
        foreach (Kernel kernel in Kernel.GetAll().Where(kernel => kernel.Op == op && kernel.DeviceKind == DeviceKind.Cpu
            && kernel.Origin == "built-in"))
        {
            KernelCheckResult result = KernelCheck.Run(kernel, Device.Cpu, cases);
            Assert.That(result.Failures, Is.Empty, kernel.Variant);
            Assert.That(result.Passed + result.Refused, Is.EqualTo(cases.Length));
            Assert.That(result.Passed, Is.Positive, kernel.Variant);
        }
    }

    /// <summary>Checked programs on a GPU, real or emulated: of few ops, whose own native tests are many.</summary>
    [Test]
    [Category("Gpu")]
    public void SomeKernelsOfAGpuAreRight([Values("add", "swiglu", "rms_norm", "dropout")] string op)
    {
        if (Device.All.FirstOrDefault(device => device.Kind == DeviceKind.Cuda) is not { } gpu)
        {
            Assert.Ignore(NativeRuntime.CudaInfo.Problem);
            return;
        }

        OpCase[] cases = [.. OpCases.Of(op)];
        foreach (Kernel kernel in Kernel.GetAll().Where(kernel => kernel.Op == op && kernel.DeviceKind == DeviceKind.Cuda))
        {
            Assert.That(KernelCheck.Run(kernel, gpu, cases).Failures, Is.Empty, kernel.Variant);
        }
    }

    /// <summary>A reference that is wrong by more than the tolerance is noticed, and one that is not finite, and a wrong index.</summary>
    [Test]
    public void WhatIsOffIsNoticed()
    {
        OpCase Add(double expected) => new OpCase("add", DType.F32, "").In("a", [1, 2], DType.F32, 2).In("b", [10, 20], DType.F32, 2)
            .Out("y", [11, expected], DType.F32, 2);
        Assert.That(CaseRun.Run(Add(22), Device.Cpu, "simd").Error, Is.Zero);
        CaseError error = CaseRun.Run(Add(22.001), Device.Cpu, "simd");
        Assert.That(error.Error, Is.EqualTo(0.001 / Math.Sqrt((11 * 11) + (22.001 * 22.001))).Within(0.1).Percent);
        Assert.That(error.Worst, Is.EqualTo("element 1 of 2 is 22, expected 22.001"));
        Assert.That(CaseRun.Run(Add(double.NaN), Device.Cpu, "simd").Error, Is.EqualTo(double.PositiveInfinity));
        var index = new OpCase("sample", DType.F32, "").In("logits", [0, 1], DType.F32, 1, 2).In("settings", [0, 0, 1, 0], DType.F32, 4)
            .In("random", [1, 1], DType.I64, 1, 2).Out("ids", [0], DType.I32, 1);
        Assert.That(CaseRun.Run(index, Device.Cpu, "plain").Error, Is.EqualTo(double.PositiveInfinity));
    }

    [Test]
    public void EveryActivationHasCases() =>
        Assert.That(OpSignature.Find("activation").Op.Attributes, Does.EndWith($"({string.Join('|', Activations.Names)})"));

    [Test]
    public void SignaturesAreThoseOfTheOps()
    {
        OpSignature attention = OpSignature.Find("attention");
        Assert.That(attention.Letters, Is.EqualTo(["B", "T", "H", "D", "S", "KV"]));
        Assert.That(attention.Attributes, Is.EqualTo(["causal", "scale", "window"]));
        OperandSpec lse = attention.Operands[^1];
        Assert.That((lse.Name, lse.Type, lse.IsIn, lse.IsOut, lse.IsOptional), Is.EqualTo(("lse", "f32", false, true, true)));
        Assert.That(OpSignature.Find("matmul").Attributes, Is.EqualTo(["activation", "backward", "accumulate", "tf32"]));
        Assert.That(() => OpSignature.Find("mathmul"), Throws.ArgumentException.With.Message.Contains("did you mean matmul?"));
    }
}
