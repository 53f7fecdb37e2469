using System.Security.Cryptography;
using System.Text;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Pairs of answers to prompts, of which one was preferred.</summary>
/// <param name="source">The files.</param>
/// <param name="options">How they are cut and laid out.</param>
/// <param name="fraction">Share that is held back for validation; null if all of them are for validation.</param>
internal sealed class PreferencePart(TrainingSource source, TrainingOptions options, double? fraction)
    : DataPart(source.Path, source.Weight)
{
    private readonly ExampleFiles _files = ExampleFiles.Open(source.Path);
    private List<TokenizedPair> _all = [];
    private List<TokenizedPair> _train = [];
    private List<TokenizedPair> _validation = [];

    /// <inheritdoc/>
    /// <remarks>They do not, but a batch comes whole from one source, so that pairs stay together.</remarks>
    public override bool HasVariableLength => true;

    /// <inheritdoc/>
    public override int RowsPerEpoch => 2 * _train.Count;

    /// <inheritdoc/>
    public override bool HasValidation => _validation.Count > 0;

    /// <inheritdoc/>
    public override string Contents =>
        $"{(_train.Count > 0 ? _train : _validation).Count:N0} pairs of answers, the longest with its prompt "
        + $"{_train.Concat(_validation).Max(p => p.RowLength) + 1:N0} tokens";

    /// <inheritdoc/>
    public override TokenizedExample Example => (_train.Count > 0 ? _train : _validation)[0].Chosen;

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) =>
        throw new InvalidDataException($"{Name}: no tokenizer is trained on pairs of answers: leave tokenizer out, which takes the "
        + "model's");

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash) => hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFullPath(Name)));

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct)
    {
        var pairs = new ExampleEncoder(tokenizer, template).EncodePairs(_files.ReadPairs(ct));
        _all = [.. pairs.Select(p => new TokenizedPair(p.Chosen, p.Rejected))];
    }

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer, CancellationToken ct)
    {
        // An answer that is cut off would be judged by its beginning.
        var fitting = _all.FindAll(p => p.RowLength <= length);
        if (fitting.Count == 0)
            throw new InvalidDataException($"{Name}: none of {_all.Count:N0} pairs fits into {length} tokens: take a longer "
                + "sequenceLength");
        if (fitting.Count < _all.Count)
        {
            observer.OnWarning($"{Name}: {_all.Count - fitting.Count:N0} of {_all.Count:N0} pairs have more than {length} tokens "
                + "(sequenceLength) and were left out");
        }

        _all = [];
        var held = fraction is { } share ? (int)(fitting.Count * share) : fitting.Count;
        // Whole batches are measured; fewer pairs than that are not worth holding back.
        if (fraction is not null && held < options.PerDeviceTrainBatchSize)
            held = 0;
        var shuffle = new Permutation(fitting.Count, (ulong)options.Seed);
        var shuffled = Enumerable.Range(0, fitting.Count).Select(i => fitting[(int)shuffle[i]]).ToList();
        (_validation, _train) = (shuffled[..held], shuffled[held..]);
        if (fraction is null && held < options.PerDeviceTrainBatchSize)
        {
            throw new InvalidDataException($"{Name}: {held} pairs to validate on are fewer than a batch of "
                + $"{options.PerDeviceTrainBatchSize}: "
                + "take more, or a smaller perDeviceTrainBatchSize");
        }
    }

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length) =>
        new PreferenceBatches(Name, _train, batch, length, (ulong)options.Seed);

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length) => new PreferenceEvaluation(_validation, batch, length);
}
