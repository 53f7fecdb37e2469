using System.Text.Json;
using Ingot.Bindings;
using Ingot.Chat;
using Ingot.Checkpoints;
using Ingot.Evaluation;
using Ingot.Models;
using Ingot.Pairs;
using Ingot.Training;

namespace Ingot.Scoring;

/// <summary>A model and data to scores: what <c>ingot evaluate</c> does with a model.</summary>
public static class ModelEvaluation
{
    /// <summary>Loads the model, scores it, and writes the files that are asked for.</summary>
    /// <param name="options">Valid options that name a model.</param>
    /// <param name="warn">Told of what is odd.</param>
    /// <param name="progress">Is told how much of how much is done: bytes of text, or examples.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="InvalidDataException">The model or the data is not as it must be; the message names place and way out.</exception>
    public static IReadOnlyList<EvaluationResult> Run(EvaluationOptions options, Action<string>? warn = null,
        Action<long, long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ScoreFiles.Check(options.Output, options.Data);
        var folder = ModelFolder.Find(options.Model!, warn);
        using var model = LikelihoodModel.Load(folder, DeviceChoice.Find(options.Device),
            options.Precision == Precision.Bf16 ? DType.Bf16 : DType.F32, options.BatchSize,
            options.Adapter is { } adapter ? ModelFolder.Find(adapter, warn) : null);
        return options.Kind == EvaluationKind.Perplexity
            ? MeasurePerplexity(options, model, folder, warn, progress, cancellationToken)
            : AnswerQuestions(options, model, progress, cancellationToken);
    }

    private static EvaluationResult[] MeasurePerplexity(EvaluationOptions options, LikelihoodModel model, string folder,
        Action<string>? warn, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        var result = model.Model is EncoderDecoderConfig ? MeasurePairs(options, model, warn, progress, cancellationToken)
            : MeasureTexts(options, model, folder, progress, cancellationToken);
        EvaluationResult[] results = [new(options.Model!, result.ToScore())];
        if (options.Output is { } output)
            ScoreFiles.Write(output, result.Documents, WriteDocument, results);
        return results;
    }

    private static PerplexityResult MeasurePairs(EvaluationOptions options, LikelihoodModel model, Action<string>? warn,
        Action<long, long>? progress, CancellationToken cancellationToken)
    {
        Refuse(options, [(o => o.Stride, "stride"), (o => o.SeparateDocuments, "separateDocuments"), (o => o.AddPrefix, "addPrefix"),
            (o => o.DataFormat, "dataFormat"), (o => o.ChatTemplate, "chatTemplate"), (o => o.LearnedAnswers, "learnedAnswers")],
            $"does not go with a {model.Model.ModelType}, of which targets are scored, given their sources");
        return PairPerplexityMeter.Run(model, options.Data, new PairPerplexityOptions
        {
            Fields = new PairFields
            {
                Source = options.SourceField,
                Target = options.TargetField,
                SourceLanguage = options.SourceLanguage,
                TargetLanguage = options.TargetLanguage,
                SourceLanguageField = options.SourceLanguageField,
                TargetLanguageField = options.TargetLanguageField,
            },
            MaxLength = options.MaxLength,
            TruncateSources = options.TruncatePrompt,
        }, warn, progress, cancellationToken);
    }

    private static PerplexityResult MeasureTexts(EvaluationOptions options, LikelihoodModel model, string folder,
        Action<long, long>? progress, CancellationToken cancellationToken)
    {
        Refuse(options, [(o => o.SourceField, "sourceField"), (o => o.TargetField, "targetField"),
            (o => o.SourceLanguage, "sourceLanguage"), (o => o.TargetLanguage, "targetLanguage"),
            (o => o.SourceLanguageField, "sourceLanguageField"), (o => o.TargetLanguageField, "targetLanguageField")],
            $"is of pairs of texts, and a {model.Model.ModelType} is no encoder-decoder");
        return PerplexityMeter.Run(model, options.Data, new PerplexityOptions
        {
            MaxLength = options.MaxLength,
            Stride = options.Stride,
            SeparateDocuments = options.SeparateDocuments,
            AddPrefix = options.AddPrefix,
            DataFormat = options.DataFormat,
            ChatTemplate = FindTemplate(folder, model, options.ChatTemplate),
            Answers = options.LearnedAnswers,
        }, progress, cancellationToken);
    }

    /// <summary>Options that say nothing about this model must not be set.</summary>
    private static void Refuse(EvaluationOptions options, (Func<EvaluationOptions, object?> Value, string Name)[] others, string why)
    {
        var unset = new EvaluationOptions();
        if (others.FirstOrDefault(option => !Equals(option.Value(options), option.Value(unset))).Name is { } name)
            throw new ArgumentException($"{name} {why}: leave it out");
    }

    private static EvaluationResult[] AnswerQuestions(EvaluationOptions options, LikelihoodModel model, Action<long, long>? progress,
        CancellationToken cancellationToken)
    {
        var result = MultipleChoiceMeter.Run(model, options.Data, new MultipleChoiceOptions
        {
            QuestionField = options.QuestionField,
            ChoicesField = options.ChoicesField,
            AnswerField = options.AnswerField,
            PromptTemplate = options.PromptTemplate,
            TargetDelimiter = options.TargetDelimiter,
            AddBosToken = options.AddBosToken,
            MaxLength = options.MaxLength,
        }, progress, cancellationToken);
        EvaluationResult[] results = [.. result.ToScores().Select(score => new EvaluationResult(options.Model!, score))];
        if (options.Output is { } output)
            ScoreFiles.Write(output, result.Items, WriteItem, results);
        return results;
    }

    private static ChatTemplate? FindTemplate(string folder, LikelihoodModel model, string? choice)
    {
        try
        {
            return ChatTemplate.TryLoad(folder, choice, model.Tokenizer) ?? ChatTemplate.TryLoad(model.Folder, null, model.Tokenizer);
        }
        catch (TemplateException) when (choice is null)
        {
            return null; // Text needs none; for conversations the error will say that there is none.
        }
    }

    private static void WriteDocument(Utf8JsonWriter json, DocumentLikelihood document)
    {
        json.WriteString("document", document.Place);
        json.WriteNumber("log_likelihood", document.LogLikelihood);
        json.WriteNumber("tokens", document.Tokens);
        if (document.Bytes > 0)
        {
            json.WriteNumber("bytes", document.Bytes);
            json.WriteNumber("characters", document.Characters);
        }

        json.WriteNumber("perplexity", document.Perplexity);
    }

    private static void WriteItem(Utf8JsonWriter json, ChoiceLikelihoods item)
    {
        json.WriteString("question", item.Place);
        json.WriteNumber("answer", item.Answer);
        json.WriteNumber("best", item.Best);
        json.WriteNumber("best_by_characters", item.BestByCharacters);
        json.WriteNumber("best_by_bytes", item.BestByBytes);
        json.WriteStartArray("choices");
        for (var i = 0; i < item.LogLikelihoods.Count; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("log_likelihood", item.LogLikelihoods[i]);
            json.WriteNumber("tokens", item.Tokens[i]);
            json.WriteNumber("characters", item.Characters[i]);
            json.WriteNumber("bytes", item.Bytes[i]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
