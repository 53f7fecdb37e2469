using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Models;
using Ingot.Pairs;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Pairs of texts, a source and a target: what encoder-decoders learn.</summary>
/// <param name="source">The files.</param>
/// <param name="options">Which fields they have, and how they are cut.</param>
/// <param name="fraction">Share that is held back for validation; null if all of them are for validation.</param>
internal sealed class PairPart(TrainingSource source, TrainingOptions options, double? fraction) : DataPart(source.Path, source.Weight)
{
    private readonly PairFields _fields = (source.Fields ?? new PairFields()).Or(options.PairFields);

    private Tokenizer? _tokenizer;
    private EncoderDecoderConfig? _model;
    private List<SourceTarget> _train = [];
    private List<SourceTarget> _validation = [];
    private List<WritingItem> _items = [];
    private int _sourceLength;

    /// <inheritdoc/>
    public override bool HasVariableLength => true;

    /// <inheritdoc/>
    public override int RowsPerEpoch => _train.Count;

    /// <inheritdoc/>
    public override bool HasValidation => _validation.Count > 0;

    /// <inheritdoc/>
    public override IReadOnlyList<WritingItem> WritingItems => _items;

    /// <summary>Tokens of the longest source and of the longest target, once it is prepared.</summary>
    public (int Source, int Target) Longest { get; private set; }

    /// <inheritdoc/>
    public override string Contents
    {
        get
        {
            var pairs = fraction is null ? _validation : _train;
            var direction = _fields is { SourceLanguage: { } from, TargetLanguage: { } to } ? $" from {from} to {to}" : "";
            return $"{pairs.Count:N0} pairs{direction}, {pairs.Sum(p => (long)p.Source.Length):N0} tokens to read and "
                + $"{pairs.Sum(p => (long)p.Target.Length):N0} to write"
                + (fraction is not null && _validation.Count > 0 ? $"; {_validation.Count:N0} pairs held back" : "");
        }
    }

    /// <inheritdoc/>
    public override TokenizedExample Example
    {
        get
        {
            var (read, write) = (fraction is null ? _validation : _train)[0];
            return new TokenizedExample([.. read, .. write], [.. read.Select(_ => false), .. write.Select(_ => true)]);
        }
    }

    // Texts are short: a multiple of 32, as other rows have, would be padding for the most part.
    private int PadToMultipleOf => options.PadToMultipleOf ?? 8;

    private PairFiles Files => PairFiles.Open(Name, _fields);

    /// <summary>Codes of the languages that its pairs are in.</summary>
    public IEnumerable<string> ReadLanguages(CancellationToken ct)
    {
        if (_fields is { SourceLanguageField: null, TargetLanguageField: null })
            return new[] { _fields.SourceLanguage, _fields.TargetLanguage }.OfType<string>();
        return Files.Read(ct).SelectMany(pair => new[] { pair.SourceLanguage, pair.TargetLanguage }).OfType<string>().Distinct();
    }

