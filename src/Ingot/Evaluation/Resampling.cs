namespace Ingot.Evaluation;

/// <summary>Bootstrap resampling: corpora of the same size drawn from the segments, with replacement.</summary>
/// <param name="Count">How many.</param>
/// <param name="Seed">Of NumPy's generator: with the same seed, sacreBLEU draws the same segments.</param>
public sealed record Resampling(int Count = 1000, ulong Seed = 12345);

/// <summary>How an interval is read off the scores of resamples.</summary>
internal enum IntervalKind
{
    /// <summary>Their mean, and the scores at a fortieth from either end, as sacreBLEU has it.</summary>
    SacreBleu,

    /// <summary>The percentiles 2.5, 50 and 97.5, between two scores where they fall so, as rouge_score has it.</summary>
    Percentiles,
}
