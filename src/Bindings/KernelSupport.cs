namespace Ingot.Bindings;

/// <summary>What a kernel says of an op call: whether it can compute it, and what that takes.</summary>
/// <param name="Kernel">Variant of the kernel.</param>
/// <param name="IsSupported">Whether it can compute the call; otherwise the figures are 0.</param>
/// <param name="Reason">Why it cannot; empty if it can.</param>
/// <param name="Flops">Floating-point operations of one run; 0 if the kernel does not tell.</param>
/// <param name="Bytes">Bytes read and written by one run; 0 if the kernel does not tell.</param>
/// <param name="WorkspaceBytes">Memory that it needs to work in.</param>
public sealed record KernelSupport(string Kernel, bool IsSupported, string Reason, double Flops, double Bytes, long WorkspaceBytes)
{
    /// <summary>
    /// Asks every kernel of the call's op on a device, best first, without memory and without running anything: the operands need no
    /// buffers.
    /// </summary>
    /// <exception cref="IngotException">The call does not fit its op; or a kernel, against the rules, throws.</exception>
    public static IReadOnlyList<KernelSupport> Of(Device device, OpCall call)
    {
        IReadOnlyList<Kernel> kernels = Bindings.Kernel.GetAll();
        return [.. Enumerable.Range(0, kernels.Count)
            .Where(i => kernels[i].Op == call.Op && kernels[i].DeviceKind == device.Kind).Select(i => Ask(device, call, i))];
    }

    /// <summary>Asks one kernel of the call's op.</summary>
    /// <exception cref="IngotException">The call does not fit its op, there is no such kernel, or it throws.</exception>
    public static KernelSupport Of(Device device, OpCall call, string variant)
    {
        IReadOnlyList<Kernel> kernels = Bindings.Kernel.GetAll();
        int index = Enumerable.Range(0, kernels.Count)
            .FirstOrDefault(i => kernels[i].Op == call.Op && kernels[i].DeviceKind == device.Kind && kernels[i].Variant == variant, -1);
        return index >= 0 ? Ask(device, call, index)
            : throw new IngotException(Status.ErrorNotFound, $"{call.Op} has no kernel {variant} for {device}");
    }

    /// <summary>
    /// The kernel that a program would take for the call: the one that it names, or that INGOT_KERNEL names, or the best.
    /// </summary>
    /// <exception cref="IngotException">The call does not fit its op, or no kernel or not the one that was named supports it.</exception>
    public static KernelSupport Chosen(Device device, OpCall call) => Ask(device, call, -1);

    private static unsafe KernelSupport Ask(Device device, OpCall call, int kernel)
    {
        KernelSupport? answer = null;
        NativeCalls.Use([call], native =>
        {
            NativeKernelSupport support;
            IngotException.ThrowIfFailed(NativeMethods.GetKernelSupport(device.Index, native, kernel, &support));
            answer = new(NativeText.ToString(support.Kernel), support.Supported != 0, NativeText.ToString(support.Reason), support.Flops,
                support.Bytes, (long)support.WorkspaceBytes);
        });
        return answer!;
    }
}
