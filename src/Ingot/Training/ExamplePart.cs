using System.Security.Cryptography;
using System.Text;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Examples, each by itself: packed into rows, or padded.</summary>
/// <param name="name">Where they are from.</param>
/// <param name="weight">How often they are drawn.</param>
/// <param name="options">How they are cut and laid out.</param>
/// <param name="fraction">Share that is held back for validation; null if all of them are for validation.</param>
/// <param name="appendTo">Adds to a hash what tells them from others.</param>
/// <param name="read">Reads them.</param>
internal sealed class ExamplePart(
    string name, double? weight, TrainingOptions options, double? fraction, Action<IncrementalHash> appendTo,
    Func<CancellationToken, IEnumerable<TrainingExample>> read)
    : DataPart(name, weight)
{
    private Tokenizer? _tokenizer;
    private ChatTemplate? _template;
    private ExampleSet? _train;
    private ExampleSet? _validation;
    private List<WritingItem> _items = [];
    private int _rows;

    /// <inheritdoc/>
    public override bool HasVariableLength => !options.Packing;

    /// <inheritdoc/>
    public override int RowsPerEpoch => _rows;

    /// <inheritdoc/>
    public override bool HasValidation => _validation is not null;

    /// <inheritdoc/>
    public override IReadOnlyList<WritingItem> WritingItems => _items;

    /// <inheritdoc/>
    public override string Contents => _train is null
        ? $"{_validation!.Examples.Count:N0} examples"
        : $"{_train.Examples.Count:N0} examples, {_train.TokenCount:N0} tokens"
        + (_train.TargetCount < _train.TokenCount - _train.Examples.Count
            ? $", {_train.TargetCount:N0} of them learnt" : "");

    /// <inheritdoc/>
    public override TokenizedExample Example => (_train ?? _validation)!.Examples[0];

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) =>
        read(ct).SelectMany(TextsOf).Select(text => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(text)));

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash) => appendTo(hash);

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct) =>
        (_tokenizer, _template) = (tokenizer, template);

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer, CancellationToken ct)
    {
        var most = Math.Min(length, options.MaxLength ?? length);
        var encoder = new ExampleEncoder(_tokenizer!, _template, new ExampleEncoderOptions
        {
            // Texts go on as further examples where they are not cut; a conversation that goes on without its beginning makes no sense.
            MaxLength = most,
            Truncation = options.Truncation != false ? ExampleTruncation.Turns : ExampleTruncation.Drop,
            Answers = options.LearnedAnswers,
        });
        var whole = new ExampleEncoder(_tokenizer!, _template);
        var (encoded, continued) = (new List<TokenizedExample>(), 0);
        var asked = new Dictionary<TokenizedExample, WritingItem>(ReferenceEqualityComparer.Instance);
        foreach (var example in read(ct))
        {
            ct.ThrowIfCancellationRequested();
            if (options.Truncation != false || example is not TextExample)
            {
                if (encoder.Encode(example) is not { } one)
                    continue;
                encoded.Add(one);
                if (options.EvalMetrics.Count > 0 && WritingItem.Of(example) is { } item)
                    asked.Add(one, item);
            }
            else if (whole.Encode(example) is { } text)
            {
                encoded.AddRange(ExampleSet.Limit([text], most, truncate: false, out var tooLong));
                continued += tooLong;
            }
        }

        Warn(observer, encoder.Counts, whole.Counts, continued, most);
        if (encoded.Count == 0)
        {
            throw new InvalidDataException($"{Name}: none of the {encoder.Counts.Examples + whole.Counts.Examples:N0} examples has a token "
                + $"to learn within {most} tokens: prompts need answers, and maxLength must leave some of them");
        }

        var set = new ExampleSet(Name, encoded.FindAll(example => example.Learned.Skip(1).Any(learned => learned)));
        (_train, _validation) = fraction is { } share ? set.Split(share) : (null, set);
        _items = [.. (_validation?.Examples ?? []).Select(asked.GetValueOrDefault).OfType<WritingItem>()];
        if (_train is not null)
            _rows = new ExampleRows(_train, length, options.Packing).Count;
    }

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length) =>
        new ExampleBatches(_train!, batch, length, (ulong)options.Seed, options.Packing, options.PadToMultipleOf ?? 32);

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length) =>
        new ExampleEvaluation(_validation!, batch, length, options.Packing, options.PadToMultipleOf ?? 32);

    private static IEnumerable<string> TextsOf(TrainingExample example) => example switch
    {
        TextExample text => [text.Text],
        CompletionExample completion => [completion.Prompt, completion.Completion],
        ConversationExample conversation => conversation.Messages.Select(message => message.Content),
        _ => [],
    };

    private void Warn(ITrainingObserver observer, ExampleCounts counts, ExampleCounts whole, int continued, int most)
    {
        var all = counts.Examples + whole.Examples;
        if (counts.Truncated > 0)
            observer.OnWarning($"{Name}: {counts.Truncated:N0} of {all:N0} examples have more than {most} tokens and were cut (maxLength)");
        if (continued > 0)
            observer.OnWarning($"{Name}: {continued:N0} of {all:N0} examples have more than {most} tokens and go on as further examples");
        if (counts.TooLong > 0)
            observer.OnWarning($"{Name}: {counts.TooLong:N0} of {all:N0} examples have more than {most} tokens and were left out "
                + "(maxLength)");
        if (counts.WithoutTargets + whole.WithoutTargets is > 0 and var without)
            observer.OnWarning($"{Name}: {without:N0} of {all:N0} examples have no token to learn and were left out");
    }
}
