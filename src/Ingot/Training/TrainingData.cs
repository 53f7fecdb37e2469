using System.Security.Cryptography;
using System.Text;
using Ingot.Chat;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>A run's data as batches: tokenizer, sources, training batches and validation batches.</summary>
internal sealed class TrainingData : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly List<DataPart> _parts;
    private readonly DataPart? _evalPart;
    private PrefetchingBatchSource? _batches;
    private readonly List<ValidationSource> _validation = [];

    private TrainingData(TrainingOptions options, List<DataPart> parts, DataPart? evalPart, Tokenizer tokenizer, ChatTemplate? template)
    {
        (_options, _parts, _evalPart, Tokenizer, Template) = (options, parts, evalPart, tokenizer, template);
        var files = ReadFiles(tokenizer);
        TokenizerFiles = [.. files, .. (template is null ? [] : RunChatTemplate.Files(template))
            .ExceptBy(files.Select(f => f.Name), f => f.Name)];
    }

    /// <summary>What the model's head is for.</summary>
    public ModelTask Task { get; private init; }

    /// <summary>What a classifier chooses from, by id; empty for other tasks.</summary>
    public IReadOnlyList<string> Labels { get; private init; } = [];

    /// <summary>The tokenizer: trained on the text, or loaded.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The template of conversations; null if there is none.</summary>
    public ChatTemplate? Template { get; }

    /// <summary>The files of the tokenizer and of the chat template, for checkpoints.</summary>
    public IReadOnlyList<(string Name, byte[] Content)> TokenizerFiles { get; }

    /// <summary>Tokens of a row, at most.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens of a row's source, at most; 0 if rows have none.</summary>
    public int SourceLength { get; private set; }

    /// <summary>Rows of an epoch, once it is prepared; more than any batch where they are not counted.</summary>
    public int RowsPerEpoch => _parts.Count == 1 ? _parts[0].RowsPerEpoch : int.MaxValue;

    /// <summary>Whether rows hold several sequences that do not see each other.</summary>
    public bool HasSegments => _batches!.HasSegments;

    /// <summary>Steps of one pass over the training data.</summary>
    public double BatchesPerEpoch => _batches!.BatchesPerEpoch;

    /// <summary>Passes over the training data so far.</summary>
    public double Epochs => _batches!.Epochs;

    /// <summary>Where the next batch begins.</summary>
    public BatchPosition Position => _batches!.Position;

    /// <summary>Names of all training sources, for messages.</summary>
    public string Names => string.Join(", ", _parts.Select(part => part.Name));

    /// <summary>What there is to train on, once it is started.</summary>
    public DataReport? Report { get; private set; }

    /// <summary>Whether rows to validate on hold several sequences that do not see each other.</summary>
    public bool ValidationHasSegments => _validation.Any(source => source.Batches.HasSegments);

    /// <summary>What a model can be asked to write of the data to validate on, once it is prepared.</summary>
    public IReadOnlyList<WritingItem> WritingItems =>
        [.. (_evalPart is not null ? [_evalPart] : _parts).SelectMany(part => part.WritingItems)];

    /// <summary>The sources to validate on.</summary>
    public IReadOnlyList<DataPart> ValidationParts => _validation.ConvertAll(source => source.Part);

    /// <summary>Reads or trains the tokenizer and encodes the data, unless the cache has both.</summary>
    /// <param name="options">Which data and tokenizer.</param>
    /// <param name="checkpoint">Folder of the checkpoint that is resumed, whose tokenizer is taken; null for a new run.</param>
    /// <param name="observer">Who is told what takes long.</param>
    /// <param name="ct">Stops the work.</param>
    public static TrainingData Open(TrainingOptions options, string? checkpoint, ITrainingObserver observer, CancellationToken ct)
    {
        var (task, labels) = TrainingTask.Find(options, checkpoint);
        // A folder of prepared data may have its own part to validate on.
        var prepared = options.EvalData is null && task != ModelTask.Seq2seqLm
            ? (options.Data ?? []).Select(source => TextSource.OpenValidation(source.Path)).FirstOrDefault(text => text is not null)
            : null;
        var fraction = options.EvalData is null && prepared is null ? options.ValidationFraction : 0;
        var parts = new List<DataPart>();
        DataPart? evalPart = null;
        try
        {
            foreach (var source in options.Data ?? [])
                parts.Add(DataPart.Open(source, options, fraction, task));
            if (options.Texts.Count > 0)
            {
                parts.Add(new ExamplePart("texts", null, options, fraction,
                    hash => hash.AppendData(Encoding.UTF8.GetBytes(string.Join('\0', options.Texts))),
                    _ => options.Texts.Select((text, i) => new TextExample($"texts[{i}]", text))));
            }

            evalPart = prepared is not null ? OpenPrepared(prepared, options, task)
                : options.EvalData is null ? null : DataPart.Open(new TrainingSource(options.EvalData), options, fraction: null, task);
            var all = evalPart is null ? parts : [.. parts, evalPart];
            if (task.IsClassification() && labels.Count == 0)
                labels = LabelNames.Ordered(parts.OfType<LabelledPart>().SelectMany(part => part.ReadLabels(ct)));
            foreach (var part in all.OfType<LabelledPart>())
                part.SetLabels(labels);

            // One process at a time prepares a text; another that wants the same finds it ready.
            using var turn = DataCache.WaitForTurn(Hash("text", all), observer, ct);
            var tokenizer = OpenTokenizer(options, checkpoint, parts, all, task, observer, ct);
            foreach (var prompt in options.SamplePrompts)
                RequireEncodable(tokenizer, prompt);
            var template = RunChatTemplate.Find(options, checkpoint, tokenizer, observer);
            foreach (var part in all)
                part.Encode(tokenizer, template, ct);
            return new TrainingData(options, parts, evalPart, tokenizer, template) { Task = task, Labels = labels };
        }
        catch (Exception e)
        {
            parts.ForEach(part => part.Dispose());
            evalPart?.Dispose();
            if (e is UnauthorizedAccessException && e.Message.Contains(DataCache.Folder, StringComparison.Ordinal))
            {
                throw new IOException(
                    $"{DataCache.Folder} keeps prepared text and cannot be written: {e.Message} INGOT_CACHE may name another folder.", e);
            }

            throw;
        }
    }

    /// <summary>Lays the data out for a model, in rows of some length. Pairs of texts have rows as long as the longest of them.</summary>
    /// <exception cref="InvalidDataException">Some of it is too short; the message names it and the way out.</exception>
    public void Prepare(ModelConfig model, int length, ITrainingObserver observer, CancellationToken ct)
    {
        Length = length;
        DataPart[] all = [.. _parts, .. new[] { _evalPart }.OfType<DataPart>()];
        foreach (var part in all)
        {
            part.Fit(model);
            part.Prepare(length, observer, ct);
        }

        PairPart[] pairs = [.. all.OfType<PairPart>()];
        if (pairs.Length == 0)
            return;
        (Length, SourceLength) = (pairs.Max(part => part.Longest.Target), pairs.Max(part => part.Longest.Source));
        foreach (var part in pairs)
            part.SetSourceLength(SourceLength);
    }

    /// <summary>Begins to read training batches of so many rows, from a position if one is given.</summary>
    public void Start(int rows, int validationRows, BatchPosition? position)
    {
        foreach (var part in _evalPart is not null ? [_evalPart] : _parts.Where(part => part.HasValidation))
        {
            var batches = part.ValidationBatches(validationRows, Length);
            _validation.Add(new ValidationSource(part, batches, batches.NewBatch()));
        }

        // Rows of one length are drawn one by one; batches that differ in length come whole from one source.
        var rowsOfADraw = _parts.Count == 1 || _parts.Any(part => part.HasVariableLength) ? rows : 1;
        var sources = _parts.ConvertAll(part => part.TrainingBatches(rowsOfADraw, Length));
        List<double> weights = [.. _parts.Zip(sources, (part, source) => part.Weight ?? source.BatchesPerEpoch)];
        Report = new DataReport(
            [.. _parts.Zip(weights, (part, weight) => new DataSourceReport(part.Name, part.Contents, weight / weights.Sum()))],
            _parts[0].Example, Tokenizer);
        var source = sources.Count == 1 ? sources[0] : new MixtureBatches(sources, weights, rows / rowsOfADraw, (ulong)_options.Seed);
        if (position is { } p)
            source.Position = p;
        _batches = new PrefetchingBatchSource(source);
    }

    /// <summary>A batch to be filled in.</summary>
    public Batch NewBatch() => ((IBatchSource)_batches!).NewBatch();

    /// <summary>Fills in the next batch.</summary>
    public void Next(Batch batch) => _batches!.Next(batch);

    /// <summary>
    /// The batches to validate on, with the source of each; if <paramref name="most"/> is not 0, about so many, spread over all of it.
    /// </summary>
    public IEnumerable<(DataPart Part, Batch Batch)> ValidationBatches(int most)
    {
        foreach (var (part, source, own) in _validation)
        {
            var batch = own;
            if (ValidationHasSegments && !own.HasSegments)
                batch = new Batch(own.Rows, own.MostLength, hasSegments: true);
            var share = (most + _validation.Count - 1) / _validation.Count;
            var count = most > 0 ? Math.Min(share, source.Count) : source.Count;
            for (var i = 0L; i < count; i++)
            {
                // Not the beginning alone: spread over the whole text.
                source.Read(i * source.Count / count, own);
                if (batch != own)
                {
                    batch.Clear(own.Length);
                    batch.CopyRows(own, 0);
                }

                yield return (part, batch);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _batches?.Dispose();
        _parts.ForEach(part => part.Dispose());
        _evalPart?.Dispose();
    }

    private static Tokenizer OpenTokenizer(TrainingOptions options, string? checkpoint, List<DataPart> parts, List<DataPart> all,
        ModelTask task, ITrainingObserver observer, CancellationToken ct)
    {
        if (checkpoint is not null)
            return Tokenizer.Load(checkpoint);
        var vocabulary = options.VocabSize ?? 8192;
        var choice = options.Tokenizer
            ?? (BaseModel.IsFolder(options.Model) ? ModelFolder.Find(options.Model, observer.OnWarning) : "bpe");
        switch (choice)
        {
            case "bpe" or "unigram":
                var utf8 = parts.SelectMany(part => part.ReadUtf8(ct));
                var encoder = TrainingTask.EncoderFamily(options.Model);
                string[] languages = task == ModelTask.Seq2seqLm && PairTokenizer.HasLanguages(options.Model)
                    ? [.. all.OfType<PairPart>().SelectMany(part => part.ReadLanguages(ct)).Distinct().Order(StringComparer.Ordinal)]
                    : [];
                var (kind, train) = task switch
                {
                    ModelTask.CausalLm => ("", () => BpeTrainer.Train(utf8, vocabulary, cancellationToken: ct)),
                    ModelTask.Seq2seqLm => (" pairs " + string.Join(' ', languages),
                        () => PairTokenizer.Train(choice, utf8, vocabulary, languages, ct)),
                    _ => (" " + encoder, (Func<Tokenizer>)(() => EncoderTokenizer.Train(utf8, vocabulary, encoder == "roberta", ct))),
                };
                var tokenizer = DataCache.Tokenizer(Hash($"{choice} {vocabulary}{kind}", all), train);
                if (tokenizer.VocabularySize < vocabulary)
                    observer.OnWarning($"the text gives a vocabulary of only {tokenizer.VocabularySize} tokens, not {vocabulary}");
                return tokenizer;
            case "char":
                return DataCache.Tokenizer(Hash("char", all),
                    () => CharacterTokenizer.Train(all.SelectMany(part => part.ReadUtf8(ct)), ct));
            default:
                return Tokenizer.Load(choice);
        }
    }

    private static DataPart OpenPrepared(TextSource prepared, TrainingOptions options, ModelTask task)
    {
        var part = new TextPart(prepared, null, options, fraction: null);
        return task == ModelTask.MaskedLm ? new MaskedPart(part, options) : part;
    }

    private static string Hash(string kind, List<DataPart> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(kind + "\n"));
        foreach (var part in parts)
            part.AppendTo(hash);
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    private static void RequireEncodable(Tokenizer tokenizer, string prompt)
    {
        try
        {
            tokenizer.Encode(prompt);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"samplePrompts: \"{prompt}\": {e.Message}", e);
        }
    }

    private static List<(string Name, byte[] Content)> ReadFiles(Tokenizer tokenizer)
    {
        var folder = Directory.CreateTempSubdirectory("ingot-tokenizer-").FullName;
        try
        {
            tokenizer.Save(folder);
            return [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(f => (Path.GetFileName(f), File.ReadAllBytes(f)))];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A source to validate on, and a batch that it fills.</summary>
    private sealed record ValidationSource(DataPart Part, IEvaluationSource Batches, Batch Batch);
}
