using System.Buffers;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Evaluation;
using Ingot.Models;

namespace Ingot.Scoring;

/// <summary>
/// Measures the perplexity of a model that continues texts: on running text, or on the answers of examples and conversations.
/// </summary>
/// <example><code>
/// using var model = LikelihoodModel.Load("runs/jargon/checkpoints/best", Device.Cpu);
/// PerplexityResult result = PerplexityMeter.Run(model, ["held-out.txt"]);
/// Console.WriteLine($"{result.Perplexity} {result.BitsPerByte}");
/// </code></example>
public sealed class PerplexityMeter
{
    // So many batches of windows are gathered before they run, that those of about one length meet.
    private const int BatchesAtOnce = 16;

    private readonly LikelihoodModel _model;
    private readonly PerplexityOptions _options;
    private readonly SlidingWindow _window;
    private readonly List<(LikelihoodWindow Window, DocumentLikelihood Document)> _waiting = [];
    private readonly List<DocumentLikelihood> _documents = [];
    private readonly Action<long, long>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly int? _prefix;
    private long _done; // Read and cut into windows.
    private long _reported; // Of these, what has run.
    private long _total;

    private PerplexityMeter(LikelihoodModel model, PerplexityOptions options, Action<long, long>? progress, CancellationToken ct)
    {
        (_model, _options, _progress, _cancellation) = (model, options, progress, ct);
        _window = new SlidingWindow(options.MaxLength, options.Stride);
        _prefix = options.AddPrefix ? model.Tokenizer.BosId ?? model.Tokenizer.EndOfTextId : null;
    }

    /// <summary>Measures it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="data">Files or folders of text (<see cref="TextSource"/>), or of examples (<see cref="ExampleFiles"/>).</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Is told how much of how much is done: bytes of text, or examples.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="ArgumentException">The window or the stride is out of range; the message says how.</exception>
    /// <exception cref="InvalidDataException">The data is not as it must be, or nothing in it counts; the message says why.</exception>
    public static PerplexityResult Run(LikelihoodModel model, IReadOnlyList<string> data, PerplexityOptions? options = null,
        Action<long, long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        if (model.Model is EncoderDecoderConfig)
        {
            throw new InvalidDataException($"{model.Folder} holds a {model.Model.ModelType}, which writes a text for a source and has no "
                + $"likelihoods of texts by themselves: {nameof(PairPerplexityMeter)} measures those of targets, given their sources");
        }

        options = Complete(options ?? new PerplexityOptions(), model, data);
        var meter = new PerplexityMeter(model, options, progress, cancellationToken);
        if (options.DataFormat == DataFormat.Text)
            meter.ScoreTexts([.. data.Select(path => TextSource.OpenValidation(path) ?? TextSource.Open(path))]);
        else
            meter.ScoreExamples(data);
        meter.RunWaiting();
        meter._documents.RemoveAll(document => document.Tokens == 0);
        return meter._documents.Count > 0 ? new PerplexityResult(meter._documents, meter.Describe())
            : throw new InvalidDataException(
                $"{string.Join(", ", data)}: there is no token to predict: the first one has nothing before it");
    }

    private static PerplexityOptions Complete(PerplexityOptions options, LikelihoodModel model, IReadOnlyList<string> data)
    {
        var positions = model.Model.MaxPositions;
        var length = options.MaxLength == 0 ? positions : options.MaxLength;
        if (length < 1 || length > positions)
            throw new ArgumentException($"maxLength is {length}, but must be 1 to {positions}, the positions of the model");
        var stride = options.Stride == 0 ? (length + 1) / 2 : options.Stride;
        if (stride < 1 || stride > length)
            throw new ArgumentException($"stride is {stride}, but must be 1 to {length}, the length of a window");
        if (data.Count == 0)
            throw new ArgumentException("there is no data: name a file at least");
        var formats = options.DataFormat != DataFormat.Auto ? [options.DataFormat]
            : data.Select(path => DataFormats.Recognize(TextSource.Open(path))).Distinct().ToList();
        return formats.Count == 1 ? options with { MaxLength = length, Stride = stride, DataFormat = formats[0] }
            : throw new InvalidDataException($"{string.Join(", ", data)}: some of it is text, some are examples: score them one by one, "
                + "or say what they are with dataFormat");
    }

