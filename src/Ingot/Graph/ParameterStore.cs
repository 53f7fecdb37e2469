using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>
/// The parameters of a model in memory: fp32 master copies one behind the other in one buffer, weights that decay (two or more
/// dimensions) first, so that the optimizer's whole work is one call for each of the two groups. Gradients and the optimizer's
/// moments lie the same way; with bf16 there is a second copy of the parameters in bf16 that computations read.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    /// <summary>Elements to whose multiple every parameter is aligned: 256 bytes in fp32.</summary>
    private const long Alignment = 64;

    private readonly Dictionary<string, (ParameterInfo Info, long Offset)> _parameters = [];

    /// <summary>Allocates the parameters, all zero.</summary>
    /// <param name="device">Where.</param>
    /// <param name="parameters">What the model declares.</param>
    /// <param name="computeType">dtype that computations read: F32 or Bf16.</param>
    /// <param name="training">Whether gradients and moments are needed.</param>
    public ParameterStore(Device device, IReadOnlyList<ParameterInfo> parameters, DType computeType, bool training)
    {
        Device = device;
        Parameters = parameters;
        ComputeType = computeType;
        var offset = 0L;
        foreach (var decays in new[] { true, false })
        {
            foreach (var p in parameters.Where(p => Decays(p) == decays))
            {
                if (!_parameters.TryAdd(p.Name, (p, offset)))
                    throw new ArgumentException($"there are two parameters named {p.Name}");
                offset = checked(offset + ((p.Elements + Alignment - 1) / Alignment * Alignment));
            }

            if (decays)
                DecayElements = offset;
        }

        Elements = offset;
        ParameterCount = parameters.Sum(p => p.Elements);
        Master = new DeviceBuffer(device, Elements * 4);
        if (computeType == DType.Bf16)
            Compute = new DeviceBuffer(device, Elements * 2);
        if (training)
        {
            Gradients = new DeviceBuffer(device, Elements * 4);
            FirstMoments = new DeviceBuffer(device, Elements * 4);
            SecondMoments = new DeviceBuffer(device, Elements * 4);
        }
    }

    /// <summary>Where they are.</summary>
    public Device Device { get; }

    /// <summary>The parameters in the order of declaration.</summary>
    public IReadOnlyList<ParameterInfo> Parameters { get; }

    /// <summary>dtype that computations read.</summary>
    public DType ComputeType { get; }

    /// <summary>Number of weights, without the gaps between parameters.</summary>
    public long ParameterCount { get; }

    /// <summary>Elements of each buffer, gaps included.</summary>
    public long Elements { get; }

    /// <summary>Elements at the start of each buffer that belong to weights that decay.</summary>
    public long DecayElements { get; }

    /// <summary>Master copies, fp32.</summary>
    public DeviceBuffer Master { get; }

    /// <summary>Copies in bf16, or null if computations read the master copies.</summary>
    public DeviceBuffer? Compute { get; }

    /// <summary>Gradients, fp32; null unless training.</summary>
    public DeviceBuffer? Gradients { get; }

    /// <summary>Exponential averages of the gradients, fp32; null unless training.</summary>
    public DeviceBuffer? FirstMoments { get; }

    /// <summary>Exponential averages of the squared gradients, fp32; null unless training.</summary>
    public DeviceBuffer? SecondMoments { get; }

    /// <summary>Bytes that a store takes, without making one.</summary>
    public static long BytesFor(IReadOnlyList<ParameterInfo> parameters, DType computeType, bool training) => checked(
        parameters.Sum(p => (p.Elements + Alignment - 1) / Alignment * Alignment)
        * (4 + (computeType == DType.Bf16 ? 2 : 0) + (training ? 12 : 0)));

    /// <summary>Whether weight decay applies: to matrices and tables, not to biases and norms.</summary>
    public static bool Decays(ParameterInfo parameter) => parameter.Shape.Count >= 2;

    /// <summary>Elements from the start of each buffer to a parameter.</summary>
    public long OffsetOf(string name) => _parameters.TryGetValue(name, out var p)
        ? p.Offset
        : throw new KeyNotFoundException($"the model has no parameter '{name}'");

    /// <summary>A parameter's values in one of the buffers (<see cref="Master"/>, <see cref="Gradients"/>, moments), on the host.</summary>
    public Span<float> View(DeviceBuffer buffer, string name)
    {
        var (info, offset) = _parameters[name];
        return buffer.Map<float>(offset * 4, checked((int)info.Elements));
    }

    /// <summary>Sets all parameters to their initial values; the same seed gives the same values.</summary>
    public void Initialize(ulong seed)
    {
        using var staging = Device.Kind == DeviceKind.Cpu ? null : new DeviceBuffer(Device, Master.Bytes, pinned: true);
        Parallel.ForEach(Parameters, p =>
        {
            var values = View(staging ?? Master, p.Name);
            switch (p.Initializer)
            {
                case Initializer.Constant c:
                    values.Fill((float)c.Value);
                    break;
                case Initializer.Normal n:
                    new NormalGenerator(seed, p.Name).Fill(values, n.StandardDeviation);
                    break;
                default:
                    throw new NotSupportedException($"{p.Name}: initializer {p.Initializer}");
            }
        });
        staging?.CopyTo(0, Master, 0, Master.Bytes);
        RefreshCompute();
    }

    /// <summary>Makes the bf16 copies from the master copies; to be called after the host has changed these.</summary>
    public void RefreshCompute()
    {
        if (Compute is null)
            return;
        using var cast = new NativeProgram(Device,
        [
            new OpCall("cast", [new Operand(Master, 0, DType.F32, Elements), new Operand(Compute, 0, DType.Bf16, Elements)]),
        ]);
        cast.Run();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Master.Dispose();
        Compute?.Dispose();
        Gradients?.Dispose();
        FirstMoments?.Dispose();
        SecondMoments?.Dispose();
    }
}
