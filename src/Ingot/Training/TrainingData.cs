using System.Security.Cryptography;
using System.Text;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>A run's text as batches: tokenizer, token files, training batches and validation batches.</summary>
internal sealed class TrainingData : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly TokenDataset _dataset;
    private PrefetchingBatchSource? _batches;
    private EvaluationBatches? _validation;
    private Batch? _validationBatch;

    private TrainingData(TrainingOptions options, Tokenizer tokenizer, IReadOnlyList<(string, byte[])> files, TokenDataset dataset) =>
        (_options, Tokenizer, TokenizerFiles, _dataset) = (options, tokenizer, files, dataset);

    /// <summary>The tokenizer: trained on the text, or loaded.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The tokenizer's files, for checkpoints.</summary>
    public IReadOnlyList<(string Name, byte[] Content)> TokenizerFiles { get; }

    /// <summary>Sequences of a micro-batch.</summary>
    public int Batch { get; private set; }

    /// <summary>Tokens of a sequence.</summary>
    public int Length { get; private set; }

    /// <summary>Steps of one pass over the training text.</summary>
    public double BatchesPerEpoch => _batches!.BatchesPerEpoch;

    /// <summary>Passes over the training text so far.</summary>
    public double Epochs => _batches!.Epochs;

    /// <summary>Whether there is text to validate on.</summary>
    public bool HasValidation => _dataset.Validation is not null;

    /// <summary>Bytes of text that a validation token stands for, on average.</summary>
    public double ValidationBytesPerToken => (double)_dataset.Validation!.TextBytes / _dataset.Validation.TokenCount;

    /// <summary>Where the next batch begins.</summary>
    public BatchPosition Position => _batches!.Position;

    /// <summary>Where tokenizers and token files are kept from run to run: INGOT_CACHE, or "ingot" in the user's cache.</summary>
    public static string CacheFolder
    {
        get
        {
            if (Environment.GetEnvironmentVariable("INGOT_CACHE") is { Length: > 0 } chosen)
                return chosen;
            var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg
                ? xdg
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(cache, "ingot");
        }
    }

    /// <summary>Reads or trains the tokenizer and encodes the text, unless the cache has both.</summary>
    /// <param name="options">Which text and tokenizer.</param>
    /// <param name="checkpoint">Folder of the checkpoint that is resumed, whose tokenizer is taken; null for a new run.</param>
    /// <param name="observer">Who is told what takes long.</param>
    /// <param name="ct">Stops the work.</param>
    public static TrainingData Open(TrainingOptions options, string? checkpoint, ITrainingObserver observer, CancellationToken ct)
    {
        var source = TextSource.Open(options.Data!);
        var validation = options.EvalData is null ? TextSource.OpenValidation(options.Data!) : TextSource.Open(options.EvalData);
        var vocabulary = options.VocabSize ?? 8192;
        try
        {
            // One process at a time prepares a text; another that wants the same finds it ready.
            using var turn = WaitForTurn(Hash("text"), observer, ct);
            var tokenizer = checkpoint is not null ? Tokenizer.Load(checkpoint) : options.Tokenizer switch
            {
                "bpe" => Trained($"bpe {vocabulary}", () => BpeTrainer.Train(source.ReadUtf8(ct), vocabulary, cancellationToken: ct)),
                "char" => Trained("char", () => CharacterTokenizer.Train(
                    validation is null ? source.ReadUtf8(ct) : source.ReadUtf8(ct).Concat(validation.ReadUtf8(ct)), ct)),
                var folder => Tokenizer.Load(folder),
            };
            if (checkpoint is null && options.Tokenizer == "bpe" && tokenizer.VocabularySize < vocabulary)
                observer.OnWarning($"the text gives a vocabulary of only {tokenizer.VocabularySize} tokens, not {vocabulary}");
            foreach (var prompt in options.SamplePrompts)
                RequireEncodable(tokenizer, prompt);
            var files = ReadFiles(tokenizer);
            return new TrainingData(options, tokenizer, files, TokenDataset.Prepare(source, tokenizer, Path.Combine(CacheFolder, "tokens"),
                options.ValidationFraction, validation, cancellationToken: ct));
        }
        catch (UnauthorizedAccessException e) when (e.Message.Contains(CacheFolder, StringComparison.Ordinal))
        {
            throw new IOException(
                $"{CacheFolder} keeps prepared text and cannot be written: {e.Message} INGOT_CACHE may name another folder.", e);
        }

        Tokenizer Trained(string kind, Func<Tokenizer> train)
        {
            var folder = Path.Combine(CacheFolder, "tokenizers", Hash(kind));
            try
            {
                if (Directory.Exists(folder))
                    return Tokenizer.Load(folder);
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                Directory.Delete(folder, recursive: true);
            }

            var tokenizer = train();
            // Written beside its name and renamed: a kill leaves no half of it.
            var temporary = folder + ".partial";
            Directory.CreateDirectory(temporary);
            tokenizer.Save(temporary);
            Directory.Move(temporary, folder);
            return tokenizer;
        }

        string Hash(string kind)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(Encoding.UTF8.GetBytes(kind + "\n"));
            source.AppendTo(hash);
            validation?.AppendTo(hash);
            return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
        }
    }

    /// <summary>Throws if the texts are too short for a sequence.</summary>
    /// <exception cref="InvalidDataException">They are; the message names the text and the way out.</exception>
    public void RequireLength(int length)
    {
        var tokens = _dataset.Train.TokenCount;
        if (tokens < length + 1L)
        {
            throw new InvalidDataException($"{_options.Data}: there are {tokens} tokens to train on, too few for a sequence of {length} "
                + "and the token after it: shorten sequenceLength or take more text");
        }

        if (_dataset.Validation is { TokenCount: < 2 })
        {
            throw new InvalidDataException($"{_options.EvalData ?? _options.Data}: the validation text has fewer than two tokens, so that "
                + "there is nothing to predict: take more text, a larger validationFraction, or 0");
        }
    }

    /// <summary>Begins to read training batches of [accumulation · batch, length], from a position if one is given.</summary>
    public void Start(int batch, int length, int accumulation, BatchPosition? position)
    {
        (Batch, Length) = (batch, length);
        var sampler = new BatchSampler(_dataset.Train, batch * accumulation, length, _options.Sampling, (ulong)_options.Seed);
        if (position is { } p)
            sampler.Position = p;
        _batches = new PrefetchingBatchSource(sampler);
    }

    /// <summary>A batch to be filled in.</summary>
    public Batch NewBatch() => ((IBatchSource)_batches!).NewBatch();

    /// <summary>Fills in the next batch.</summary>
    public void Next(Batch batch) => _batches!.Next(batch);

    /// <summary>The validation text from its beginning, in batches; at most <paramref name="most"/> if that is not 0.</summary>
    public IEnumerable<Batch> ValidationBatches(int batch, int most)
    {
        _validation ??= new EvaluationBatches(_dataset.Validation!, batch, Length);
        _validationBatch ??= ((IEvaluationSource)_validation).NewBatch();
        var count = most > 0 ? Math.Min(most, _validation.Count) : _validation.Count;
        for (var i = 0L; i < count; i++)
        {
            // Not the beginning alone: spread over the whole text.
            _validation.Read(i * _validation.Count / count, _validationBatch);
            yield return _validationBatch;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _batches?.Dispose();
        _dataset.Dispose();
    }

    /// <summary>Holds a lock file until disposed of; the kernel lets go of it with the process.</summary>
    private static FileStream WaitForTurn(string name, ITrainingObserver observer, CancellationToken ct)
    {
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(CacheFolder, "locks")).FullName, name);
        for (var told = false; ; ct.WaitHandle.WaitOne(100))
        {
            ct.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException) when (File.Exists(path))
            {
                if (!told)
                    observer.OnWarning("another process is preparing the same text: waiting for it");
                told = true;
            }
        }
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

    private static List<(string, byte[])> ReadFiles(Tokenizer tokenizer)
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
}
