using Ingot.Evaluation;

namespace Ingot.Trainer;

/// <summary>Scores as `ingot evaluate` prints them.</summary>
internal static class ScoreWriter
{
    /// <summary>Writes a line for each score; with several systems a block for each metric, with p-values.</summary>
    public static void Write(TextWriter output, IReadOnlyList<EvaluationResult> results, int decimals)
    {
        if (results.All(result => result.PValue is null))
        {
            foreach (EvaluationResult result in results)
            {
                output.WriteLine(result.Score.ToString(decimals));
            }

            return;
        }

        int width = results.Max(result => result.System.Length);
        foreach (IGrouping<string, EvaluationResult> metric in results.GroupBy(result => $"{result.Score.Name}|{result.Score.Signature}"))
        {
            output.WriteLine(metric.Key);
            foreach (EvaluationResult result in metric)
            {
                string p = result.PValue is { } value ? $"  p = {value:0.0000}{(value < 0.05 ? " *" : "")}" : "  baseline";
                output.WriteLine($"  {result.System.PadRight(width)}  {result.Score.ValueText(decimals)}{p}");
            }
        }

        output.WriteLine("* differs from the baseline by more than chance (p < 0.05)");
    }
}
