using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Reports;

namespace Ingot.Training;

/// <summary>trainer_state.json: everything beside weights and moments that a run needs to go on as if it had never stopped.</summary>
public sealed record TrainerState
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "trainer_state.json";

    /// <summary>Steps done.</summary>
    public long Step { get; set; }

    /// <summary>Updates applied: steps that were not skipped.</summary>
    public long Updates { get; set; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; set; }

    /// <summary>Seconds of training.</summary>
    public double ElapsedSeconds { get; set; }

    /// <summary>Where the next batch begins.</summary>
    public BatchPosition? Data { get; set; }

    /// <summary>Steps skipped in a row.</summary>
    public int SkippedInARow { get; set; }

    /// <summary>Usual losses and norms.</summary>
    public OutlierGuard Guard { get; set; } = new();

    /// <summary>Latest training loss.</summary>
    public double? Loss { get; set; }

    /// <summary>Latest validation loss.</summary>
    public double? EvalLoss { get; set; }

    /// <summary>Latest validation loss in bits per byte.</summary>
    public double? EvalBitsPerByte { get; set; }

    /// <summary>Share of the masked tokens or labels that the latest evaluation found right; null for other tasks.</summary>
    public double? EvalAccuracy { get; set; }

    /// <summary>Macro F1 of the labels in the latest evaluation; null for other tasks.</summary>
    public double? EvalF1 { get; set; }

    /// <summary>Scores of what the model wrote in the latest evaluation, by metric; null where it does not.</summary>
    public IReadOnlyDictionary<string, double>? EvalScores { get; set; }

    /// <summary>Lowest validation loss so far.</summary>
    public double? BestEvalLoss { get; set; }

    /// <summary>Best score so far of what the best model is chosen by; null if that is the loss.</summary>
    public CheckpointScore? BestScore { get; set; }

    /// <summary>Evaluations in a row that were no better than the best before them, for early stopping.</summary>
    public int EvaluationsWithoutGain { get; set; }

    /// <summary>The step, if its evaluation was due and interrupted, so that the run goes on with that; null otherwise.</summary>
    public MetricsRow? Unevaluated { get; set; }

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, TrainerStateJson.Default.TrainerState);

    /// <summary>Reads it back.</summary>
    /// <exception cref="InvalidDataException">The file is not what this version writes; the message names it.</exception>
    public static TrainerState Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), TrainerStateJson.Default.TrainerState)
                ?? throw new InvalidDataException($"{path} is empty");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(TrainerState))]
internal sealed partial class TrainerStateJson : JsonSerializerContext;
