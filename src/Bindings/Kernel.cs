namespace Ingot.Bindings;

/// <summary>A kernel: one way to compute an op on one kind of device.</summary>
/// <param name="Op">The op that it computes.</param>
/// <param name="Variant">Name of this way, unique for the op and kind of device.</param>
/// <param name="Description">One line: how it does it.</param>
/// <param name="Origin">Where it comes from: "built-in", or the file of the plug-in.</param>
/// <param name="DeviceKind">Kind of device it runs on.</param>
/// <param name="Priority">Among the kernels that support a call the one with the highest priority is the default.</param>
public sealed record Kernel(string Op, string Variant, string Description, string Origin, DeviceKind DeviceKind, int Priority)
{
    /// <summary>All kernels, those of plug-ins included, ordered by op, device kind and descending priority.</summary>
    public static unsafe IReadOnlyList<Kernel> GetAll()
    {
        int count;
        IngotException.ThrowIfFailed(NativeMethods.KernelCount(&count));
        var all = new Kernel[count];
        for (int i = 0; i < count; i++)
        {
            NativeKernelInfo info;
            IngotException.ThrowIfFailed(NativeMethods.GetKernelInfo(i, &info));
            all[i] = new(NativeText.ToString(info.Op), NativeText.ToString(info.Variant), NativeText.ToString(info.Description),
                NativeText.ToString(info.Origin), (DeviceKind)info.DeviceKind, info.Priority);
        }

        return all;
    }
}
