using System.Globalization;
using Ingot.Adapters;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Evaluation;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>An option whose value cannot be used.</summary>
/// <param name="Key">The option as recipes and the command line name it, for example "learningRate".</param>
/// <param name="Message">What is wrong with it and what would be right, as a sentence about the key: "is 0, but must be …".</param>
public sealed record OptionProblem(string Key, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Key} {Message}";
}

/// <summary>Options that cannot be used; nothing was started.</summary>
public sealed class TrainingOptionsException : Exception
{
    /// <summary>Makes the exception for <paramref name="problems"/>, one line each.</summary>
    public TrainingOptionsException(IReadOnlyList<string> problems)
        : base(string.Join('\n', problems)) => Problems = problems;

    /// <summary>All problems: where, what, and the way out.</summary>
    public IReadOnlyList<string> Problems { get; }
}

public sealed partial record TrainingOptions
{
    // Far above any model and machine, and low enough that sizes made of these can be counted.
    private const long MostLayers = 2_000, MostPerLayer = 1 << 22, MostTokensOfAStep = 1 << 28;

    /// <summary>Model families that <see cref="Model"/> may name instead of a preset.</summary>
    public static IReadOnlyList<string> ModelFamilies { get; } =
        ["gpt2", "llama", "qwen2", "qwen3", "bert", "roberta", "marian", "m2m_100"];

    /// <summary>What <see cref="Tokenizer"/> may name besides folders: tokenizers that a run trains.</summary>
    internal static IReadOnlyList<string?> TrainedTokenizers { get; } = ["bpe", "unigram", "char"];

    /// <summary>Activations that <see cref="HiddenAct"/> may name.</summary>
    public static IReadOnlyList<string> HiddenActs { get; } = ["gelu", "gelu_new", "relu", "silu"];

    /// <summary>Checks all that can be checked without reading data or allocating the model.</summary>
    /// <param name="needsData">Whether <see cref="Data"/> must be set; a plan does without.</param>
    /// <returns>Every problem; empty when there is none.</returns>
    public IReadOnlyList<OptionProblem> Validate(bool needsData = true)
    {
        var problems = new Problems();
        CheckModel(problems);
        if (needsData || Data is not null)
        {
            CheckSources(problems);
        }

        CheckData(problems);
        CheckTask(problems);
        CheckLimits(problems);
        CheckOptimizer(problems);
        CheckSelection(problems);
        CheckReporting(problems);
        CheckMetrics(problems);
        return problems.All;
    }

    /// <summary>Where a run goes that has no <see cref="OutputDir"/>.</summary>
    public string DefaultOutputDir() => Path.Combine("runs", RunName ?? (BaseModel.IsFolder(Model) ? "finetune" : Model));

    /// <summary>Throws unless <see cref="Validate"/> finds nothing.</summary>
    /// <exception cref="TrainingOptionsException">With every problem.</exception>
    public void ThrowIfInvalid()
    {
        IReadOnlyList<OptionProblem> problems = Validate();
        if (problems.Count > 0)
        {
            throw new TrainingOptionsException([.. problems.Select(problem => problem.ToString())]);
        }
    }

