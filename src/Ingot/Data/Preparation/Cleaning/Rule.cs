namespace Ingot.Data.Preparation.Cleaning;

/// <summary>A set of rules to begin with.</summary>
public enum RuleSet
{
    /// <summary>For text that is text: repairs it, masks addresses and telephone numbers, removes what repeats.</summary>
    Text,

    /// <summary>For crawled pages: also the quality rules of Gopher and C4.</summary>
    Web,

    /// <summary>No rule.</summary>
    None,
}

/// <summary>What a rule does.</summary>
public enum RuleKind
{
    /// <summary>Decides about records while they are read.</summary>
    Reading,

    /// <summary>Changes text.</summary>
    Repair,

    /// <summary>Puts a mark in the place of text.</summary>
    Mask,

    /// <summary>Removes lines.</summary>
    Line,

    /// <summary>Removes documents.</summary>
    Document,
}

/// <summary>What a rule is set to.</summary>
public enum RuleParameter
{
    /// <summary>On or off.</summary>
    Switch,

    /// <summary>A number, or off.</summary>
    Limit,

    /// <summary>A text, or off.</summary>
    Text,

    /// <summary>An option of the same name decides.</summary>
    Option,
}

/// <summary>A rule of cleaning: a row of <see cref="RuleTable"/>.</summary>
public sealed class Rule
{
    internal delegate string TextRepair(string text, double limit, ref long count);

    internal delegate bool LineTest(ReadOnlySpan<char> line, double limit);

    internal delegate double Measure(WordList words, Repetition repetition);

    /// <summary>Name by which it is switched.</summary>
    public required string Name { get; init; }

    /// <summary>What it does.</summary>
    public required RuleKind Kind { get; init; }

    /// <summary>What it is set to.</summary>
    public required RuleParameter Parameter { get; init; }

    /// <summary>The limit that "on" means; 1 where there is none.</summary>
    public double DefaultLimit { get; init; } = 1;

    /// <summary>Whether <see cref="RuleSet.Text"/> has it.</summary>
    public bool InText { get; init; }

    /// <summary>Whether <see cref="RuleSet.Web"/> has it.</summary>
    public bool InWeb { get; init; }

    /// <summary>What it does, in a sentence.</summary>
    public required string Summary { get; init; }

    /// <summary>Where it comes from; empty if from common practice.</summary>
    public string Source { get; init; } = "";

    internal TextRepair? Repairs { get; init; }

    internal LineTest? RemovesLine { get; init; }

    internal Measure? Measures { get; init; }

    /// <summary>Whether documents below the limit go, rather than those above.</summary>
    internal bool RemovesBelow { get; init; }

    /// <summary>The setting in a set of rules, as it is written: on, off, or a limit.</summary>
    public string DefaultIn(RuleSet set) => !(set switch { RuleSet.Text => InText, RuleSet.Web => InWeb, _ => false }) ? "off"
        : Parameter == RuleParameter.Limit ? Number(DefaultLimit) : "on";

    internal static string Number(double value) => value.ToString("0.####", System.Globalization.CultureInfo.InvariantCulture);
}
