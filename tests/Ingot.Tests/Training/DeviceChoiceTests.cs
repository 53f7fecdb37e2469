using Ingot.Bindings;
using Ingot.Tests.CommandLine;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

public sealed class DeviceChoiceTests
{
    [TestCase("auto")]
    [TestCase("cpu")]
    [TestCase("cuda")]
    [TestCase("cuda:0")]
    [TestCase("cuda:7")]
    public void NamesOfDevicesAreTaken(string name) => Assert.That(DeviceChoice.Problem(name), Is.Null);

    [TestCase("gpu", "did you mean cuda?")]
    [TestCase("cdua", "did you mean cuda?")]
    [TestCase("CPU", "did you mean cpu?")]
    [TestCase("cuda:", "must be auto, cpu, cuda or cuda:N")]
    [TestCase("cuda:-1", "must be auto, cpu, cuda or cuda:N")]
    [TestCase("tpu-of-another-maker", "must be auto, cpu, cuda or cuda:N")]
    [TestCase("", "must be auto, cpu, cuda or cuda:N")]
    public void OthersAreRefused(string name, string expected)
    {
        Assert.That(DeviceChoice.Problem(name), Does.Contain(expected));
        Assert.That(new TrainingOptions { Device = name, Data = "x" }.Validate().Select(problem => problem.Key), Is.EqualTo(new[] { "device" }));
        Assert.That(() => DeviceChoice.Find(name), Throws.ArgumentException);
    }

    [Test]
    public void TheCpuIsAlwaysThere()
    {
        Assert.That(DeviceChoice.Find("cpu"), Is.SameAs(Device.Cpu));
        Assert.That(DeviceChoice.KindOf("cuda:3"), Is.EqualTo(DeviceKind.Cuda), "whether this machine has it or not");
        Assert.That(DeviceChoice.Find("auto").Kind, Is.EqualTo(NativeRuntime.CudaInfo.Available ? DeviceKind.Cuda : DeviceKind.Cpu));
    }

    [TestCase("generate --model . --device cuda")]
    [TestCase("bench step --device cuda:1")]
    public void WithoutAGpuTheErrorSaysWhatIsMissing(string arguments)
    {
        var result = IngotProcess.Run(arguments, environment: ("INGOT_CUDA_MODULE", "/nowhere/libingot_cuda.so"));
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(result.Error, Does.Contain("no GPU can be used").And.Contain("there is no /nowhere/libingot_cuda.so").And.Contain("--device cpu"));
    }

    [Test]
    public void APlanForAGpuNeedsNone()
    {
        var result = IngotProcess.Run("plan --model gpt2-124m --device cuda", environment: ("INGOT_CUDA_MODULE", "none"));
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Contain("on the GPU"));
    }

    [Test]
    public void DoctorSaysWhyThereIsNoGpu()
    {
        var result = IngotProcess.Run("doctor", environment: ("INGOT_CUDA_MODULE", "none"));
        Assert.That(result.ExitCode, Is.Zero, result.Output);
        Assert.That(result.Output, Does.Contain("no GPU is used: switched off by INGOT_CUDA_MODULE=none"));
    }
}