    private void CheckModel(Problems problems)
    {
        problems.NotBlank("model", Model, "name a preset such as gpt2-124m, or a family: " + string.Join(", ", ModelFamilies));
        problems.Between("numHiddenLayers", NumHiddenLayers, 1, MostLayers);
        problems.Between("hiddenSize", HiddenSize, 1, MostPerLayer);
        problems.Between("numAttentionHeads", NumAttentionHeads, 1, MostPerLayer);
        problems.Between("numKeyValueHeads", NumKeyValueHeads, 1, MostPerLayer);
        problems.Between("headDim", HeadDim, 1, MostPerLayer);
        problems.Between("intermediateSize", IntermediateSize, 1, MostPerLayer);
        problems.Between("maxPositionEmbeddings", MaxPositionEmbeddings, 1, MostTokensOfAStep);
        if (ModelFamilies.Contains(Model))
        {
            problems.Given("numHiddenLayers", NumHiddenLayers, Model);
            problems.Given("hiddenSize", HiddenSize, Model);
            problems.Given("numAttentionHeads", NumAttentionHeads, Model);
            // Positions of encoder-decoders are computed, not learnt: there may be more of them than texts have tokens.
            if (MaxPositionEmbeddings is null && SequenceLength is null && Model is not ("marian" or "m2m_100"))
            {
                problems.Add("sequenceLength", $"is not set, and the family {Model} has no length of its own: set it, or name a preset");
            }
        }

        if (HeadDim is null && HiddenSize > 0 && NumAttentionHeads > 0 && HiddenSize % NumAttentionHeads != 0)
        {
            int width = HiddenSize.Value, heads = NumAttentionHeads.Value;
            problems.Add("hiddenSize", $"is {width}, which numAttentionHeads {heads} does not divide: "
                + $"take {Math.Max(width / heads, 1) * heads} or {(width / heads + 1) * heads}, or another number of heads");
        }

        if (NumAttentionHeads > 0 && NumKeyValueHeads > 0 && NumAttentionHeads % NumKeyValueHeads != 0)
        {
            problems.Add("numKeyValueHeads", $"is {NumKeyValueHeads}, which does not divide numAttentionHeads {NumAttentionHeads}: "
                + "take a divisor of it");
        }

        if (HiddenAct is not null && !HiddenActs.Contains(HiddenAct))
        {
            problems.Add("hiddenAct", $"is \"{HiddenAct}\", but must be one of: {string.Join(", ", HiddenActs)}");
        }

        problems.ShareBelowOne("dropout", Dropout);
        CheckBatches(problems);
        if (problems.All.Count == 0)
        {
            CheckSizesTogether(problems);
        }
    }

    private void CheckTask(Problems problems)
    {
        if (Task is { } task && (!Enum.IsDefined(task) || task == ModelTask.FeatureExtraction))
        {
            problems.Add("task", "is feature_extraction, for which nothing is learnt: take masked_lm, sequence_classification, "
                + "token_classification or seq2seq_lm");
        }

        if (MlmProbability is not (> 0 and <= 1))
        {
            problems.Add("mlmProbability", $"is {MlmProbability}, but must be above 0 to 1");
        }

        if (Task is null)
        {
            return;
        }

        string name = Task.Value.Name();
        if (Task != ModelTask.Seq2seqLm)
        {
            foreach (var (key, _) in OfPairs.Where(option => option.IsSet(this)))
            {
                problems.Add(key, $"belongs to task {ModelTask.Seq2seqLm.Name()}, and this is {name}: leave it out");
            }
        }

        if (Tokenizer == "unigram" && Task != ModelTask.Seq2seqLm)
        {
            problems.Add("tokenizer", $"is unigram, which is not trained for task {name} in a run: `ingot tokenizer train --type unigram` "
                + "makes a folder, which tokenizer may name");
        }

        if (Task == ModelTask.CausalLm)
        {
            return;
        }

        if (Objective == TrainingObjective.Dpo)
        {
            problems.Add("objective", $"is dpo, which does not go with task {name}");
        }

        if (SamplePrompts.Count > 0 && !Task.Value.Writes())
        {
            problems.Add("samplePrompts", $"do not go with task {name}: such a model does not write text");
        }

        if (Texts.Count > 0)
        {
            problems.Add("texts", $"do not go with task {name}: name files as data");
        }

        if (DocumentMask)
        {
            problems.Add("documentMask", $"does not go with task {name}: a window of running text is one sequence");
        }

        if (Tokenizer == "char")
        {
            problems.Add("tokenizer", $"is char, which has no special tokens for task {name}: take bpe or a folder");
        }

        string read = Task switch
        {
            ModelTask.MaskedLm => "running text",
            ModelTask.Seq2seqLm => "pairs of texts",
            _ => "labelled examples",
        };
        bool isOther = Task switch
        {
            ModelTask.MaskedLm => DataFormat is DataFormat.Chat or DataFormat.Examples,
            ModelTask.Seq2seqLm => DataFormat != DataFormat.Auto,
            _ => DataFormat == DataFormat.Chat,
        };
        if (isOther)
        {
            problems.Add("dataFormat", $"does not go with task {name}, which reads {read}: leave it out");
        }
    }

