using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>How a parameter is trained.</summary>
/// <param name="LearningRateFactor">What the learning rate is multiplied by.</param>
/// <param name="Decays">Whether weight decay applies.</param>
public sealed record ParameterSettings(double LearningRateFactor, bool Decays)
{
    /// <summary>
    /// What holds where nobody says otherwise: matrices and tables decay, biases and norms do not, and all learn at the same rate.
    /// </summary>
    public static ParameterSettings Default(ParameterInfo parameter) => new(1, parameter.Shape.Count >= 2);
}

/// <summary>Trained parameters with equal settings: one range of each buffer.</summary>
/// <param name="Settings">How they are trained.</param>
/// <param name="Offset">First element.</param>
/// <param name="Elements">Number of elements, gaps between parameters included.</param>
public sealed record ParameterGroup(ParameterSettings Settings, long Offset, long Elements);

/// <summary>
/// Where each parameter of a model lies, before anything is allocated: those that are trained first, sorted into groups of equal
/// settings, so that the optimizer's whole work is one call a group; behind them the frozen ones, which have neither gradients nor
/// moments, and in bf16 no fp32 master copy.
/// </summary>
public sealed class ParameterLayout
{
    /// <summary>Elements to whose multiple every parameter is aligned: 256 bytes in fp32.</summary>
    private const long Alignment = 64;

    private readonly Dictionary<string, (ParameterInfo Info, long Offset)> _parameters = [];

    /// <summary>Lays parameters out.</summary>
    /// <param name="parameters">What the model declares.</param>
    /// <param name="settings">How each is trained, null for a frozen one; without it all are trained as is usual.</param>
    public ParameterLayout(IReadOnlyList<ParameterInfo> parameters, Func<ParameterInfo, ParameterSettings?>? settings = null)
    {
        settings ??= ParameterSettings.Default;
        Parameters = parameters;
        var all = parameters.Select(p => (Info: p, Settings: settings(p))).ToList();
        var groups = all.GroupBy(p => p.Settings).OrderBy(g => g.Key is null).ThenByDescending(g => g.Key?.Decays)
            .ThenByDescending(g => g.Key?.LearningRateFactor);
        var trained = new List<ParameterGroup>();
        foreach (var group in groups)
        {
            var begin = Elements;
            foreach (var (info, _) in group)
            {
                if (!_parameters.TryAdd(info.Name, (info, Elements)))
                    throw new ArgumentException($"there are two parameters named {info.Name}");
                Elements = checked(Elements + ((info.Elements + Alignment - 1) / Alignment * Alignment));
            }

            if (group.Key is not { } key)
                continue;
            TrainedElements = Elements;
            TrainedCount += group.Sum(p => p.Info.Elements);
            trained.Add(new ParameterGroup(key, begin, Elements - begin));
        }

        Groups = trained;
        ParameterCount = parameters.Sum(p => p.Elements);
    }

    /// <summary>The parameters in the order of declaration.</summary>
    public IReadOnlyList<ParameterInfo> Parameters { get; }

    /// <summary>The trained parameters, by settings.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>Number of weights, without the gaps between parameters.</summary>
    public long ParameterCount { get; }

    /// <summary>Number of weights that are trained.</summary>
    public long TrainedCount { get; }

    /// <summary>Elements of all parameters, gaps included.</summary>
    public long Elements { get; }

    /// <summary>Elements of the trained parameters, gaps included: they come first.</summary>
    public long TrainedElements { get; }

    /// <summary>Elements from the start of each buffer to a parameter.</summary>
    public long OffsetOf(string name) => Find(name).Offset;

    /// <summary>Whether a parameter is trained rather than frozen.</summary>
    public bool IsTrained(string name) => OffsetOf(name) < TrainedElements;

    /// <summary>A parameter as the model declares it.</summary>
    public ParameterInfo InfoOf(string name) => Find(name).Info;

    /// <summary>Elements that have an fp32 master copy: all if computations read fp32, else those that are trained.</summary>
    public long MasterElements(DType computeType) => computeType == DType.Bf16 ? TrainedElements : Elements;

    /// <summary>Bytes of the parameters: master copies, and bf16 copies if computations read those.</summary>
    public long ParameterBytes(DType computeType) =>
        checked((MasterElements(computeType) * 4) + (computeType == DType.Bf16 ? Elements * 2 : 0));

    private (ParameterInfo Info, long Offset) Find(string name) => _parameters.TryGetValue(name, out var p)
        ? p
        : throw new KeyNotFoundException($"the model has no parameter '{name}'");
}
