using Ingot.Evaluation;

namespace Ingot.Training;

/// <summary>How often predictions are right: of masked tokens, or of labels.</summary>
public sealed class PredictionScores
{
    private readonly Dictionary<int, (long Right, long Predicted, long Actual)> _classes = [];
    private long _right;

    /// <summary>Predictions so far.</summary>
    public long Count { get; private set; }

    /// <summary>Share of them that are right; NaN without any.</summary>
    public double Accuracy => (double)_right / Count;

    /// <summary>
    /// Mean of the F1 of the classes that occur, as target or as prediction (<see cref="F1Average.Macro"/>); NaN without any.
    /// </summary>
    public double MacroF1 => _classes.Count == 0 ? double.NaN : _classes.Values.Average(c => F1Metric.F1(c.Right, c.Predicted, c.Actual));

    /// <summary>Adds predictions beside what they should have been.</summary>
    public void Add(IEnumerable<(int Target, int Prediction)> predictions)
    {
        foreach (var (target, prediction) in predictions)
        {
            Count++;
            var right = target == prediction ? 1 : 0;
            _right += right;
            var actual = _classes.GetValueOrDefault(target);
            _classes[target] = (actual.Right + right, actual.Predicted, actual.Actual + 1);
            var predicted = _classes.GetValueOrDefault(prediction);
            _classes[prediction] = predicted with { Predicted = predicted.Predicted + 1 };
        }
    }
}
