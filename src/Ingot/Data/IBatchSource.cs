namespace Ingot.Data;

/// <summary>Gives batches without end.</summary>
public interface IBatchSource
{
    /// <summary>Sequences in a batch.</summary>
    int BatchSize { get; }

    /// <summary>Tokens in a sequence.</summary>
    int SequenceLength { get; }

    /// <summary>
    /// After the batches that <see cref="Next"/> has given so far. A source that is set to it gives the same batches from there on.
    /// </summary>
    BatchPosition Position { get; }

    /// <summary>Fills in the next batch.</summary>
    /// <param name="inputs">Takes the tokens, [<see cref="BatchSize"/>, <see cref="SequenceLength"/>].</param>
    /// <param name="targets">Takes, for each token, the one that follows it; the same shape.</param>
    /// <exception cref="ArgumentException">A span has another size.</exception>
    /// <exception cref="InvalidDataException">The data is damaged.</exception>
    void Next(Span<int> inputs, Span<int> targets);
}
