namespace Ingot.Data;

/// <summary>Checks of batch sizes, which all sources share.</summary>
internal static class BatchShape
{
    /// <summary>Both at least 1, and their product an array's size.</summary>
    public static void Check(int batchSize, int sequenceLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sequenceLength, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)batchSize * (sequenceLength + 1L), Array.MaxLength, nameof(batchSize));
    }

    /// <summary>The batch of the form that a source fills.</summary>
    public static void Check(Batch batch, int batchSize, int sequenceLength, bool hasSegments, int sourceLength = 0)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Rows != batchSize || batch.MostLength != sequenceLength || batch.HasSegments != hasSegments
            || batch.MostSourceLength != sourceLength)
        {
            throw new ArgumentException(
                $"The batch is for [{batch.Rows}, {batch.MostLength}] {With(batch.HasSegments)} segments{Sources(batch.MostSourceLength)}; "
                + $"this source fills [{batchSize}, {sequenceLength}] {With(hasSegments)}{Sources(sourceLength)}. Take one from "
                + "NewBatch().");
        }

        static string With(bool segments) => segments ? "with" : "without";
        static string Sources(int length) => length > 0 ? $", sources of {length}" : "";
    }

    public static void Check(Batch batch, IBatchSource source) =>
        Check(batch, source.BatchSize, source.SequenceLength, source.HasSegments, source.SourceLength);
}
