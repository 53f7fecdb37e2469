namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Which rules are on, and with what limits.</summary>
internal sealed class RuleSettings
{
    private readonly double?[] _limits = new double?[RuleTable.All.Count];

    /// <summary>Those of the options.</summary>
    /// <exception cref="ArgumentException">A change names no rule, or its value is wrong.</exception>
    public RuleSettings(RuleSet set, IReadOnlyDictionary<string, string> changes)
    {
        if (RuleTable.Check(changes).FirstOrDefault() is { } problem)
            throw new ArgumentException($"rules {problem}");
        for (var i = 0; i < _limits.Length; i++)
        {
            var rule = RuleTable.All[i];
            var isOn = rule.Kind == RuleKind.Reading || (set == RuleSet.Text && rule.InText) || (set == RuleSet.Web && rule.InWeb);
            _limits[i] = isOn ? rule.DefaultLimit : null;
        }

        foreach (var (name, value) in changes)
        {
            var index = RuleTable.IndexOf(name);
            RuleTable.TryRead(RuleTable.All[index], value, out _limits[index]);
            if (RuleTable.All[index].Parameter == RuleParameter.Text && _limits[index] is not null)
                Languages = value.Split(',');
        }
    }

    /// <summary>The languages that stay; empty for all.</summary>
    public IReadOnlyList<string> Languages { get; } = [];

    /// <summary>The limit of the rule at a place of the table; null if it is off.</summary>
    public double? this[int rule] => _limits[rule];

    /// <summary>The limit of a rule; null if it is off.</summary>
    public double? this[string rule] => _limits[RuleTable.IndexOf(rule)];

    /// <summary>The setting as it is written: on, off, or a limit.</summary>
    public string Describe(int rule) => _limits[rule] is not { } limit ? "off"
        : RuleTable.All[rule].Parameter switch
        {
            RuleParameter.Limit => Rule.Number(limit),
            RuleParameter.Text => string.Join(',', Languages),
            _ => "on",
        };
}