    // Options of pairs of texts.
    private static readonly (string Key, Func<TrainingOptions, bool> IsSet)[] OfPairs =
    [
        ("sourceField", o => o.SourceField is not null), ("targetField", o => o.TargetField is not null),
        ("sourceLanguage", o => o.SourceLanguage is not null), ("targetLanguage", o => o.TargetLanguage is not null),
        ("sourceLanguageField", o => o.SourceLanguageField is not null), ("targetLanguageField", o => o.TargetLanguageField is not null),
        ("maxSourceLength", o => o.MaxSourceLength is not null), ("maxTargetLength", o => o.MaxTargetLength is not null),
        ("data", o => o.Data?.Any(source => source.Fields is not null) == true),
    ];

    private void CheckBatches(Problems problems)
    {
        problems.Between("sequenceLength", SequenceLength, 1, MostTokensOfAStep);
        problems.Between("perDeviceTrainBatchSize", PerDeviceTrainBatchSize, 1, MostTokensOfAStep);
        problems.Between("perDeviceEvalBatchSize", PerDeviceEvalBatchSize, 1, MostTokensOfAStep);
        problems.Between("gradientAccumulationSteps", GradientAccumulationSteps, 1, MostTokensOfAStep);
    }

    // A preset with some sizes changed may not fit together; the model itself knows. The vocabulary plays no part in it. A folder need not
    // be there any more when a run is resumed.
    private void CheckSizesTogether(Problems problems)
    {
        if (BaseModel.IsFolder(Model) && !Directory.Exists(Model))
        {
            return;
        }

        try
        {
            var model = ModelFactory.Create(this, VocabSize ?? 257, endOfText: null);
            var (most, mostSource) = TrainingPlan.LengthsOf(this, model);
            long length = Math.Max(most, mostSource);
            if ((Int128)length * PerDeviceTrainBatchSize * GradientAccumulationSteps > MostTokensOfAStep)
            {
                problems.Add("perDeviceTrainBatchSize", $"is {PerDeviceTrainBatchSize}, which with sequences of {length} tokens and "
                    + $"gradientAccumulationSteps {GradientAccumulationSteps} makes more than {MostTokensOfAStep:N0} tokens a step: "
                    + "take fewer");
            }

            if (length * (PerDeviceEvalBatchSize ?? 1) > MostTokensOfAStep)
            {
                problems.Add("perDeviceEvalBatchSize", $"is {PerDeviceEvalBatchSize}, which with sequences of {length} tokens makes "
                    + $"more than {MostTokensOfAStep:N0} tokens: take fewer");
            }
        }
        catch (Exception e) when (e is ArgumentException or IOException or InvalidDataException)
        {
            problems.Add("model", $"does not make a model: {e.Message}");
        }
    }

    private void CheckSources(Problems problems)
    {
        if (Data is not { Count: > 0 })
        {
            if (Texts.Count == 0)
            {
                problems.NotBlank("data", null, "name a file of text or examples, a folder of such files, or give texts");
            }

            return;
        }

        foreach (TrainingSource source in Data)
        {
            problems.NotBlank("data", source.Path, "name a file of text or examples, or a folder of such files");
            problems.Positive("data", source.Weight);
        }

        if (Data.Any(source => source.Weight is not null) && (Texts.Count > 0 || Data.Any(source => source.Weight is null)))
        {
            problems.Add("data", "has a weight for some sources and none for others (texts have none): give each a weight, or none");
        }
    }