    private void ScoreTexts(IReadOnlyList<TextSource> sources)
    {
        _total = sources.Sum(source => source.Measure(_cancellation).Bytes);
        var ids = new List<int>();
        DocumentLikelihood? document = null;
        var all = string.Join(", ", sources.Select(source => source.Path));
        var (file, number) = ("", 0L);
        foreach (var (source, piece) in sources.SelectMany(source => source.ReadPieces(_cancellation).Select(piece => (source, piece))))
        {
            var path = source.Files[piece.File].Path;
            if (document is null)
            {
                number = path == file ? number + 1 : 1;
                file = path;
                document = Begin(!_options.SeparateDocuments ? all : JsonLinesText.IsMeant(path) ? $"{path}:{number}" : path);
                if (_prefix is { } prefix)
                    Add(document, prefix, counts: false);
            }

            Encode(path, piece.Utf8.Span, ids);
            document.Bytes += piece.Utf8.Length;
            document.Characters += Utf8Text.CountCharacters(piece.Utf8.Span);
            foreach (var id in ids)
            {
                if (_window.IsEmpty)
                    LeaveOut(document, id);
                Add(document, id, counts: true);
            }

            _done += piece.Utf8.Length;
            if (!piece.EndsDocument)
                continue;
            if (_options.SeparateDocuments)
            {
                End(document);
                document = null;
            }
            else if (_model.Tokenizer.EndOfTextId is { } end)
            {
                Add(document, end, counts: false);
            }
        }

        if (document is not null)
            End(document);
    }

    private void ScoreExamples(IReadOnlyList<string> paths)
    {
        var encoder = new ExampleEncoder(_model.Tokenizer, _options.ChatTemplate, new ExampleEncoderOptions { Answers = _options.Answers });
        var examples = new List<(string Place, TokenizedExample Tokens)>();
        foreach (var example in paths.SelectMany(path => ExampleFiles.Open(path).Read(_cancellation)))
        {
            if (encoder.Encode(example) is { } encoded)
                examples.Add((example.Place, encoded));
        }

        if (examples.Count == 0)
        {
            throw new InvalidDataException(
                $"{string.Join(", ", paths)}: there are no answers to score among {encoder.Counts.Examples:N0} examples");
        }

        _total = examples.Count;
        foreach (var (place, example) in examples)
        {
            var document = Begin(place);
            for (var i = 0; i < example.Tokens.Count; i++)
                Add(document, example.Tokens[i], example.Learned[i]);
            End(document);
            _done++;
        }
    }

    private void Encode(string path, ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ids.Clear();
        try
        {
            _model.Tokenizer.EncodeUtf8(utf8, ids);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    // What the first token writes is not predicted.
    private void LeaveOut(DocumentLikelihood document, int id)
    {
        var written = new ArrayBufferWriter<byte>();
        _model.Tokenizer.DecodeUtf8([id], written);
        document.Bytes -= written.WrittenCount;
        document.Characters -= Utf8Text.CountCharacters(written.WrittenSpan);
    }

    private DocumentLikelihood Begin(string place)
    {
        var document = new DocumentLikelihood(place);
        _documents.Add(document);
        return document;
    }

    private void Add(DocumentLikelihood document, int id, bool counts) => Enqueue(_window.Add(id, counts), document);

    private void End(DocumentLikelihood document) => Enqueue(_window.End(), document);

    private void Enqueue(LikelihoodWindow? window, DocumentLikelihood document)
    {
        if (window is not { } some)
            return;
        _waiting.Add((some, document));
        if (_waiting.Count == BatchesAtOnce * _model.Rows)
            RunWaiting();
    }

    private void RunWaiting()
    {
        var before = _reported;
        var likelihoods = _model.Run([.. _waiting.Select(waiting => waiting.Window)],
            done => _progress?.Invoke(_reported = before + ((_done - before) * done / _waiting.Count), _total), _cancellation);
        foreach (var ((window, document), likelihood) in _waiting.Zip(likelihoods))
        {
            document.LogLikelihood += likelihood;
            document.Tokens += window.Count;
        }

        _waiting.Clear();
    }

    private MetricSignature Describe()
    {
        var isText = _options.DataFormat == DataFormat.Text;
        return new MetricSignature()
            .Add("of", !isText ? "answers" : _options.SeparateDocuments ? "documents" : "text")
            .Add("ctx", _options.MaxLength).Add("stride", _options.Stride)
            .Add("prefix", isText && _prefix is { } prefix ? _model.Tokenizer.IdToToken(prefix)! : "none")
            .Add("precision", _model.IsBf16 ? "bf16" : "fp32").Add("version", "ingot");
    }
}
