namespace Ingot.Data;

/// <summary>Data to measure a model on: a number of batches, each of which can be read at any time.</summary>
public interface IEvaluationSource
{
    /// <summary>Rows of a batch.</summary>
    int BatchSize { get; }

    /// <summary>Tokens of a row, at most.</summary>
    int SequenceLength { get; }

    /// <summary>Whether rows hold several sequences that do not see each other.</summary>
    bool HasSegments { get; }

    /// <summary>Tokens of a row's source, at most; 0 if rows have none.</summary>
    int SourceLength => 0;

    /// <summary>How many batches there are.</summary>
    long Count { get; }

    /// <summary>Fills in a batch.</summary>
    /// <param name="number">Its number, from 0 to <see cref="Count"/> − 1.</param>
    /// <param name="batch">What <see cref="NewBatch"/> gives.</param>
    /// <returns>How many targets count.</returns>
    /// <exception cref="ArgumentException">The batch is of another form, or there is no such batch.</exception>
    int Read(long number, Batch batch);

    /// <summary>A batch of the form that <see cref="Read"/> fills.</summary>
    Batch NewBatch() => new(BatchSize, SequenceLength, HasSegments, SourceLength);
}
