using System.Globalization;
using Ingot.Bindings;
using Ingot.Chat;
using Ingot.Checkpoints;
using Ingot.Evaluation;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Scoring;

/// <summary>Lets a model write for each item of some data, and scores what it has written against the references.</summary>
public static class GenerationEvaluation
{
    /// <summary>Writes and scores. Texts go to the output as they come; after an interruption the same call goes on.</summary>
    /// <param name="options">Valid options of the kind <see cref="EvaluationKind.Generation"/>.</param>
    /// <param name="warn">Told of what is odd.</param>
    /// <param name="progress">Is told how many texts of how many are written.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="InvalidDataException">The model or the data is not as it must be; the message names place and way out.</exception>
    /// <exception cref="ArgumentException">A prompt or a setting does not fit the model.</exception>
    public static IReadOnlyList<EvaluationResult> Run(EvaluationOptions options, Action<string>? warn = null,
        Action<long, long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ScoreFiles.Check(options.Output, [.. options.Data, .. options.References]);
        var items = GenerationItem.Read(options, cancellationToken);
        var folder = ModelFolder.Find(options.Model!, warn);
        var adapter = options.Adapter is { } path ? ModelFolder.Find(path, warn) : null;
        using var hypotheses = new HypothesisFile(options.Output!, Key(options, folder, adapter));
        if (hypotheses.Count > 0)
            warn?.Invoke($"{options.Output}.partial has {hypotheses.Count} of the {items.Count} texts already; going on behind them");
        Write(options, folder, adapter, items, hypotheses, progress, cancellationToken);
        hypotheses.Complete(items);

        var written = SegmentStream.Of(hypotheses.Texts, options.Output!);
        SegmentStream[] references = [.. Enumerable.Range(0, items[0].References.Count)
            .Select(i => SegmentStream.Of([.. items.Select(item => item.References[i])], $"reference {i + 1}"))];
        var results = EvaluationRun.Score([written], references, options.CreateMetrics(), options, null, cancellationToken);
        ScoreFiles.WriteScores(options.Output!, results);
        return results;
    }

    private static void Write(EvaluationOptions options, string folder, string? adapter, IReadOnlyList<GenerationItem> items,
        HypothesisFile hypotheses, Action<long, long>? progress, CancellationToken ct)
    {
        int[] left = [.. Enumerable.Range(0, items.Count).Where(i => !hypotheses.Has(i))];
        if (left.Length == 0)
            return;
        using var generator = TextGenerator.Load(folder, options.Precision == Precision.Bf16 ? DType.Bf16 : DType.F32,
            DeviceChoice.Find(options.Device), adapter);
        var template = items.Any(item => item.Messages is not null)
            ? ChatTemplate.Load(folder, options.ChatTemplate, generator.Tokenizer) : null;
        if (template is not null && options.NumBeams > 1)
            throw new ArgumentException("numBeams is for prompts and sources; conversations are answered without beam search");
        var settings = Settings(options, generator.Options);
        settings.Validate();
        // How much room a conversation leaves for the answer may differ; those with as much go together.
        var prompts = left.Select(i => (Index: i, Prompt: Prompt(generator, template, items[i], settings))).ToList();
        foreach (var group in prompts.GroupBy(prompt => prompt.Prompt.Options.MaxNewTokens))
        {
            var part = group.ToList();
            string[] texts = [.. part.Select(prompt => prompt.Prompt.Text)];
            foreach (var text in generator.Generate(texts, part[0].Prompt.Options, options.BatchSize, ct))
            {
                hypotheses.Add(part[text.Prompt].Index, text.Text);
                progress?.Invoke(hypotheses.Count, items.Count);
            }
        }
    }

    private static (string Text, GenerationOptions Options) Prompt(
        TextGenerator generator, ChatTemplate? template, GenerationItem item, GenerationOptions settings)
    {
        if (item.Messages is not { } messages)
            return (item.Prompt, settings);
        try
        {
            var prompt = ChatPrompt.Make(generator, template!, messages, settings);
            return (prompt.Text, prompt.Options);
        }
        catch (Exception e) when (e is TemplateException or ArgumentException)
        {
            throw new InvalidDataException($"{item.Place}: {e.Message}", e);
        }
    }

    // What is not asked for is as the model's own file has it, but that nothing is drawn unless that is asked for.
    private static GenerationOptions Settings(EvaluationOptions options, GenerationOptions model) => model with
    {
        MaxNewTokens = options.MaxNewTokens ?? model.MaxNewTokens,
        MaxLength = options.MaxNewTokens is null ? model.MaxLength : null,
        NumBeams = options.NumBeams ?? model.NumBeams,
        LengthPenalty = options.LengthPenalty ?? model.LengthPenalty,
        DoSample = options.DoSample,
        Temperature = options.Temperature ?? model.Temperature,
        TopP = options.TopP ?? model.TopP,
        TopK = options.TopK ?? model.TopK,
        Stop = options.Stop.Count > 0 ? options.Stop : model.Stop,
        SourceLanguage = options.SourceLanguage ?? model.SourceLanguage,
        TargetLanguage = options.TargetLanguage ?? model.TargetLanguage,
        TruncatePrompt = options.TruncatePrompt,
        NumReturnSequences = 1,
        Seed = options.Seed,
    };

    /// <summary>All that decides what is written: settings, and names, sizes and times of files.</summary>
    private static string Key(EvaluationOptions o, string folder, string? adapter)
    {
        var files = new[] { folder, adapter }.OfType<string>()
            .SelectMany(path => Directory.EnumerateFiles(path).Order(StringComparer.Ordinal))
            .Concat(o.Data).Concat(o.References).Concat(o.ChatTemplate is { } template && File.Exists(template) ? [template] : []);
        object?[] settings =
        [
            "evaluation 1", o.Precision, o.PromptField, o.PromptTemplate, o.ReferenceField, o.ChatTemplate, o.MaxNewTokens, o.NumBeams,
            o.LengthPenalty, o.DoSample, o.Temperature, o.TopP, o.TopK, string.Join('\0', o.Stop), o.SourceLanguage, o.TargetLanguage,
            o.TruncatePrompt, o.Seed,
        ];
        return string.Join('\n', settings.Select(setting => Convert.ToString(setting, CultureInfo.InvariantCulture))
            .Concat(files.Select(path =>
                new FileInfo(path) is { Exists: true } file ? $"{file.FullName}|{file.Length}|{file.LastWriteTimeUtc.Ticks}" : path)));
    }
}
