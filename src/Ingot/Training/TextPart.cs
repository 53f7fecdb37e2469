using System.Security.Cryptography;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Running text: token files, and windows of them.</summary>
internal sealed class TextPart(TextSource source, double? weight, TrainingOptions options, double? fraction) : DataPart(source.Path, weight)
{
    // Tokens of it that are shown.
    private const int Beginning = 40;

    private TokenDataset? _dataset;

    /// <inheritdoc/>
    public override bool HasValidation => Validation is not null;

    /// <inheritdoc/>
    public override double? ValidationBytesPerToken => (double)Validation!.TextBytes / Validation.TokenCount;

    /// <inheritdoc/>
    public override string Contents => $"{Train.TokenCount:N0} tokens of text";

    /// <inheritdoc/>
    public override TokenizedExample Example
    {
        get
        {
            var tokens = new int[(int)Math.Min(Beginning, Train.TokenCount)];
            Train.Read(0, tokens);
            return new TokenizedExample(tokens, [.. tokens.Select(_ => true)]);
        }
    }

    private TokenFile Train => _dataset!.Train;

    private TokenFile? Validation => fraction is null ? _dataset!.Train : _dataset!.Validation;

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) => source.ReadUtf8(ct);

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash) => source.AppendTo(hash);

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct) =>
        _dataset = TokenDataset.Prepare(source, tokenizer, DataCache.TokensFolder, fraction ?? 0, cancellationToken: ct);

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer, CancellationToken ct)
    {
        if (fraction is not null && Train.TokenCount < length + 1L)
        {
            throw new InvalidDataException($"{Name}: there are {Train.TokenCount} tokens to train on, too few for a sequence of {length} "
                + "and the token after it: shorten sequenceLength or take more text");
        }

        if (Validation is { TokenCount: < 2 })
        {
            throw new InvalidDataException($"{Name}: the validation text has fewer than two tokens, so that "
                + "there is nothing to predict: take more text, a larger validationFraction, or 0");
        }
    }

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length) =>
        new BatchSampler(Train, batch, length, options.Sampling, (ulong)options.Seed, options.DocumentMask);

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length) =>
        new EvaluationBatches(Validation!, batch, length, options.DocumentMask);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _dataset?.Dispose();
        base.Dispose();
    }
}
