using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>
/// The parameters of a model in memory, one behind the other as a <see cref="ParameterLayout"/> says. Trained ones have fp32 master
/// copies, gradients and the optimizer's two moments; with bf16 there is a second copy in bf16 that computations read. Frozen ones
/// have the copy that computations read and nothing else: 4 bytes a parameter, with bf16 2.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    /// <summary>Elements that are converted or copied at a time.</summary>
    private const int Chunk = 1 << 20;

    /// <summary>Allocates the parameters of a model that is trained as a whole, all zero.</summary>
    /// <param name="device">Where.</param>
    /// <param name="parameters">What the model declares.</param>
    /// <param name="computeType">dtype that computations read: F32 or Bf16.</param>
    /// <param name="training">Whether gradients and moments are needed.</param>
    public ParameterStore(Device device, IReadOnlyList<ParameterInfo> parameters, DType computeType, bool training)
        : this(device, new ParameterLayout(parameters), computeType, training)
    {
    }

    /// <summary>Allocates parameters, all zero.</summary>
    /// <param name="device">Where.</param>
    /// <param name="layout">Which there are, and which of them are trained.</param>
    /// <param name="computeType">dtype that computations read: F32 or Bf16.</param>
    /// <param name="training">Whether gradients and moments are needed.</param>
    public ParameterStore(Device device, ParameterLayout layout, DType computeType, bool training)
    {
        Device = device;
        Layout = layout;
        ComputeType = computeType;
        try
        {
            // A buffer is never empty, also where everything is frozen.
            Master = new DeviceBuffer(device, Math.Max(4, layout.MasterElements(computeType) * 4));
            if (computeType == DType.Bf16)
                Compute = new DeviceBuffer(device, layout.Elements * 2);
            if (training)
            {
                var bytes = Math.Max(4, layout.TrainedElements * 4);
                Gradients = new DeviceBuffer(device, bytes);
                FirstMoments = new DeviceBuffer(device, bytes);
                SecondMoments = new DeviceBuffer(device, bytes);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where they are.</summary>
    public Device Device { get; }

    /// <summary>Where each lies, and which are trained.</summary>
    public ParameterLayout Layout { get; }

    /// <summary>The parameters in the order of declaration.</summary>
    public IReadOnlyList<ParameterInfo> Parameters => Layout.Parameters;

    /// <summary>dtype that computations read.</summary>
    public DType ComputeType { get; }

    /// <summary>Number of weights, without the gaps between parameters.</summary>
    public long ParameterCount => Layout.ParameterCount;

    /// <summary>Master copies, fp32: of all parameters, but with bf16 only of those that are trained.</summary>
    public DeviceBuffer Master { get; }

    /// <summary>Copies in bf16, or null if computations read the master copies.</summary>
    public DeviceBuffer? Compute { get; }

    /// <summary>Gradients of trained parameters, fp32; null unless training.</summary>
    public DeviceBuffer? Gradients { get; }

    /// <summary>Exponential averages of the gradients, fp32; null unless training.</summary>
    public DeviceBuffer? FirstMoments { get; }

    /// <summary>Exponential averages of the squared gradients, fp32; null unless training.</summary>
    public DeviceBuffer? SecondMoments { get; }

    /// <summary>Elements from the start of each buffer to a parameter.</summary>
    public long OffsetOf(string name) => Layout.OffsetOf(name);

    /// <summary>Whether a parameter has an fp32 master copy; otherwise its only copy is in bf16.</summary>
    public bool HasMaster(string name) => OffsetOf(name) < Layout.MasterElements(ComputeType);

    /// <summary>
    /// A parameter's values in one of the fp32 buffers (<see cref="Master"/>, <see cref="Gradients"/>, moments), on the host.
    /// </summary>
    public Span<float> View(DeviceBuffer buffer, string name)
    {
        var (info, offset) = (Layout.InfoOf(name), OffsetOf(name));
        return (offset + info.Elements) * 4 <= buffer.Bytes
            ? buffer.Map<float>(offset * 4, checked((int)info.Elements))
            : throw new InvalidOperationException($"the parameter {name} is frozen: it has its values in {ComputeType} and nothing else");
    }

    /// <summary>Reads values of a parameter: its master copy, or the only one that it has.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="values">Where they go.</param>
    /// <param name="begin">Which of its elements is the first.</param>
    public void Read(string name, Span<float> values, long begin = 0)
    {
        var at = OffsetOf(name) + begin;
        if (HasMaster(name))
        {
            Master.Read(values, at * 4);
            return;
        }

        var halves = new ushort[Math.Min(Chunk, values.Length)];
        for (var done = 0; done < values.Length; done += halves.Length)
        {
            var part = halves.AsSpan(0, Math.Min(halves.Length, values.Length - done));
            Compute!.Read(part, (at + done) * 2);
            for (var i = 0; i < part.Length; i++)
                values[done + i] = Bf16.Widen(part[i]);
        }
    }

    /// <summary>All values of a parameter.</summary>
    public float[] Read(string name)
    {
        var values = new float[Layout.InfoOf(name).Elements];
        Read(name, values);
        return values;
    }

    /// <summary>Writes values of a parameter, to every copy that it has.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="values">The values; where there is only bf16, rounded to nearest.</param>
    /// <param name="begin">Which of its elements is the first.</param>
    public void Write(string name, ReadOnlySpan<float> values, long begin = 0)
    {
        var at = OffsetOf(name) + begin;
        if (HasMaster(name))
            Master.Write(values, at * 4);
        if (Compute is null)
            return;
        var halves = new ushort[Math.Min(Chunk, values.Length)];
        for (var done = 0; done < values.Length; done += halves.Length)
        {
            var part = halves.AsSpan(0, Math.Min(halves.Length, values.Length - done));
            for (var i = 0; i < part.Length; i++)
                part[i] = Bf16.Round(values[done + i]);
            Compute.Write<ushort>(part, (at + done) * 2);
        }
    }

    /// <summary>Sets all parameters to their initial values; the same seed gives the same values.</summary>
    public void Initialize(ulong seed) => Initialize(seed, _ => true);

    /// <summary>Sets some parameters to their initial values.</summary>
    /// <param name="seed">The same seed gives the same values, whichever others are set.</param>
    /// <param name="which">Whether a parameter is set.</param>
    public void Initialize(ulong seed, Func<ParameterInfo, bool> which) => Parallel.ForEach(Parameters.Where(which), p =>
    {
        var values = new float[p.Elements];
        switch (p.Initializer)
        {
            case Initializer.Constant c:
                values.AsSpan().Fill((float)c.Value);
                break;
            case Initializer.Normal n:
                new RandomNumbers(seed, p.Name).FillNormal(values, n.StandardDeviation);
                break;
            case Initializer.Uniform u:
                new RandomNumbers(seed, p.Name).FillUniform(values, u.Bound);
                break;
            default:
                throw new NotSupportedException($"{p.Name}: initializer {p.Initializer}");
        }

        Write(p.Name, values);
    });

    /// <summary>Makes the bf16 copies from the master copies; to be called after the host has changed these.</summary>
    public void RefreshCompute()
    {
        var elements = Layout.MasterElements(ComputeType);
        if (Compute is null || elements == 0)
            return;
        using var cast = new NativeProgram(Device,
        [
            new OpCall("cast", [new Operand(Master, 0, DType.F32, elements), new Operand(Compute, 0, DType.Bf16, elements)]),
        ]);
        cast.Run();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Master?.Dispose();
        Compute?.Dispose();
        Gradients?.Dispose();
        FirstMoments?.Dispose();
        SecondMoments?.Dispose();
    }
}
