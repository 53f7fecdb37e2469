using System.Security.Cryptography;
using System.Text;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Examples, each by itself: packed into rows, or padded.</summary>
/// <param name="name">Where they are from.</param>
/// <param name="weight">How often they are drawn.</param>
/// <param name="options">How they are cut and laid out.</param>
/// <param name="fraction">Share that is held back for validation; null if all of them are for validation.</param>
/// <param name="appendTo">Adds to a hash what tells them from others.</param>
/// <param name="read">Reads the texts.</param>
/// <param name="encode">Makes examples of the texts; null for texts that are learnt whole.</param>
internal sealed class ExamplePart(
    string name, double? weight, TrainingOptions options, double? fraction, Action<IncrementalHash> appendTo,
    Func<CancellationToken, IEnumerable<string>> read, Func<Tokenizer, CancellationToken, IEnumerable<TokenizedExample>>? encode = null)
    : DataPart(name, weight)
{
    private List<TokenizedExample> _all = [];
    private ExampleSet? _train;
    private ExampleSet? _validation;
    private int _rows;

    /// <inheritdoc/>
    public override bool HasVariableLength => !options.Packing;

    /// <inheritdoc/>
    public override int RowsPerEpoch => _rows;

    /// <inheritdoc/>
    public override bool HasValidation => _validation is not null;

    /// <inheritdoc/>
    public override string Contents => _train is null
        ? $"{_validation!.Examples.Count:N0} examples"
        : $"{_train.Examples.Count:N0} examples, {_train.TokenCount:N0} tokens" + (_train.TargetCount < _train.TokenCount - _train.Examples.Count
            ? $", {_train.TargetCount:N0} of them learnt" : "");

    /// <inheritdoc/>
    public override TokenizedExample Example => (_train ?? _validation)!.Examples[0];

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) =>
        read(ct).Select(text => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(text)));

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash) => appendTo(hash);

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, CancellationToken ct) =>
        _all = [.. encode is null ? read(ct).Select(text => Whole(text, tokenizer)) : encode(tokenizer, ct)];

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer)
    {
        var most = Math.Min(length, options.MaxLength ?? length);
        var limited = ExampleSet.Limit(_all, most, options.Truncation, out var tooLong);
        if (tooLong > 0)
        {
            observer.OnWarning($"{Name}: {tooLong:N0} of {_all.Count:N0} examples have more than {most} tokens and "
                + (options.Truncation ? "were cut (maxLength)" : "go on as further examples"));
        }

        // What is left of an example may be a prompt without its answer.
        var useful = limited.FindAll(example => example.Learned.Skip(1).Any(learned => learned));
        if (useful.Count < limited.Count && useful.Count > 0)
            observer.OnWarning($"{Name}: {limited.Count - useful.Count:N0} examples without a token to learn were left out");
        _all = [];
        var set = new ExampleSet(Name, useful.Count > 0 ? useful : limited);
        (_train, _validation) = fraction is { } share ? set.Split(share) : (null, set);
        if (_train is not null)
            _rows = new ExampleRows(_train, length, options.Packing).Count;
    }

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length) =>
        new ExampleBatches(_train!, batch, length, (ulong)options.Seed, options.Packing, options.PadToMultipleOf);

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length) =>
        new ExampleEvaluation(_validation!, batch, length, options.Packing, options.PadToMultipleOf);

    /// <summary>A text that is learnt whole, and its end.</summary>
    private TokenizedExample Whole(string text, Tokenizer tokenizer)
    {
        var ids = new List<int>();
        try
        {
            tokenizer.Encode(text, ids);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{Name}: \"{(text.Length > 60 ? text[..60] + "…" : text)}\": {e.Message}", e);
        }

        if (tokenizer.EndOfTextId is { } end && (ids.Count == 0 || ids[^1] != end))
            ids.Add(end);
        return new TokenizedExample([.. ids], [.. Enumerable.Repeat(true, ids.Count)]);
    }
}