    private void CheckData(Problems problems)
    {
        if (EvalData is not null)
        {
            problems.NotBlank("evalData", EvalData, "name a file of text or a folder of such files, or leave it out");
        }

        problems.ShareBelowOne("validationFraction", ValidationFraction);
        if (Tokenizer is not null)
        {
            problems.NotBlank("tokenizer", Tokenizer, "take bpe, unigram, char, or a folder with tokenizer files, or leave it out");
        }

        problems.AtLeast("vocabSize", VocabSize, 257);
        if (SequenceLength > MaxPositionEmbeddings)
        {
            problems.Add("sequenceLength", $"is {SequenceLength}, longer than the model's maxPositionEmbeddings {MaxPositionEmbeddings}: "
                + "shorten it, or raise maxPositionEmbeddings");
        }

        problems.Known("sampling", Sampling);
        problems.Known("dataFormat", DataFormat);
        problems.Known("learnedAnswers", LearnedAnswers);
        problems.Between("maxLength", MaxLength, 2, MostTokensOfAStep);
        problems.Between("maxSourceLength", MaxSourceLength, 2, MostTokensOfAStep);
        problems.Between("maxTargetLength", MaxTargetLength, 2, MostTokensOfAStep);
        foreach (var (language, field, name) in new[]
                 {
                     (SourceLanguage, SourceLanguageField, "source"), (TargetLanguage, TargetLanguageField, "target"),
                 })
        {
            if (language is not null && field is not null)
            {
                problems.Add($"{name}LanguageField",
                    $"does not go with {name}Language, the language of all records: leave one of them out");
            }
        }
        if (MaxLength > SequenceLength)
        {
            problems.Add("maxLength", $"is {MaxLength}, longer than a row (sequenceLength {SequenceLength}): shorten it, or lengthen the "
                + "rows");
        }

        problems.Between("padToMultipleOf", PadToMultipleOf, 1, MostTokensOfAStep);
        if (Texts.Any(string.IsNullOrEmpty))
        {
            problems.Add("texts", "has an empty text: leave it out");
        }
    }

    private void CheckLimits(Problems problems)
    {
        problems.Positive("numTrainEpochs", NumTrainEpochs);
        problems.AtLeast("maxSteps", MaxSteps, 1);
        problems.Positive("maxTime", MaxTime);
        problems.Positive("targetLoss", TargetLoss);
        if (TargetLoss is not null && EvalData is null && ValidationFraction == 0)
        {
            problems.Add("targetLoss", "needs validation text: set evalData or a validationFraction above 0");
        }

        if (TargetLoss is not null && EvalSteps == 0)
        {
            problems.Add("targetLoss", "needs evaluations while the model trains: set evalSteps above 0");
        }

        problems.AtLeast("earlyStoppingPatience", EarlyStoppingPatience, 1);
        problems.NotNegative("earlyStoppingThreshold", EarlyStoppingThreshold);
        foreach (var (key, isSet) in new[] { ("earlyStoppingPatience", EarlyStoppingPatience is not null),
            ("loadBestModelAtEnd", LoadBestModelAtEnd) })
        {
            if (isSet && EvalData is null && ValidationFraction == 0)
            {
                problems.Add(key, "needs validation data: set evalData or a validationFraction above 0");
            }

            if (isSet && EvalSteps == 0)
            {
                problems.Add(key, "needs evaluations while the model trains: set evalSteps above 0");
            }
        }
    }

    private void CheckOptimizer(Problems problems)
    {
        problems.Positive("learningRate", LearningRate);
        problems.NotNegative("minLearningRate", MinLearningRate);
        if (LearningRate > 0 && MinLearningRate > LearningRate)
        {
            problems.Add("minLearningRate", $"is {MinLearningRate}, above learningRate {LearningRate}: it is where the decay ends");
        }

        problems.Known("lrSchedulerType", LrSchedulerType);
        problems.AtLeast("warmupSteps", WarmupSteps, 0);
        problems.Within("warmupRatio", WarmupRatio, 0, 1);
        problems.Positive("lrSchedulerNumCycles", LrSchedulerNumCycles);
        problems.Positive("lrSchedulerPower", LrSchedulerPower);
        problems.AtLeast("decaySteps", DecaySteps, 1);
        problems.NotNegative("weightDecay", WeightDecay);
        problems.ShareBelowOne("adamBeta1", AdamBeta1);
        problems.ShareBelowOne("adamBeta2", AdamBeta2);
        problems.Positive("adamEpsilon", AdamEpsilon);
        problems.NotNegative("maxGradNorm", MaxGradNorm);
        problems.ShareBelowOne("labelSmoothingFactor", LabelSmoothingFactor);
        problems.NotNegative("skipZScore", SkipZScore);
        problems.AtLeast("maxSkippedSteps", MaxSkippedSteps, 1);
        if (DeviceChoice.Problem(Device) is { } problem)
        {
            problems.Add("device", problem);
        }

        problems.Known("precision", Precision);
        problems.Known("gradientCheckpointing", GradientCheckpointing);
        if (Threads is < 0 or > 1024)
        {
            problems.Add("threads", $"is {Threads}, but must be 0 (every core) to 1024");
        }
    }

