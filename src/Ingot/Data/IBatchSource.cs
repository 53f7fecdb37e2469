namespace Ingot.Data;

/// <summary>Gives batches without end.</summary>
public interface IBatchSource
{
    /// <summary>Rows of a batch.</summary>
    int BatchSize { get; }

    /// <summary>Tokens of a row, at most.</summary>
    int SequenceLength { get; }

    /// <summary>Whether rows hold several sequences that do not see each other.</summary>
    bool HasSegments => false;

    /// <summary>Tokens of a row's source, at most; 0 if rows have none.</summary>
    int SourceLength => 0;

    /// <summary>Batches of one pass over the data.</summary>
    double BatchesPerEpoch { get; }

    /// <summary>Passes over the data so far, with a fraction.</summary>
    double Epochs { get; }

    /// <summary>
    /// After the batches that <see cref="Next"/> has given so far. A source that is set to it gives the same batches from there on.
    /// </summary>
    BatchPosition Position { get; }

    /// <summary>Fills in the next batch.</summary>
    /// <param name="batch">What <see cref="NewBatch"/> gives.</param>
    /// <exception cref="ArgumentException">The batch is of another form.</exception>
    /// <exception cref="InvalidDataException">The data is damaged.</exception>
    void Next(Batch batch);

    /// <summary>A batch of the form that <see cref="Next"/> fills.</summary>
    Batch NewBatch() => new(BatchSize, SequenceLength, HasSegments, SourceLength);
}
