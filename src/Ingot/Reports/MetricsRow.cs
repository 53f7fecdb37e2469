using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Training;

namespace Ingot.Reports;

/// <summary>One line of <c>metrics.jsonl</c>: a logged step, with the evaluation made after it if there was one.</summary>
/// <remarks> A figure that is not finite (the loss of a skipped step) is <c>null</c> in the file, as JSON has no NaN, and NaN when read.
/// </remarks>
public readonly record struct MetricsRow
{
    /// <summary>The step, counted from 1.</summary>
    public required long Step { get; init; }

    /// <summary>Training loss in nats per target token.</summary>
    [JsonConverter(typeof(FiniteConverter))]
    public required double Loss { get; init; }

    /// <summary>Learning rate of the step.</summary>
    [JsonConverter(typeof(FiniteConverter))]
    public required double LearningRate { get; init; }

    /// <summary>L2 norm of the gradient before clipping.</summary>
    [JsonConverter(typeof(FiniteConverter))]
    public required double GradNorm { get; init; }

    /// <summary>Tokens per second since the row before.</summary>
    [JsonConverter(typeof(FiniteConverter))]
    public required double TokensPerSecond { get; init; }

    /// <summary>Passes over the training data so far.</summary>
    public required double Epoch { get; init; }

    /// <summary>Tokens trained on since step 0.</summary>
    public required long Tokens { get; init; }

    /// <summary>Seconds of training since step 0, over all resumes.</summary>
    public required double ElapsedSeconds { get; init; }

    /// <summary>True when the update was not applied; absent otherwise.</summary>
    public bool? Skipped { get; init; }

    /// <summary>Validation loss in nats per target token; absent when not evaluated.</summary>
    public double? EvalLoss { get; init; }

    /// <summary>Validation loss in bits per byte of text; absent when not evaluated.</summary>
    public double? EvalBitsPerByte { get; init; }

    /// <summary>Share of the masked tokens or labels that were right; absent when not evaluated and for other tasks.</summary>
    public double? EvalAccuracy { get; init; }

    /// <summary>Macro F1 of the labels; absent when not evaluated and for other tasks.</summary>
    public double? EvalF1 { get; init; }

    /// <summary>Scores of what the model wrote, by metric; absent unless <see cref="TrainingOptions.EvalMetrics"/> ask for them.</summary>
    public IReadOnlyDictionary<string, double>? EvalScores { get; init; }

    /// <summary>Share of the step's pairs whose chosen answer has the higher reward; absent unless preferences are learnt.</summary>
    public double? RewardAccuracy { get; init; }

    /// <summary>By how much chosen answers have the higher reward; absent unless preferences are learnt.</summary>
    public double? RewardMargin { get; init; }

    /// <summary>Writes NaN and infinities as null.</summary>
    internal sealed class FiniteConverter : JsonConverter<double>
    {
        public override bool HandleNull => true;

        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value))
                writer.WriteNumberValue(value);
            else
                writer.WriteNullValue();
        }
    }
}

[JsonSerializable(typeof(MetricsRow))]
[JsonSerializable(typeof(SampleReport))]
internal sealed partial class ReportJson : JsonSerializerContext
{
    /// <summary>The spelling of the files: text stays text instead of \u escapes, for people read them too.</summary>
    public static ReportJson Lines { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
