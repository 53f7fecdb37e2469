using System.Globalization;
using Ingot.Bindings;

namespace Ingot.Training;

/// <summary>
/// A device as recipes and the command line name it: "cpu", "cuda" (the first GPU), "cuda:1", or "auto" (a GPU if there is one).
/// </summary>
public static class DeviceChoice
{
    /// <summary>A GPU if there is one, else the CPU.</summary>
    public const string Auto = "auto";

    private const string Cpu = "cpu", Cuda = "cuda";

    /// <summary>What is wrong with a name, whatever this machine has ("is …, but must be …"); null if it can be one.</summary>
    public static string? Problem(string? name)
    {
        if (name is Auto or Cpu || GpuNumber(name) is not null)
            return null;
        var near = name is "gpu" ? Cuda : NearestName.Find(name ?? "", [Auto, Cpu, Cuda]);
        return $"is \"{name}\", but must be {Auto}, {Cpu}, {Cuda} or {Cuda}:N{(near is null ? "" : $": did you mean {near}?")}";
    }

    /// <summary>The kind of device that a name stands for, whether this machine has it or not.</summary>
    public static DeviceKind KindOf(string name) =>
        name == Cpu || (name == Auto && Gpus().Length == 0) ? DeviceKind.Cpu : DeviceKind.Cuda;

    /// <summary>The device of that name.</summary>
    /// <exception cref="ArgumentException">It is no name of a device.</exception>
    /// <exception cref="IngotException">This machine has no such device; the message says what is missing.</exception>
    public static Device Find(string name)
    {
        if (Problem(name) is { } problem)
            throw new ArgumentException($"device {problem}");
        var gpus = Gpus();
        if (KindOf(name) == DeviceKind.Cpu)
            return Device.Cpu;
        var number = GpuNumber(name) ?? 0;
        if (number < gpus.Length)
            return gpus[number];
        throw new IngotException(Status.ErrorNotFound, gpus.Length == 0
            ? $"device \"{name}\": no GPU can be used: {NativeRuntime.CudaInfo.Problem}; or take --device {Cpu}"
            : $"device \"{name}\": there "
                + $"{(gpus.Length == 1 ? $"is 1 GPU, {Cuda}:0" : $"are {gpus.Length} GPUs, {Cuda}:0 to {Cuda}:{gpus.Length - 1}")}");
    }

    private static Device[] Gpus() => [.. Device.All.Where(device => device.Kind == DeviceKind.Cuda)];

    /// <summary>N of "cuda:N", 0 of "cuda"; null for anything else.</summary>
    private static int? GpuNumber(string? name)
    {
        if (name == Cuda)
            return 0;
        return name is not null && name.StartsWith(Cuda + ":", StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(Cuda.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? number
                : null;
    }
}
