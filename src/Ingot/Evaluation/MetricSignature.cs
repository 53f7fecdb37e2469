using System.Globalization;

namespace Ingot.Evaluation;

/// <summary>
/// Says how a score was computed, as sacreBLEU does: <c>nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0+ingot</c>.
/// </summary>
public sealed class MetricSignature
{
    private readonly List<KeyValuePair<string, string>> _parts = [];

    /// <summary>The parts, in order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Parts => _parts;

    /// <summary>Adds a part.</summary>
    public MetricSignature Add(string key, string value)
    {
        _parts.Add(new(key, value));
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join('|', _parts.Select(part => $"{part.Key}:{part.Value}"));

    internal MetricSignature Add(string key, long value) => Add(key, value.ToString(CultureInfo.InvariantCulture));

    internal MetricSignature Add(string key, bool value) => Add(key, value ? "yes" : "no");
}