    private void CheckSelection(Problems problems)
    {
        foreach (var (key, patterns) in new[]
                 {
                     ("trainable", Trainable), ("freeze", Freeze), ("noWeightDecay", NoWeightDecay),
                     ("learningRateFactors", [.. LearningRateFactors.Keys]),
                 })
        {
            foreach (string pattern in patterns)
            {
                try
                {
                    NamePattern.Parse(pattern);
                }
                catch (FormatException e)
                {
                    problems.Add(key, $"holds \"{pattern}\", which is no pattern: {e.Message}");
                }
            }
        }

        foreach ((string pattern, string factor) in LearningRateFactors)
        {
            if (!double.TryParse(factor, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                || !(number > 0) || !double.IsFinite(number))
            {
                problems.Add("learningRateFactors", $"gives \"{pattern}\" the factor \"{factor}\", but it must be a number above 0; "
                    + "freeze takes what stays as it is");
            }
        }

        if (LayerwiseLearningRateDecay is not (> 0 and <= 1))
        {
            problems.Add("layerwiseLearningRateDecay", $"is {LayerwiseLearningRateDecay}, but must be above 0 to 1");
        }

        problems.Known("objective", Objective);
        problems.Positive("dpoBeta", DpoBeta);
        if (DpoLabelSmoothing is not (>= 0 and < 0.5))
        {
            problems.Add("dpoLabelSmoothing", $"is {DpoLabelSmoothing}, but must be from 0 to below 0.5");
        }

        if (Objective == TrainingObjective.Dpo && Texts.Count > 0)
        {
            problems.Add("texts", "are no pairs of answers, from which dpo learns: name a file of such pairs as data");
        }

        if (Objective == TrainingObjective.Dpo && (LoraRank == 0 || ModulesToSave.Count > 0))
        {
            problems.Add("objective", "is dpo, which compares with the model that the run starts from: train an adapter (loraRank above 0) "
                + "and no whole modules (modulesToSave), so that it stays as it is");
        }

        problems.Between("loraRank", LoraRank, 0, MostPerLayer);
        problems.Positive("loraAlpha", LoraAlpha);
        problems.ShareBelowOne("loraDropout", LoraDropout);
        if (LoraTargets.Count == 0)
        {
            problems.Add("loraTargets", $"is empty: name layers, or take {LoraConfig.AllLinear}");
        }

        if (LoraRank > 0 && Trainable.Count > 0)
        {
            problems.Add("trainable", "does not go with loraRank, which trains the adapter alone: modulesToSave takes what is trained "
                + "besides");
        }

        if (LoraRank == 0 && (UseDora || UseRslora || ModulesToSave.Count > 0))
        {
            problems.Add(UseDora ? "useDora" : UseRslora ? "useRslora" : "modulesToSave", "needs an adapter: set loraRank above 0");
        }
    }

    private void CheckReporting(Problems problems)
    {
        problems.AtLeast("loggingSteps", LoggingSteps, 1);
        problems.AtLeast("evalSteps", EvalSteps, 0);
        problems.AtLeast("evalIterations", EvalIterations, 0);
        problems.AtLeast("saveSteps", SaveSteps, 0);
        problems.AtLeast("saveTotalLimit", SaveTotalLimit, 0);
        if (OutputDir is not null)
        {
            problems.NotBlank("outputDir", OutputDir, "name a directory, or leave it out");
        }

        if (RunName is not null && (string.IsNullOrWhiteSpace(RunName) || RunName is "." or ".." || RunName.AsSpan().ContainsAny("/\\\0")))
        {
            problems.Add("runName", $"is \"{RunName}\", which cannot be a directory's name: leave out slashes; outputDir takes a path");
        }

        problems.AtLeast("sampleSteps", SampleSteps, 0);
        problems.AtLeast("sampleMaxNewTokens", SampleMaxNewTokens, 1);
        problems.NotNegative("sampleTemperature", SampleTemperature);
        problems.AtLeast("sampleTopK", SampleTopK, 0);
    }

    private void CheckMetrics(Problems problems)
    {
        problems.AtLeast("evalGenerations", EvalGenerations, 0);
        problems.AtLeast("generationMaxLength", GenerationMaxLength, 1);
        problems.Between("generationNumBeams", GenerationNumBeams, 1, 1000);
        string checking = "evalMetrics";
        IReadOnlyList<string> metrics;
        try
        {
            metrics = [.. TextMetrics.CreateAll(EvalMetrics).Select(metric => metric.Name)];
            checking = "evalTokenize";
            CreateEvalMetrics();
        }
        catch (ArgumentException e)
        {
            problems.Add(checking, $"cannot be used: {e.Message}");
            return;
        }

        if (MetricForBestModel != CheckpointScore.Loss && !metrics.Contains(MetricForBestModel))
        {
            problems.Add("metricForBestModel", $"is \"{MetricForBestModel}\", which is not measured: "
                + $"take {string.Join(", ", metrics.Prepend(CheckpointScore.Loss))}, or add it to evalMetrics");
        }

        if (metrics.Count == 0)
        {
            (string Key, bool IsSet)[] settings =
            [
                ("evalTokenize", EvalTokenize is not null), ("generationMaxLength", GenerationMaxLength is not null),
                ("generationNumBeams", GenerationNumBeams is not null),
            ];
            foreach ((string key, _) in settings.Where(setting => setting.IsSet))
            {
                problems.Add(key, "is of what is written for evalMetrics, which are not set: name some, such as bleu, or leave it out");
            }

            return;
        }

        if (EvalData is null && ValidationFraction == 0)
        {
            problems.Add("evalMetrics", "need validation data: set evalData or a validationFraction above 0");
        }

        if (Objective == TrainingObjective.Dpo)
        {
            problems.Add("evalMetrics", "do not go with objective dpo, whose evaluations count which answers are preferred: leave them "
                + "out, and score what the model writes with `ingot evaluate`");
        }

        if (Task is { } task && !task.Writes())
        {
            problems.Add("evalMetrics", $"do not go with task {task.Name()}: such a model does not write text; leave them out");
        }

        if (Task == ModelTask.CausalLm && GenerationNumBeams > 1)
        {
            problems.Add("generationNumBeams", $"is {GenerationNumBeams}, but beam search is for encoder-decoders here, and this is "
                + $"{ModelTask.CausalLm.Name()}: leave it out, so that the likeliest tokens are taken");
        }
    }

    // The rules that several options share.
    private sealed class Problems
    {
        public List<OptionProblem> All { get; } = [];

        public void Add(string key, string message) => All.Add(new(key, message));

        public void AtLeast(string key, long? value, long least) =>
            Require(key, value, !(value < least), $"a whole number of at least {least}");

        public void Between(string key, long? value, long least, long most) =>
            Require(key, value, value is null || (value >= least && value <= most), $"a whole number from {least} to {most}");

        public void Positive(string key, double? value) =>
            Require(key, value, value is null || (value > 0 && double.IsFinite(value.Value)), "a number above 0");

        public void NotNegative(string key, double value) =>
            Require(key, value, value >= 0 && double.IsFinite(value), "a number of at least 0");

        public void ShareBelowOne(string key, double value) => Require(key, value, value is >= 0 and < 1, "a number from 0 to below 1");

        public void Within(string key, double value, double least, double most) =>
            Require(key, value, value >= least && value <= most, $"a number from {least} to {most}");

        public void Known<T>(string key, T value)
            where T : struct, Enum => Require(key, value, Enum.IsDefined(value), "one of " + string.Join(", ", Enum.GetNames<T>()));

        public void NotBlank(string key, string? value, string wayOut)
        {
            if (string.IsNullOrWhiteSpace(value))
            {
                Add(key, $"is {(value is null ? "not set" : "empty")}: {wayOut}");
            }
        }

        public void Given(string key, int? value, string family)
        {
            if (value is null)
            {
                Add(key, $"is not set, and the family {family} has no sizes of its own: set it, or name a preset such as gpt2-124m as "
                    + "model");
            }
        }

        private void Require(string key, object? value, bool holds, string required)
        {
            if (!holds)
            {
                Add(key, $"is {value}, but must be {required}");
            }
        }
    }
}
