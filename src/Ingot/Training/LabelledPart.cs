using System.Security.Cryptography;
using System.Text;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Examples with labels: what classifiers learn.</summary>
/// <param name="source">The files.</param>
/// <param name="task">Whether a whole text has a label, or every token.</param>
/// <param name="options">How examples are cut and laid out.</param>
/// <param name="fraction">Share that is held back for validation; null if all of them are for validation.</param>
internal sealed class LabelledPart(TrainingSource source, ModelTask task, TrainingOptions options, double? fraction)
    : DataPart(source.Path, source.Weight)
{
    private Tokenizer? _tokenizer;
    private Dictionary<string, int> _ids = [];
    private ExampleSet? _train;
    private ExampleSet? _validation;

    /// <inheritdoc/>
    public override bool HasVariableLength => true;

    /// <inheritdoc/>
    public override int RowsPerEpoch => _train?.Examples.Count ?? 0;

    /// <inheritdoc/>
    public override bool HasValidation => _validation is not null;

    /// <inheritdoc/>
    public override string Contents => $"{(_train ?? _validation)!.Examples.Count:N0} examples with {_ids.Count:N0} labels, "
        + $"{(_train ?? _validation)!.TokenCount:N0} tokens";

    /// <inheritdoc/>
    public override TokenizedExample Example => (_train ?? _validation)!.Examples[0];

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) =>
        Read(ct).SelectMany(TextsOf).Select(text => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(text)));

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash) => TextSource.Open(Name).AppendTo(hash);

    /// <summary>The labels of all examples, each once.</summary>
    public IEnumerable<string> ReadLabels(CancellationToken ct) => Read(ct).SelectMany(example => example.Labels).Distinct();

    /// <summary>Says which labels there are, by id.</summary>
    public void SetLabels(IReadOnlyList<string> labels) => _ids = labels.Index().ToDictionary(label => label.Item, label => label.Index);

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct)
    {
        EncoderTokenizer.Require(tokenizer, masks: false);
        _tokenizer = tokenizer;
    }

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer, CancellationToken ct)
    {
        var most = Math.Min(length, options.MaxLength ?? length);
        var (all, tooLong, empty) = (new List<TokenizedExample>(), 0, 0);
        var read = 0;
        foreach (var example in Read(ct))
        {
            read++;
            var (tokens, types, targets, isTooLong) = LabelledEncoder.Encode(_tokenizer!, example, IdOf, most);
            tooLong += isTooLong ? 1 : 0;
            if (isTooLong && options.Truncation == false)
                continue;
            if (targets.Any(target => target != Batch.Ignore))
                all.Add(new TokenizedExample(tokens, targets, types));
            else
                empty++;
        }

        if (tooLong > 0)
        {
            observer.OnWarning($"{Name}: {tooLong:N0} of {read:N0} examples have more than {most} tokens and were "
                + (options.Truncation != false ? "cut (maxLength)" : "left out (maxLength; truncation cuts them)"));
        }

        if (empty > 0)
            observer.OnWarning($"{Name}: {empty:N0} of {read:N0} examples have no token with a label and were left out");
        if (all.Count == 0)
            throw new InvalidDataException($"{Name}: none of the {read:N0} examples can be learnt within {most} tokens: take a longer "
                + "maxLength");
        var set = new ExampleSet(Name, all);
        (_train, _validation) = fraction is { } share ? set.Split(share) : (null, set);
    }

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length) =>
        new ExampleBatches(_train!, batch, length, (ulong)options.Seed, packed: false, options.PadToMultipleOf ?? 32);

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length) =>
        new ExampleEvaluation(_validation!, batch, length, packed: false, options.PadToMultipleOf ?? 32);

    private IEnumerable<LabelledExample> Read(CancellationToken ct) => LabelledFiles.Read(Name, task == ModelTask.TokenClassification, ct);

    private int IdOf(string label, string place) => _ids.TryGetValue(label, out var id) ? id
        : throw new InvalidDataException($"{place}: the label \"{label}\" is not among those that the model knows: "
            + $"{LabelNames.Shown(_ids.Keys)}. "
            + "Leave such examples out, or begin with a model for another task");

    private static IEnumerable<string> TextsOf(LabelledExample example) => example switch
    {
        LabelledText { Pair: { } pair } text => [text.Text, pair],
        LabelledText text => [text.Text],
        LabelledWords words => [string.Join(' ', words.Words)],
        _ => [],
    };
}
