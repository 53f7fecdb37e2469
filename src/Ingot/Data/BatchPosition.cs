using System.Text.Json.Serialization;

namespace Ingot.Data;

/// <summary>
/// Where in its sequences of batches a source stands: all that a checkpoint has to keep. With the same tokens, the batches from here on are
/// the same, whatever came before; the batch size may change, but where <see cref="BatchSize"/> holds it.
/// </summary>
public readonly record struct BatchPosition
{
    /// <summary>How rows are chosen.</summary>
    [JsonConverter(typeof(JsonStringEnumConverter<DataSampling>))]
    public required DataSampling Sampling { get; init; }

    /// <summary>Decides the order.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Whole passes over the data so far; always 0 with random offsets.</summary>
    public required long Epoch { get; init; }

    /// <summary>Rows taken in this epoch or, with random offsets and in a mixture, in all.</summary>
    public required long Index { get; init; }

    /// <summary>Tokens in the data that the position belongs to.</summary>
    public required long TokenCount { get; init; }

    /// <summary>Tokens of a row, at most.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Rows of a batch, where the order depends on it: in batches grouped by length. Null elsewhere.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? BatchSize { get; init; }

    /// <summary>Where each source of a mixture stands; null elsewhere.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<BatchPosition>? Parts { get; init; }
}
