using System.Text.Json;

namespace Ingot.Evaluation;

/// <summary>Scores as JSON.</summary>
public static class ScoreJson
{
    /// <summary>Writes them with the names that sacreBLEU's JSON has, and full precision.</summary>
    public static void Write(Utf8JsonWriter writer, IEnumerable<EvaluationResult> results)
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
