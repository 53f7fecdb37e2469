using System.Text.Json;
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

    /// <summary>Writes them with the names that sacreBLEU's JSON has, and full precision.</summary>
    public static void WriteJson(Utf8JsonWriter writer, IReadOnlyList<EvaluationResult> results)
    {
        writer.WriteStartArray();
        foreach ((string system, MetricScore score, double? pValue) in results)
        {
            writer.WriteStartObject();
            writer.WriteString("name", score.Name);
            writer.WriteNumber("score", score.Value);
            writer.WriteString("signature", score.Signature.ToString());
            if (score.Verbose.Length > 0)
            {
                writer.WriteString("verbose_score", score.Verbose);
            }

            writer.WriteString("system", system);
            if (pValue is { } p)
            {
                writer.WriteNumber("p_value", p);
            }

            if (score.Confidence is { } confidence)
            {
                WriteInterval(writer, "confidence", confidence);
            }

            foreach ((string name, ConfidenceInterval interval) in score.OtherConfidences)
            {
                WriteInterval(writer, $"{name}_confidence", interval);
            }

            foreach ((string name, double measure) in score.Measures)
            {
                writer.WriteNumber(name, measure);
            }

            foreach ((string key, string value) in score.Signature.Parts)
            {
                writer.WriteString(key, value);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteInterval(Utf8JsonWriter writer, string name, ConfidenceInterval interval)
    {
        writer.WriteNumber($"{name}_mean", interval.Mid);
        writer.WriteNumber($"{name}_var", interval.HalfWidth);
        writer.WriteNumber($"{name}_low", interval.Low);
        writer.WriteNumber($"{name}_high", interval.High);
    }
}
