using System.Security.Cryptography;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>
/// Data of another part for a masked language model: tokens are masked, and windows of running text stand between the tokens that begin and
/// end a text.
/// </summary>
/// <param name="source">The data.</param>
/// <param name="options">How much is masked.</param>
internal sealed class MaskedPart(DataPart source, TrainingOptions options) : DataPart(source.Name, source.Weight)
{
    private Tokenizer? _tokenizer;

    /// <inheritdoc/>
    public override bool HasVariableLength => source.HasVariableLength;

    /// <inheritdoc/>
    public override int RowsPerEpoch => source.RowsPerEpoch;

    /// <inheritdoc/>
    public override bool HasValidation => source.HasValidation;

    /// <inheritdoc/>
    public override string Contents => source.Contents;

    /// <inheritdoc/>
    public override TokenizedExample Example => source.Example;

    // Windows of running text get two more.
    private int Frame => source is TextPart ? 2 : 0;

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) => source.ReadUtf8(ct);

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash) => source.AppendTo(hash);

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct)
    {
        EncoderTokenizer.Require(tokenizer, masks: true);
        _tokenizer = tokenizer;
        source.Encode(tokenizer, template, ct);
    }

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer, CancellationToken ct)
    {
        if (length < 3)
            throw new ArgumentException($"sequenceLength {length} leaves no room between the tokens that begin and end a text: take 3 or "
                + "more");
        source.Prepare(length - Frame, observer, ct);
    }

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length)
    {
        var batches = source.TrainingBatches(batch, length - Frame);
        return new MaskedTokenBatches(
            Frame > 0 ? new FramedBatches(batches, _tokenizer!.ClsId!.Value, _tokenizer.SepId!.Value) : batches, Masking());
    }

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length)
    {
        var batches = source.ValidationBatches(batch, length - Frame);
        return new MaskedTokenEvaluation(
            Frame > 0 ? new FramedEvaluation(batches, _tokenizer!.ClsId!.Value, _tokenizer.SepId!.Value) : batches, Masking());
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        source.Dispose();
        base.Dispose();
    }

    private TokenMasking Masking() => new(_tokenizer!.VocabularySize, _tokenizer.MaskId!.Value, EncoderTokenizer.SpecialIds(_tokenizer),
        (ulong)options.Seed, options.MlmProbability);
}
