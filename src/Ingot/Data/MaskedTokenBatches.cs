namespace Ingot.Data;

/// <summary>
/// Batches of another source for masked language models: <see cref="TokenMasking"/> on each, other tokens in every epoch.
/// </summary>
public sealed class MaskedTokenBatches : ISeekableBatchSource
{
    private readonly ISeekableBatchSource _source;
    private readonly TokenMasking _masking;

    /// <summary>Masks tokens of a source.</summary>
    /// <param name="source">Gives the tokens; its targets do not matter.</param>
    /// <param name="masking">Chooses them.</param>
    public MaskedTokenBatches(ISeekableBatchSource source, TokenMasking masking)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(masking);
        (_source, _masking) = (source, masking);
    }

    /// <inheritdoc cref="TokenMasking(int, int, IEnumerable{int}, ulong, double)"/>
    public MaskedTokenBatches(
        ISeekableBatchSource source, int vocabularySize, int maskId, IEnumerable<int> specialIds, ulong seed, double probability = 0.15)
        : this(source, new TokenMasking(vocabularySize, maskId, specialIds, seed, probability))
    {
    }

    /// <inheritdoc/>
    public int BatchSize => _source.BatchSize;

    /// <inheritdoc/>
    public int SequenceLength => _source.SequenceLength;

    /// <inheritdoc/>
    public bool HasSegments => _source.HasSegments;

    /// <inheritdoc/>
    public double BatchesPerEpoch => _source.BatchesPerEpoch;

    /// <inheritdoc/>
    public double Epochs => _source.Epochs;

    /// <inheritdoc/>
    public BatchPosition Position
    {
        get => _source.Position;
        set => _source.Position = value;
    }

    /// <inheritdoc/>
    public void Next(Batch batch)
    {
        var position = _source.Position;
        _source.Next(batch);
        _masking.Apply(batch, position.Epoch, position.Index);
    }
}

/// <summary>Batches to measure a masked language model on: those of another source, the same tokens masked every time.</summary>
/// <param name="source">Gives the tokens.</param>
/// <param name="masking">Chooses which of them are masked.</param>
public sealed class MaskedTokenEvaluation(IEvaluationSource source, TokenMasking masking) : IEvaluationSource
{
    /// <inheritdoc/>
    public int BatchSize => source.BatchSize;

    /// <inheritdoc/>
    public int SequenceLength => source.SequenceLength;

    /// <inheritdoc/>
    public bool HasSegments => source.HasSegments;

    /// <inheritdoc/>
    public long Count => source.Count;

    /// <inheritdoc/>
    public int Read(long number, Batch batch)
    {
        source.Read(number, batch);
        // Not those of the first epoch of training on the same text.
        return masking.Apply(batch, epoch: -1, number);
    }
}
