using System.Diagnostics;
using Ingot.Evaluation;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>
/// Has the model that is being trained write for some of the validation data, and scores its texts. It reads the parameters where they
/// are, draws nothing, and has no memory of its own between evaluations: training goes on as if it had not been.
/// </summary>
internal sealed class GenerationEvaluator
{
    private readonly ModelConfig _model;
    private readonly ParameterStore _parameters;
    private readonly TrainingData _data;
    private readonly GenerationConfig _config;
    private readonly IReadOnlyList<(string Name, TextMetric Metric)> _metrics;
    private readonly GenerationOptions _settings;
    private readonly int _rows;
    private readonly List<(WritingItem Item, ChatPrompt? Chat)> _items = [];
    private readonly int _available;

    /// <summary>Chooses what is written, the same at every evaluation.</summary>
    /// <param name="options">How much of it, how, and what it is scored by.</param>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="data">The data, prepared.</param>
    /// <param name="config">How text is written with the model, as its checkpoints say.</param>
    /// <param name="batch">Texts that are written at a time.</param>
    /// <param name="observer">Told of what cannot be asked.</param>
    /// <exception cref="TrainingOptionsException">The model does not write so long, or there is nothing to ask for.</exception>
    public GenerationEvaluator(TrainingOptions options, ModelConfig model, ParameterStore parameters, TrainingData data,
        GenerationConfig config, int batch, ITrainingObserver observer)
    {
        (_model, _parameters, _data, _config) = (model, parameters, data, config);
        _metrics = options.CreateEvalMetrics();
        var translates = model.EncoderDecoder is not null;
        // A decoder's own context slides; a text of an encoder-decoder has to fit, its first token included.
        var most = translates ? model.MaxPositions - 1 : int.MaxValue;
        if (options.GenerationMaxLength > most)
            throw Refused($"generationMaxLength is {options.GenerationMaxLength}, but the model writes {most} tokens at most");
        var all = data.WritingItems;
        if (all.Count == 0)
        {
            throw Refused("evalMetrics compare what the model writes with answers, and the validation data has none: it takes pairs of "
                + "texts, conversations or prompts with completions");
        }

        var chosen = Spread(all, options.EvalGenerations);
        var longest = chosen.Max(item => data.Tokenizer.ForTargets.Encode(item.Reference).Length);
        _settings = config.Options with
        {
            DoSample = false,
            NumReturnSequences = 1,
            NumBeams = options.GenerationNumBeams ?? (translates ? config.Options.NumBeams : 1),
            MaxNewTokens = Math.Clamp(options.GenerationMaxLength ?? 2 * longest, 1, most),
            MaxLength = null,
            TruncatePrompt = true,
        };
        _rows = batch * _settings.NumBeams;
        AddPrompts(chosen);
        _available = all.Count;
        if (_items.Count < chosen.Count)
        {
            observer.OnWarning($"{chosen.Count - _items.Count:N0} of the {chosen.Count:N0} conversations for evalMetrics leave no room for "
                + $"an answer in the model's {model.MaxPositions} positions, and are not asked");
        }

        if (_items.Count == 0)
            throw Refused("evalMetrics have nothing to score: no conversation of the validation data leaves room for an answer");
    }

    /// <summary>Whether more of a metric is better.</summary>
    public bool IsGreaterBetter(string metric) => _metrics.First(known => known.Name == metric).Metric.HigherIsBetter;

    /// <summary>Writes and scores.</summary>
    /// <param name="progress">Is told how many texts of how many are written.</param>
    /// <param name="ct">Ends it before the next token.</param>
    public GenerationScores Run(Action<long, long>? progress, CancellationToken ct)
    {
        var began = Stopwatch.GetTimestamp();
        var done = 0;
        string[] texts;
        using (var generator = Open())
            texts = Write(generator, () => progress?.Invoke(++done, _items.Count), ct);
        var written = SegmentStream.Of(texts, "what the model writes");
        SegmentStream[] references = [SegmentStream.Of([.. _items.Select(item => item.Item.Reference)], "the validation data")];
        return new GenerationScores(texts.Length, _available,
            [.. _metrics.Select(metric => KeyValuePair.Create(metric.Name, metric.Metric.Evaluate(written, references, null, ct)))],
            Stopwatch.GetElapsedTime(began));
    }

    /// <summary>So many of them, from all over; 0 for all.</summary>
    private static List<WritingItem> Spread(IReadOnlyList<WritingItem> all, int most)
    {
        var count = most > 0 ? Math.Min(most, all.Count) : all.Count;
        return [.. Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)])];
    }

    private static TrainingOptionsException Refused(string problem) => new([problem]);

    private TextGenerator Open() => TextGenerator.Over(_model, _parameters, _data.Tokenizer, _config);

    private void AddPrompts(List<WritingItem> chosen)
    {
        using var generator = Open();
        foreach (var item in chosen)
        {
            try
            {
                _items.Add((item, item.Messages is { } messages
                    ? ChatPrompt.Make(generator, _data.Template!, messages, _settings) : null));
            }
            catch (ArgumentException)
            {
                // Longer than the model reads, which training on it has said.
            }
        }
    }

    /// <summary>A text for each item.</summary>
    private string[] Write(TextGenerator generator, Action onWritten, CancellationToken ct)
    {
        var texts = new string[_items.Count];
        if (_model.EncoderDecoder is not null)
            Rewrite(generator, texts, onWritten, ct);
        else
            Answer(generator, texts, onWritten, ct);
        return texts;
    }

    private void Rewrite(TextGenerator generator, string[] texts, Action onWritten, CancellationToken ct)
    {
        foreach (var direction in _items.Index().GroupBy(item => item.Item.Item.Languages))
        {
            var (source, target) = direction.Key;
            var settings = _settings with { SourceLanguage = source, TargetLanguage = target };
            var rewriter = new TextRewriter(generator, settings, _rows) { OnWritten = _ => onWritten() };
            foreach (var (item, text) in direction.Zip(rewriter.Rewrite(direction.Select(item => item.Item.Item.Prompt), ct)))
                texts[item.Index] = text.Text;
        }
    }

    private void Answer(TextGenerator generator, string[] texts, Action onWritten, CancellationToken ct)
    {
        // How much room a conversation leaves for the answer may differ; those with as much go together.
        var prompts = _items.Select((item, i) =>
            (Index: i, Text: item.Chat?.Text ?? item.Item.Prompt, Options: item.Chat?.Options ?? _settings));
        foreach (var group in prompts.GroupBy(prompt => (prompt.Options.MaxNewTokens, prompt.Options.HasSpecialTokens)))
        {
            var part = group.ToList();
            foreach (var text in generator.Generate([.. part.Select(prompt => prompt.Text)], part[0].Options, _rows, ct))
            {
                texts[part[text.Prompt].Index] = text.Text;
                onWritten();
            }
        }
    }
}
