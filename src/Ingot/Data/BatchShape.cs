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

    /// <summary>Both spans of the source's batch size.</summary>
    public static void Check(IBatchSource source, ReadOnlySpan<int> inputs, ReadOnlySpan<int> targets) =>
        Check(source.BatchSize, source.SequenceLength, inputs, targets);

    /// <summary>Both spans of the size of a batch.</summary>
    public static void Check(int batchSize, int sequenceLength, ReadOnlySpan<int> inputs, ReadOnlySpan<int> targets)
    {
        var size = batchSize * sequenceLength;
        if (inputs.Length != size || targets.Length != size)
        {
            throw new ArgumentException(
                $"Inputs and targets take [{batchSize}, {sequenceLength}] = {size} tokens each, not {inputs.Length} and {targets.Length}.");
        }
    }
}
