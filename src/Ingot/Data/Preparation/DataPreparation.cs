using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Checkpoints;
using Ingot.Data.Preparation.Cleaning;
using Ingot.Data.Preparation.Duplicates;
using Ingot.Data.Preparation.Readers;
using Ingot.Reports;
using Ingot.Tokenizers;
using Ingot.Training;

namespace Ingot.Data.Preparation;

/// <summary>
/// Makes training text of raw files: reads records, repairs and judges them by the rules of <see cref="RuleTable"/>, leaves out what
/// repeats,
/// and writes shards for training, validation and test, with report.json and report.html. The result depends on input and options alone,
/// not
/// on threads, interruptions or the machine.
/// </summary>
public sealed class DataPreparation : IDisposable
{
    internal const string ReportFile = "report.json", PageFile = "report.html";

    private readonly PreparationOptions _options;
    private readonly string _output;
    private readonly IReadOnlyList<SourceFile> _files;
    private readonly RuleSettings _settings;
    private readonly RecordFields _fields;
    private readonly Cleaner _cleaner;
    private readonly Tokenizer? _tokenizer;
    private readonly PreparationState _state;
    private readonly FileStream _lock;
    private readonly MemoryBudget _budget;
    private readonly DuplicateFinder _duplicates;
    private readonly LineIndex? _lines;
    private readonly ShardWriter _shards;
    private readonly ConcurrentBag<Desk> _desks = [];

