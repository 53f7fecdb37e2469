namespace Ingot.Checkpoints;

/// <summary>What a model was judged by when it was saved.</summary>
/// <param name="Metric">Name of the metric, such as "loss" or "bleu"; scores of different metrics say nothing about each other.</param>
/// <param name="Value">The score.</param>
/// <param name="GreaterIsBetter">Whether more of it is better.</param>
public sealed record CheckpointScore(string Metric, double Value, bool GreaterIsBetter)
{
    /// <summary>The metric by which models are judged unless another is asked for: the validation loss.</summary>
    public const string Loss = "loss";

    /// <summary>The validation loss as a score.</summary>
    public static CheckpointScore OfLoss(double loss) => new(Loss, loss, GreaterIsBetter: false);

    /// <summary>By how much it is better than another: infinitely if that is of no such metric; NaN for a loss that is no number.</summary>
    public double GainOver(CheckpointScore? other)
    {
        var before = other?.Metric == Metric ? other.Value : GreaterIsBetter ? double.NegativeInfinity : double.PositiveInfinity;
        return GreaterIsBetter ? Value - before : before - Value;
    }
}
