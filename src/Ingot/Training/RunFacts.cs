using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Ingot.Bindings;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>What a report says of a run beside its curves: names and values.</summary>
internal static class RunFacts
{
    public static IReadOnlyList<KeyValuePair<string, string>> Configuration(TrainingOptions options) =>
        Flat(JsonNode.Parse(Recipe.ToJson(options)));

    public static IReadOnlyList<KeyValuePair<string, string>> Model(ModelConfig model) => Flat(model.ToJson());

    public static IReadOnlyList<KeyValuePair<string, string>> Environment(Device device)
    {
        var build = NativeRuntime.BuildInfo;
        var cpu = Device.Cpu.Properties;
        return
        [
            new("Ingot", build.Version),
            new("Processor", $"{cpu.Name}, {NativeRuntime.Threads} threads, {build.Simd}"),
            .. Gpu(device),
            new("Memory", $"{cpu.MemoryBytes / (double)(1L << 30):0.0} GiB"),
            new("Matmul", build.MatmulLibrary),
            new("Compiler", build.Compiler),
            new(".NET", RuntimeInformation.FrameworkDescription),
            new("System", RuntimeInformation.OSDescription),
        ];
    }

    private static KeyValuePair<string, string>[] Gpu(Device device)
    {
        if (device.Kind == DeviceKind.Cpu)
            return [];
        var (gpu, cuda) = (device.Properties, NativeRuntime.CudaInfo);
        return
        [
            new("GPU", $"{gpu.Name}, {gpu.ComputeUnits} multiprocessors, {gpu.MemoryBytes / (double)(1L << 30):0.0} GiB"),
            new("CUDA", $"{cuda.Runtime}, driver for {cuda.Driver}, {cuda.MatmulLibrary}"),
        ];
    }

    private static List<KeyValuePair<string, string>> Flat(JsonNode? json) =>
        [.. json!.AsObject().Where(p => p.Value is not null).Select(p => new KeyValuePair<string, string>(p.Key,
            p.Value is JsonValue v && v.TryGetValue<string>(out var text) ? text : p.Value!.ToJsonString()))];
}