    private DataPreparation(
        PreparationOptions options, IReadOnlyList<SourceFile> files, RuleSettings settings, Contamination? contamination,
        PreparationState state)
    {
        _options = options;
        _output = options.Output!;
        _files = files;
        _settings = settings;
        _state = state;
        _fields = RecordFields.Of(options, settings["encoding"] is not null);
        _cleaner = new Cleaner(settings, contamination, options.Examples);
        _tokenizer = options.Tokenizer is null ? null : Tokenizer.Load(options.Tokenizer);
        _lock = Lock(PreparationState.FolderOf(_output));
        try
        {
            var memory = options.MaxMemory > 0 ? (long)(options.MaxMemory * (1L << 30))
                : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3;
            _budget = new MemoryBudget(memory);
            _duplicates = new DuplicateFinder(InProgress("documents"), state.Kept, settings, _budget);
            _lines = _cleaner.ComparesLines ? new LineIndex(InProgress("lines"), state.Lines, _budget) : null;
            _shards = new ShardWriter(_output, (options.OutputFormat == OutputFormat.Text ? ".txt" : ".jsonl")
                + (options.Gzip ? ".gz" : ""), state.Report);
            _shards.RemoveOthers();
        }
        catch
        {
            _duplicates?.Dispose();
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Prepares data, or goes on with what was interrupted.</summary>
    /// <param name="options">What to read, what to do with it, and where to write.</param>
    /// <param name="progress">Told after each batch of about a megabyte, in order.</param>
    /// <param name="ct">Stops the work; it can go on later.</param>
    /// <returns>What was done, over all processes that worked on it.</returns>
    /// <exception cref="TrainingOptionsException">The options cannot be used.</exception>
    /// <exception cref="InvalidDataException">A file or record is damaged, or lacks a field; the message names file and line.</exception>
    /// <exception cref="InsufficientMemoryException">The search for duplicates needs more memory than it may take.</exception>
    /// <exception cref="IOException">A file cannot be read or written, the disk is full, or the output folder holds something
    /// else.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static PreparationReport Run(
        PreparationOptions options, IProgress<PreparationProgress>? progress = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } problems)
            throw new TrainingOptionsException([.. problems.Select(problem => problem.ToString())]);
        var files = InputFiles.Find(options.Input, options.Format);
        var settings = new RuleSettings(options.RuleSet, options.Rules);
        var evaluation = options.Decontaminate.Count == 0 ? [] : InputFiles.Find(options.Decontaminate, InputFormat.Auto);
        var contamination = evaluation.Count == 0 || settings["contamination"] is not { } n ? null
            : Contamination.Load(evaluation, (int)n, ct);
        var state = FindState(options, files, evaluation, settings);
        using var preparation = new DataPreparation(options, files, settings, contamination, state);
        return preparation.Run(progress, ct);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _shards.Dispose();
        _duplicates.Dispose();
        _lines?.Dispose();
        _lock.Dispose();
    }

    private PreparationReport Run(IProgress<PreparationProgress>? progress, CancellationToken ct)
    {
        var report = _state.Report;
        var threads = _options.Threads > 0 ? _options.Threads : Environment.ProcessorCount;
        var pipeline = new BatchPipeline(_files, _options, threads, Clean);
        var total = _files.Sum(file => file.Length);
        var filesDone = _files.Take(_state.File).Sum(file => file.Length);
        var file = _state.File;
        long? first = null;
        var inShard = 0L;
        foreach (var batch in pipeline.Run(_state.File, _state.Record, ct))
        {
            for (; file < batch.File; file++)
                filesDone += _files[file].Length;
            Keep(batch);
            (_state.File, _state.Record, _state.Lines) = (batch.File, batch.EndRecord, batch.LinesSoFar);
            inShard += batch.RecordBytes;
            if (inShard >= (long)_options.ShardSize << 20)
            {
                Save();
                inShard = 0;
            }

            var done = filesDone + batch.FilePosition;
            progress?.Report(new PreparationProgress(done, total, first ??= done - batch.FilePosition, report.Records, report.RecordBytes,
                report.Documents));
        }

        (_state.File, _state.Record) = (_files.Count, 0);
        Save();
        DurableFile.Write(Path.Combine(_output, PageFile), stream => stream.Write(Encoding.UTF8.GetBytes(PreparationPage.Make(report))));
        DurableFile.Write(Path.Combine(_output, ReportFile), report.Write);
        _duplicates.Dispose();
        _lines?.Dispose();
        _lock.Dispose();
        Directory.Delete(PreparationState.FolderOf(_output), recursive: true);
        return report;
    }

    // On a cleaner's thread: everything that needs nothing but the document, except that lines wait for those before them.
    private void Clean(Batch batch, CancellationToken ct)
    {
        var documents = new List<Document>(batch.Records.Count);
        foreach (var record in batch.Records)
        {
            ct.ThrowIfCancellationRequested();
            if (Parse(batch, record) is not { } document)
                continue;
            document.Place = batch.Reader.Describe(record.Place);
            _cleaner.Begin(document, batch.Tallies);
            if (!document.IsRemoved)
                documents.Add(document);
        }

        if (_lines is not null)
        {
            batch.WaitForTurn(ct);
            var repeated = documents.ConvertAll(document => _lines.AddAll(document.LineHashes));
            batch.LinesSoFar = _lines.Count;
            batch.EndTurn();
            for (var i = 0; i < repeated.Count; i++)
                _cleaner.RemoveRepeatedLines(documents[i], repeated[i], batch.Tallies);
        }

        var desk = _desks.TryTake(out var free) ? free : new Desk();
        foreach (var document in documents)
        {
            ct.ThrowIfCancellationRequested();
            _cleaner.Finish(document, desk.Cleaning, batch.Tallies);
            if (document.IsRemoved)
                continue;
            desk.Serialize(document, _options.OutputFormat, _tokenizer);
            batch.Documents.Add(document);
        }

        _desks.Add(desk);
    }

    private Document? Parse(Batch batch, in RawRecord record)
    {
        try
        {
            return batch.Reader.Parse(record, _fields);
        }
        catch (BadRecordException e)
        {
            var place = batch.Reader.Describe(record.Place);
            if (_options.BadRecords == BadRecord.Error)
                throw new InvalidDataException($"{place}: {e.Message}. (badRecords skip would leave such records out.)", e);
            _cleaner.CountBadRecord(place, e.Message, batch.Tallies);
            return null;
        }
    }

    // On the main thread, in the order of the input.
    private void Keep(Batch batch)
    {
        var report = _state.Report;
        report.Records += batch.Records.Count;
        report.RecordBytes += batch.RecordBytes;
        report.Files[batch.File].Records += batch.Records.Count;
        foreach (var document in batch.Documents)
        {
            if (_duplicates.FindOrAdd(document) is var (rule, measured))
            {
                _cleaner.Remove(rule, document, measured, batch.Tallies);
                continue;
            }

            var split = Split.Of(document.Hash, _options.ValidationFraction, _options.TestFraction);
            if (!report.Splits.TryGetValue(split, out var part))
                report.Splits[split] = part = new SplitReport();
            part.Add(document.Size, _tokenizer is not null);
            report.Files[batch.File].Kept++;
            report.Languages[document.Language] = report.Languages.GetValueOrDefault(document.Language) + 1;
            _shards.Write(split, document.Output);
        }

        for (var i = 0; i < batch.Tallies.Length; i++)
            report.Rules[i].Tally.Add(batch.Tallies[i], _options.Examples);
    }

    // Shards first: those that no state names are written again.
    private void Save()
    {
        _duplicates.FlushToDisk();
        _lines?.FlushToDisk();
        _shards.Complete();
        _state.Kept = _duplicates.Count;
        _state.Save(_output);
    }

    private string InProgress(string name) => Path.Combine(PreparationState.FolderOf(_output), name);

    private static PreparationState FindState(
        PreparationOptions options, IReadOnlyList<SourceFile> files, IReadOnlyList<SourceFile> evaluation, RuleSettings settings)
    {
        var output = options.Output!;
        // What does not change the result does not keep it from going on. Rules may be written in any case and order.
        var rules = options.Rules.OrderBy(rule => RuleTable.IndexOf(rule.Key)).ToDictionary(
            rule => RuleTable.All[RuleTable.IndexOf(rule.Key)].Name, rule => rule.Value);
        var deciding = JsonSerializer.SerializeToElement(
            options with { Rules = rules, OverwriteOutput = false, Threads = 0, MaxMemory = 0, Output = null },
            PreparationReport.JsonOptions);
        var fingerprint = PreparationState.MakeFingerprint(deciding, files, evaluation);
        if (options.OverwriteOutput)
            Clear(output);
        var state = Directory.Exists(output) ? PreparationState.Load(output) : null;
        if (state is not null)
        {
            return state.Fingerprint == fingerprint
                ? state
                : throw new IOException(
                    $"{output} holds an unfinished preparation of other files or with other options. Give those again to go on with it, " +
                    "name another output, or begin again with overwriteOutput.");
        }

        var progress = PreparationState.FolderOf(output);
        if (Directory.Exists(output))
        {
            var found = Directory.EnumerateFileSystemEntries(output).FirstOrDefault(
                path => path != progress && !(Directory.Exists(progress) && ShardWriter.IsShard(Path.GetFileName(path))));
            if (found is not null)
            {
                throw new IOException(File.Exists(Path.Combine(output, ReportFile))
                    ? $"{output} holds prepared data. Name another output, or set overwriteOutput to make it anew."
                    : $"{output} is not empty: it holds {Path.GetFileName(found)}. Name a new or an empty folder as output.");
            }
        }

        Directory.CreateDirectory(progress);
        state = new PreparationState
        {
            Fingerprint = fingerprint,
            Report = new PreparationReport
            {
                Options = deciding,
                Files = [.. files.Select(file => new FileReport { Path = file.Path, Bytes = file.Length })],
                Rules = [.. RuleTable.All.Select((rule, i) => new RuleReport
                {
                    Name = rule.Name,
                    Setting = rule.Name switch
                    {
                        "badRecords" => options.BadRecords.ToString().ToLowerInvariant(),
                        "missing" => options.Missing.ToString().ToLowerInvariant(),
                        _ => settings.Describe(i),
                    },
                    Summary = rule.Summary,
                    Tally = new RuleTally(),
                })],
            },
        };
        return state;
    }

    // Only what preparations write is deleted.
    private static void Clear(string output)
    {
        if (!Directory.Exists(output))
            return;
        var progress = PreparationState.FolderOf(output);
        var own = Directory.EnumerateFiles(output)
            .Where(path => ShardWriter.IsShard(Path.GetFileName(path)) || Path.GetFileName(path) is ReportFile or PageFile).ToList();
        var other = Directory.EnumerateFileSystemEntries(output).Except(own).FirstOrDefault(path => path != progress);
        if (other is not null)
            throw new IOException($"{output} also holds {Path.GetFileName(other)}, which no preparation writes. Nothing was deleted; name "
                + "another output.");
        own.ForEach(File.Delete);
        if (Directory.Exists(progress))
            Directory.Delete(progress, recursive: true);
    }

    private static FileStream Lock(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(Directory.CreateDirectory(folder).FullName, "lock"), FileMode.OpenOrCreate,
                FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (Directory.Exists(folder))
        {
            throw new IOException($"{Path.GetDirectoryName(folder)}: another process is preparing data there, or the folder cannot be "
                + $"written: {e.Message}", e);
        }
    }

    /// <summary>What a cleaner's thread works with.</summary>
    private sealed class Desk
    {
        private static readonly JsonWriterOptions WriterOptions = new()
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            SkipValidation = true,
        };

        private readonly ArrayBufferWriter<byte> _bytes = new(1 << 16);
        private readonly List<int> _ids = [];

        public Cleaner.Desk Cleaning { get; } = new();

        /// <summary>Counts tokens, and makes the bytes that are written.</summary>
        public void Serialize(Document document, OutputFormat format, Tokenizer? tokenizer)
        {
            if (tokenizer is not null)
            {
                _ids.Clear();
                tokenizer.EncodeUtf8(Encoding.UTF8.GetBytes(document.Text), _ids);
                document.Size = document.Size with { Tokens = _ids.Count };
            }

            if (format == OutputFormat.Text)
            {
                document.Output = Encoding.UTF8.GetBytes(document.Text + "\n\n");
                return;
            }

            _bytes.ResetWrittenCount();
            using (var writer = new Utf8JsonWriter(_bytes, WriterOptions))
            {
                writer.WriteStartObject();
                writer.WriteString("text"u8, document.Text);
                foreach (var (name, json) in document.Kept)
                {
                    writer.WritePropertyName(name);
                    writer.WriteRawValue(json, skipInputValidation: true);
                }

                writer.WriteEndObject();
            }

            _bytes.Write("\n"u8);
            document.Output = _bytes.WrittenSpan.ToArray();
        }
    }
}
