using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>A kernel that a graph's calls are computed by.</summary>
/// <param name="Op">The op.</param>
/// <param name="Kernel">Variant of the kernel.</param>
/// <param name="Calls">Calls that it computes.</param>
/// <param name="Flops">Floating-point operations of all of them; 0 if the kernel does not tell.</param>
/// <param name="Bytes">Bytes that all of them read and write; 0 if the kernel does not tell.</param>
public sealed record PlannedKernel(string Op, string Kernel, int Calls, double Flops, double Bytes);

/// <summary>Asks which kernels a graph's program will take, before there is one.</summary>
public static class KernelPlan
{
    /// <summary>The kernels of a graph that <see cref="CompiledGraph.Prepare"/> is done with, most FLOPs first.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="device">Where it will run.</param>
    /// <param name="kernels">Kernel variants by op or layer/op (<see cref="KernelChoices"/>).</param>
    /// <exception cref="ArgumentException">A choice names an op, a variant or a layer that does not exist.</exception>
    /// <exception cref="IngotException">A kernel that was chosen does not support a call; the message names the call.</exception>
    public static IReadOnlyList<PlannedKernel> Make(Graph graph, Device device, IReadOnlyDictionary<string, string> kernels)
    {
        var choices = new KernelChoices(kernels);
        choices.Check(device.Kind, [.. graph.Calls.Select(call => (call.Op.Name, call.Label))]);
        return [.. graph.Calls.Select(call => (call.Op.Name, Support: Ask(call, device, choices)))
            .GroupBy(call => (call.Name, call.Support.Kernel))
            .Select(group => new PlannedKernel(group.Key.Name, group.Key.Kernel, group.Count(), group.Sum(call => call.Support.Flops),
                group.Sum(call => call.Support.Bytes)))
            .OrderByDescending(kernel => kernel.Flops).ThenBy(kernel => kernel.Op, StringComparer.Ordinal)];
    }

    private static KernelSupport Ask(Call call, Device device, KernelChoices choices)
    {
        try
        {
            return KernelSupport.Chosen(device, new OpCall(call.Op.Name, [.. call.Operands.Select(Shape)])
            {
                Attributes = call.Attributes,
                Kernel = choices.For(call.Op.Name, call.Label),
                Label = call.Label,
            });
        }
        catch (IngotException e)
        {
            throw new IngotException(e.Status, $"{call.Op.Name} of '{call.Label}': {e.Message}");
        }
    }

    private static Operand Shape(Tensor? t) => t is null ? default : new Operand(null!, 0, t.DType, t.Shape, t.Strides);
}
