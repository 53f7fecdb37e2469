namespace Ingot.Bindings;

/// <summary>What a device is and has.</summary>
/// <param name="Kind">Kind of the device.</param>
/// <param name="Name">Its name, as its maker gives it.</param>
/// <param name="ComputeUnits">Cores of a CPU, streaming multiprocessors of a GPU.</param>
/// <param name="ComputeCapability">CUDA compute capability, 10 x major + minor; 0 on a CPU.</param>
/// <param name="HasBf16">Whether it has bf16 instructions; without them bf16 works all the same, more slowly.</param>
/// <param name="MemoryBytes">Memory that it has.</param>
public sealed record DeviceProperties(
    DeviceKind Kind, string Name, int ComputeUnits, int ComputeCapability, bool HasBf16, long MemoryBytes);

/// <summary>Memory of a device at one moment, in bytes.</summary>
/// <param name="Available">What the operating system or driver says is available.</param>
/// <param name="Allocated">Held by the native library's buffers and programs.</param>
/// <param name="PeakAllocated">The most that <paramref name="Allocated"/> has been.</param>
public readonly record struct DeviceMemory(long Available, long Allocated, long PeakAllocated);

/// <summary>A processor that runs programs.</summary>
public sealed unsafe class Device
{
    private static readonly Lazy<Device[]> Devices = new(ReadAll);

    private Device(int index, DeviceProperties properties) => (Index, Properties) = (index, properties);

    /// <summary>All devices; the first is the CPU.</summary>
    /// <exception cref="IngotException">The native library cannot be loaded.</exception>
    public static IReadOnlyList<Device> All => Devices.Value;

    /// <summary>The CPU.</summary>
    public static Device Cpu => Devices.Value[0];

    /// <summary>Number of the device in <see cref="All"/>.</summary>
    public int Index { get; }

    /// <summary>What the device is and has.</summary>
    public DeviceProperties Properties { get; }

    /// <summary>Kind of the device.</summary>
    public DeviceKind Kind => Properties.Kind;

    /// <summary>Reads how much of the device's memory is in use now.</summary>
    public DeviceMemory GetMemory()
    {
        NativeDeviceMemory memory;
        IngotException.ThrowIfFailed(NativeMethods.GetDeviceMemory(Index, &memory));
        return new((long)memory.AvailableBytes, (long)memory.AllocatedBytes, (long)memory.PeakAllocatedBytes);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Properties.Name} (device {Index})";

    private static Device[] ReadAll()
    {
        int count;
        IngotException.ThrowIfFailed(NativeMethods.DeviceCount(&count));
        return [.. Enumerable.Range(0, count).Select(index => new Device(index, ReadProperties(index)))];
    }

    private static DeviceProperties ReadProperties(int index)
    {
        NativeDeviceProperties properties;
        IngotException.ThrowIfFailed(NativeMethods.GetDeviceProperties(index, &properties));
        return new((DeviceKind)properties.Kind, NativeText.ToString(properties.Name), properties.ComputeUnits, properties.ComputeCapability,
            properties.HasBf16 != 0, (long)properties.MemoryBytes);
    }
}