    /// <inheritdoc/>
    public override IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct) =>
        Files.Read(ct).SelectMany(pair => new[] { pair.Source, pair.Target })
            .Select(text => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(text)));

    /// <inheritdoc/>
    public override void AppendTo(IncrementalHash hash)
    {
        foreach (var file in Files.Files.Select(file => new FileInfo(file)))
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.FullName}\0{file.Length}\0{file.LastWriteTimeUtc.Ticks}\n"));
        hash.AppendData(Encoding.UTF8.GetBytes($"{_fields}\n"));
    }

    /// <inheritdoc/>
    public override void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct)
    {
        PairTokenizer.Require(tokenizer);
        _tokenizer = tokenizer;
    }

    /// <inheritdoc/>
    public override void Fit(ModelConfig model) => _model = model.EncoderDecoder;

    /// <inheritdoc/>
    public override void Prepare(int length, ITrainingObserver observer, CancellationToken ct)
    {
        var (mostTarget, mostSource) = TrainingPlan.LengthsOf(options, _model!);
        var reader = new PairReader(Name, _fields, _model!, _tokenizer!);
        var (read, tooLong) = (0L, 0L);
        var all = new List<(TextPair Texts, SourceTarget? Tokens)>();
        foreach (var (texts, from, to) in reader.Read(ct))
        {
            read++;
            var isTooLong = from.Length > mostSource || to.Length > mostTarget;
            tooLong += isTooLong ? 1 : 0;
            // Those that are left out still have a say in which are held back, so that both directions of a file hold back the same ones.
            all.Add((texts, isTooLong && options.Truncation != true ? null
                : new SourceTarget(reader.Truncate(from, mostSource), reader.Truncate(to, mostTarget))));
        }

        if (reader.Empty > 0)
            observer.OnWarning($"{Name}: {reader.Empty:N0} records without a source or a target were left out");
        if (tooLong > 0)
        {
            observer.OnWarning($"{Name}: {tooLong:N0} of {read:N0} pairs have sources of more than {mostSource} tokens (maxSourceLength) "
                + $"or targets of more than {mostTarget} (maxTargetLength) and were "
                + (options.Truncation == true ? "cut" : "left out (truncation cuts them)"));
        }

        var held = fraction is { } share ? HeldBack([.. all.Select(pair => pair.Texts)], share) : [.. all.Select(_ => true)];
        _validation = [.. all.Where((_, i) => held[i]).Select(pair => pair.Tokens).OfType<SourceTarget>()];
        _train = [.. all.Where((_, i) => !held[i]).Select(pair => pair.Tokens).OfType<SourceTarget>()];
        if (options.EvalMetrics.Count > 0)
            _items = [.. all.Where((pair, i) => held[i] && pair.Tokens is not null).Select(pair => WritingItem.Of(pair.Texts))];
        if ((fraction is null ? _validation : _train) is [])
        {
            throw new InvalidDataException($"{Name}: none of {read:N0} pairs can be {(fraction is null ? "measured" : "learnt")}: "
                + (read == 0 ? "there are none with a source and a target"
                    : "all are too long: take a longer maxSourceLength and maxTargetLength"));
        }

        var kept = _train.Concat(_validation);
        Longest = (ExampleRows.Pad(kept.Max(pair => pair.Source.Length), PadToMultipleOf, mostSource),
            ExampleRows.Pad(kept.Max(pair => pair.Target.Length), PadToMultipleOf, mostTarget));
        _sourceLength = Longest.Source;
    }

    /// <summary>Makes its batches ones of sources of so many tokens at most: those of several parts go together.</summary>
    public void SetSourceLength(int length) => _sourceLength = length;

    /// <inheritdoc/>
    public override ISeekableBatchSource TrainingBatches(int batch, int length) => new SourceTargetBatches(
        Name, _train, batch, _sourceLength, length, _model!.DecoderStart, (ulong)options.Seed, PadToMultipleOf);

    /// <inheritdoc/>
    public override IEvaluationSource ValidationBatches(int batch, int length) => new SourceTargetEvaluation(
        Name, _validation, batch, _sourceLength, length, _model!.DecoderStart, PadToMultipleOf);

    /// <summary>
    /// Which pairs are held back: about so large a share, always the same ones. Pairs that have a text in common, on either side, stay
    /// together, or else the model would be asked what it has learnt.
    /// </summary>
    internal static bool[] HeldBack(TextPair[] pairs, double share)
    {
        // A forest of texts: those that pairs connect have the same root.
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var parents = new List<int>();
        foreach (var pair in pairs)
            parents[RootOf(NumberOf(pair.Source))] = RootOf(NumberOf(pair.Target));
        var groups = pairs.Index().GroupBy(pair => RootOf(numbers[pair.Item.Source]), pair => pair.Index)
            .Select(group => (Key: group.Min(i => Math.Min(HashOf(pairs[i].Source), HashOf(pairs[i].Target))), Pairs: group.ToList()))
            .OrderBy(group => group.Key);

        // In an order that looks random and does not depend on which side is the source; a group that is too large is learnt.
        var (held, left) = (new bool[pairs.Length], (int)(pairs.Length * share));
        foreach (var (_, group) in groups)
        {
            if (group.Count > left)
                continue;
            left -= group.Count;
            foreach (var pair in group)
                held[pair] = true;
        }

        return held;

        int NumberOf(string text)
        {
            if (numbers.TryAdd(text, parents.Count))
                parents.Add(parents.Count);
            return numbers[text];
        }

        int RootOf(int number)
        {
            while (parents[number] != number)
                number = parents[number] = parents[parents[number]];
            return number;
        }

        static ulong HashOf(string text) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(text.AsSpan()));
    }
}
