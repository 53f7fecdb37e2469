using Ingot.Adapters;
using Ingot.Chat;
using Ingot.Checkpoints;
using Ingot.Data;
using Ingot.Evaluation;
using Ingot.Models;
using Ingot.Pairs;

namespace Ingot.Training;

/// <summary>
/// Everything that decides a training run: model, data, batches, optimizer, schedule, when to stop and what to keep. Names follow
/// Hugging Face's TrainingArguments and model configurations where those have one; a recipe's keys and the command line's options are
/// the property names in camelCase. Only <see cref="Data"/> has no usable default.
/// </summary>
public sealed partial record TrainingOptions
{
    // ---- Model ----

    /// <summary>
    /// A preset such as "gpt2-124m", a family ("gpt2", "llama", "qwen2", "qwen3", "bert", "roberta", "marian", "m2m_100") whose sizes the
    /// options below give, or a folder to fine-tune from: a model in Hugging Face's layout, or a run. The folder then decides sizes and
    /// weights.
    /// </summary>
    public string Model { get; init; } = "gpt2-124m";

    /// <summary>
    /// What the model's head is for: "causal_lm", "masked_lm", "sequence_classification", "token_classification" or "seq2seq_lm"; unset
    /// takes that of the model's folder, or for a new bert or roberta masked_lm, for an encoder-decoder seq2seq_lm and for others
    /// causal_lm.
    /// </summary>
    public ModelTask? Task { get; init; }

    /// <summary>Number of blocks; unset takes the preset's.</summary>
    public int? NumHiddenLayers { get; init; }

    /// <summary>Width of the model: size of the vector of a token; unset takes the preset's.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Attention heads of a block; unset takes the preset's.</summary>
    public int? NumAttentionHeads { get; init; }

    /// <summary>Key/value heads of a block, each shared by a group of attention heads; unset takes the preset's, or one a head.</summary>
    public int? NumKeyValueHeads { get; init; }

    /// <summary>Size of a head; unset takes the preset's, or hiddenSize / numAttentionHeads.</summary>
    public int? HeadDim { get; init; }

    /// <summary>Inner width of the feed-forward layers; unset takes the preset's, or the family's usual multiple of hiddenSize.</summary>
    public int? IntermediateSize { get; init; }

    /// <summary>Longest context in tokens; unset takes the preset's, or sequenceLength.</summary>
    public int? MaxPositionEmbeddings { get; init; }

    /// <summary>Whether the head shares the embedding's weights; unset takes the preset's.</summary>
    public bool? TieWordEmbeddings { get; init; }

    /// <summary>Whether the attention's projections have biases (gpt2 always has them); unset takes the preset's.</summary>
    public bool? AttentionBias { get; init; }

    /// <summary>Activation: gelu, gelu_new (tanh approximation), relu or silu; unset takes the preset's.</summary>
    public string? HiddenAct { get; init; }

    /// <summary>
    /// Share of activations dropped in training, at the embedding and at the end of each block's two branches; 0 to below 1.
    /// </summary>
    public double Dropout { get; init; }

    // ---- Data ----

    /// <summary>
    /// Training data: text, examples or conversations (see dataFormat), labelled examples, pairs of texts, a file (also .gz) or a folder;
    /// several are mixed, by PATH:WEIGHT or {"path": …, "weight": …}, for pairs with sourceField, targetLanguage and so on of their own.
    /// </summary>
    public TrainingSources? Data { get; init; }

    /// <summary>Examples to train on, written down here, in place of data or besides.</summary>
    public IReadOnlyList<string> Texts { get; init; } = [];

    /// <summary>
    /// What data holds: "text" (running text, documents), "examples" (each line, or each string of a JSON array, by itself), "chat"
    /// (conversations; the answers are learnt), or "auto": as the file's beginning shows.
    /// </summary>
    public DataFormat DataFormat { get; init; } = DataFormat.Auto;

    /// <summary>
    /// How conversations are written: a built-in template such as "chatml", a .jinja file, or the name of one of the model folder's; unset
    /// takes the folder's own.
    /// </summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Which answers of a conversation are learnt: "all", or only the "last".</summary>
    public LearnedAnswers LearnedAnswers { get; init; } = LearnedAnswers.All;

    /// <summary>Validation data; unset holds back validationFraction of the training data.</summary>
    public string? EvalData { get; init; }

    /// <summary>
    /// Share of the training data held back for validation when there is no evalData: the end of a text, examples from all over; 0 holds
    /// back none.
    /// </summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>
    /// "bpe" trains a byte-level BPE on the data, with the special tokens that the model's family needs; "unigram" trains a Unigram, for
    /// pairs of texts; "char" takes the characters; otherwise a folder with tokenizer files. Unset takes that of the model's folder, or bpe
    /// for a new model.
    /// </summary>
    public string? Tokenizer { get; init; }

    /// <summary>
    /// Tokens that the trained BPE or Unigram has, special tokens and the 256 bytes included; unset means 8192. Other tokenizers have their
    /// own number.
    /// </summary>
    public int? VocabSize { get; init; }

    /// <summary>Tokens of a row; unset takes maxLength, or the model's longest context.</summary>
    public int? SequenceLength { get; init; }

    /// <summary>Most tokens of an example; unset takes sequenceLength.</summary>
    public int? MaxLength { get; init; }

    /// <summary>
    /// Whether an example longer than maxLength is cut, a conversation behind an answer; otherwise a text goes on as a further example, and
    /// others are left out. Unset cuts, but not pairs of texts.
    /// </summary>
    public bool? Truncation { get; init; }

    /// <summary>
    /// Whether rows hold as many whole examples as fit, which do not see each other; otherwise each is padded to its batch's longest.
    /// </summary>
    public bool Packing { get; init; } = true;

    /// <summary>Without packing: rows are padded to a multiple of this; unset means 32, or 8 for pairs of texts.</summary>
    public int? PadToMultipleOf { get; init; }

    /// <summary>Whether documents of running text do not see each other; otherwise a row is one sequence across them.</summary>
    public bool DocumentMask { get; init; }

    /// <summary>
    /// Pairs of texts: field of the text that is read, or column of a table, by name or by number from 1; unset means "source" or 1.
    /// </summary>
    public string? SourceField { get; init; }

    /// <summary>Pairs of texts: field or column of the text that is written; unset means "target" or 2.</summary>
    public string? TargetField { get; init; }

    /// <summary>Pairs of texts, where the model knows several languages: code of the sources' language, such as "en".</summary>
    public string? SourceLanguage { get; init; }

    /// <summary>The same of the targets' language.</summary>
    public string? TargetLanguage { get; init; }

    /// <summary>The same where records differ: field or column of the code of the source's language.</summary>
    public string? SourceLanguageField { get; init; }

    /// <summary>The same of the target's language.</summary>
    public string? TargetLanguageField { get; init; }

    /// <summary>These fields together; a source of data may have others.</summary>
    internal PairFields PairFields => new()
    {
        Source = SourceField,
        Target = TargetField,
        SourceLanguage = SourceLanguage,
        TargetLanguage = TargetLanguage,
        SourceLanguageField = SourceLanguageField,
        TargetLanguageField = TargetLanguageField,
    };

    /// <summary>Most tokens of a source; unset takes maxLength or sequenceLength, or the model's positions.</summary>
    public int? MaxSourceLength { get; init; }

    /// <summary>Most tokens of a target; unset takes maxLength or sequenceLength, or the model's positions.</summary>
    public int? MaxTargetLength { get; init; }

    /// <summary>masked_lm: share of the tokens that are to be predicted, above 0 to 1.</summary>
    public double MlmProbability { get; init; } = 0.15;

    /// <summary>How sequences are chosen: "epoch" takes each once an epoch in shuffled order, "random" takes random offsets.</summary>
    public DataSampling Sampling { get; init; } = DataSampling.Epoch;

    // ---- Batches ----

    /// <summary>Sequences of one forward and backward pass.</summary>
    public int PerDeviceTrainBatchSize { get; init; } = 8;

    /// <summary>Sequences of one forward pass of an evaluation; unset takes perDeviceTrainBatchSize.</summary>
    public int? PerDeviceEvalBatchSize { get; init; }

    /// <summary>Passes whose gradients make one optimizer step.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    // ---- When to stop: at whichever of these comes first ----

    /// <summary>Passes over the training data, fractions allowed; unset with no other limit means 1.</summary>
    public double? NumTrainEpochs { get; init; }

    /// <summary>Optimizer steps; unset sets no limit.</summary>
    public long? MaxSteps { get; init; }

    /// <summary>Training time in seconds, over all resumes; unset sets no limit.</summary>
    public double? MaxTime { get; init; }

    /// <summary>Validation loss (nats per token) at which the run has reached its aim; unset sets none.</summary>
    public double? TargetLoss { get; init; }

    /// <summary>Evaluations in a row without a better metricForBestModel after which the run ends; unset sets no limit.</summary>
    public int? EarlyStoppingPatience { get; init; }

    /// <summary>What metricForBestModel must be better by to count as better for earlyStoppingPatience.</summary>
    public double EarlyStoppingThreshold { get; init; }

    // ---- Optimizer: AdamW; matrices decay, vectors do not ----

    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 6e-4;

    /// <summary>Learning rate (not a ratio) at which a decaying schedule ends.</summary>
    public double MinLearningRate { get; init; }

    /// <summary>Course of the learning rate after warm-up.</summary>
    public LrSchedulerType LrSchedulerType { get; init; } = LrSchedulerType.Cosine;

    /// <summary>Steps in which the learning rate rises linearly from 0; 0 takes warmupRatio.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Share of all steps that warm up, 0 to 1, when warmupSteps is 0.</summary>
    public double WarmupRatio { get; init; } = 0.02;

    /// <summary>Waves of cosine (unset: 0.5, one fall from peak to end) or restarts of cosine_with_restarts (unset: 1).</summary>
    public double? LrSchedulerNumCycles { get; init; }

    /// <summary>Power of polynomial; 1 is linear.</summary>
    public double LrSchedulerPower { get; init; } = 1;

    /// <summary>Steps of decay at the end of warmup_stable_decay; unset means a tenth of all steps.</summary>
    public long? DecaySteps { get; init; }

    /// <summary>Decoupled weight decay, times the learning rate each step.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Decay rate of AdamW's first moment, 0 to below 1.</summary>
    public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Decay rate of AdamW's second moment, 0 to below 1.</summary>
    public double AdamBeta2 { get; init; } = 0.95;

    /// <summary>AdamW's epsilon, added to the root of the second moment.</summary>
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Global L2 norm to which gradients are clipped; 0 never clips.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Label smoothing of the training loss, 0 to below 1.</summary>
    public double LabelSmoothingFactor { get; init; }

    /// <summary>
    /// Optimizer steps are left out when the loss or the gradient's norm lies this many deviations above its mean; 0 never.
    /// </summary>
    public double SkipZScore { get; init; }

    /// <summary>Training stops with an error after this many steps left out in a row, not-finite ones included.</summary>
    public int MaxSkippedSteps { get; init; } = 10;

    // ---- What is trained: parameters by patterns of their names ("wte", "h.0", "ln_*", "/regex/") ----

    /// <summary>Parameters that are trained, by patterns of their names; empty means all.</summary>
    public IReadOnlyList<string> Trainable { get; init; } = [];

    /// <summary>Parameters that stay as they are, by patterns of their names; wins over trainable.</summary>
    public IReadOnlyList<string> Freeze { get; init; } = [];

    /// <summary>
    /// What the learning rate is multiplied by, by pattern, for example "wte" to 0.1; factors of several patterns multiply.
    /// </summary>
    public IReadOnlyDictionary<string, string> LearningRateFactors { get; init; } = new Dictionary<string, string>();

    /// <summary>Learning rate of a layer as a share of that of the next one, above 0 to 1; the head and the final norm come last.</summary>
    public double LayerwiseLearningRateDecay { get; init; } = 1;

    /// <summary>Parameters that do not decay, by pattern, besides biases and norms.</summary>
    public IReadOnlyList<string> NoWeightDecay { get; init; } = [];

    // ---- Low-rank adapters (LoRA): only they are trained, beside a model that stays as it is ----

    /// <summary>Rank of the adapter; 0 trains without one.</summary>
    public int LoraRank { get; init; }

    /// <summary>The adapter's output is multiplied by this over the rank.</summary>
    public double LoraAlpha { get; init; } = 16;

    /// <summary>Dropout of the adapter's input, 0 to below 1.</summary>
    public double LoraDropout { get; init; }

    /// <summary>
    /// Layers with an adapter, by the end of their name, for example q_proj and v_proj; "all-linear" takes all in the blocks.
    /// </summary>
    public IReadOnlyList<string> LoraTargets { get; init; } = [LoraConfig.AllLinear];

    /// <summary>Whether the adapter's output is multiplied by loraAlpha over the root of the rank (rsLoRA).</summary>
    public bool UseRslora { get; init; }

    /// <summary>Whether the length of each output's weights is trained apart from their direction (DoRA).</summary>
    public bool UseDora { get; init; }

    /// <summary>Modules that are trained as a whole and kept with the adapter, for example lm_head.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    // ---- What is learnt ----

    /// <summary>
    /// "cross_entropy" learns what the task asks for; "dpo" learns from pairs of answers, "chosen" and "rejected", which is preferred.
    /// </summary>
    public TrainingObjective Objective { get; init; } = TrainingObjective.CrossEntropy;

    /// <summary>dpo: how strongly the model is held to the one that it started from; above 0.</summary>
    public double DpoBeta { get; init; } = 0.1;

    /// <summary>dpo: share of the pairs that is taken for mislabelled, 0 to below 0.5 (conservative DPO).</summary>
    public double DpoLabelSmoothing { get; init; }

    // ---- How to compute ----

    /// <summary>Where to train: "cpu", "cuda" (the first GPU), "cuda:1", or "auto": a GPU if there is one.</summary>
    public string Device { get; init; } = DeviceChoice.Auto;

    /// <summary>"fp32", or "bf16": bf16 compute, fp32 master weights, optimizer state and gradient sums.</summary>
    public Precision Precision { get; init; } = Precision.Fp32;

    /// <summary>Whether a GPU's tensor cores may multiply fp32 numbers rounded to TF32 (10 bits of fraction): faster, less exact.</summary>
    public bool Tf32 { get; init; }

    /// <summary>
    /// What the backward pass computes again to save memory: "none", "cheap" (norms and activations) or "block" (whole blocks).
    /// </summary>
    public GradientCheckpointing GradientCheckpointing { get; init; } = GradientCheckpointing.None;

    /// <summary>Seed of the weights, of the order of the data and of dropout.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>CPU threads; 0 uses every core.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// Kernel to use for an op instead of the default, for example "matmul" to "onednn", or in certain layers only, "h.0.attn/attention" to
    /// "naive"; `ingot kernels` lists them.
    /// </summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>Shared libraries of kernels of one's own, which are loaded first.</summary>
    public IReadOnlyList<string> Plugins { get; init; } = [];

    // ---- What is reported and kept ----

    /// <summary>Steps between reports; also the rows of metrics.jsonl.</summary>
    public long LoggingSteps { get; init; } = 10;

    /// <summary>Steps between evaluations on the validation text; 0 evaluates only at the end.</summary>
    public long EvalSteps { get; init; } = 250;

    /// <summary>Batches of an evaluation; 0 takes all of the validation text.</summary>
    public int EvalIterations { get; init; } = 50;

    /// <summary>
    /// What the model writes for validation data at every evaluation is scored by these: bleu, chrf, chrf++, ter, rouge (or rouge1, rouge2,
    /// rougeL, rougeLsum), meteor, accuracy (of whole texts), f1. The data are pairs of texts, conversations or prompts with completions;
    /// empty writes nothing.
    /// </summary>
    public IReadOnlyList<string> EvalMetrics { get; init; } = [];

    /// <summary>
    /// evalMetrics: what bleu, rouge and meteor take for words: 13a, intl, zh (for Chinese), char or none; unset means what each has by
    /// itself.
    /// </summary>
    public string? EvalTokenize { get; init; }

    /// <summary>The metrics of <see cref="EvalMetrics"/> by their names.</summary>
    /// <exception cref="ArgumentException">A name or the tokenizer is unknown; the message says so.</exception>
    internal IReadOnlyList<(string Name, TextMetric Metric)> CreateEvalMetrics() =>
        TextMetrics.CreateAll(EvalMetrics, EvalTokenize is not { } words ? null : new MetricOptions
        {
            Bleu = new() { Tokenize = words },
            Rouge = new() { Tokenize = words },
            Meteor = new() { Tokenize = words },
        });

    /// <summary>
    /// evalMetrics: most texts that are written for an evaluation, for examples from all over the validation data; 0 for all.
    /// </summary>
    public int EvalGenerations { get; init; } = 200;

    /// <summary>evalMetrics: most tokens of a text; unset means twice as many as the longest reference has.</summary>
    public int? GenerationMaxLength { get; init; }

    /// <summary>
    /// evalMetrics of encoder-decoders: beams of beam search; unset takes those of the model's generation_config.json, or 1.
    /// </summary>
    public int? GenerationNumBeams { get; init; }

    /// <summary>Steps between checkpoints; 0 keeps only the last.</summary>
    public long SaveSteps { get; init; } = 500;

    /// <summary>Newest checkpoints that are kept, beside the best one; 0 keeps all.</summary>
    public int SaveTotalLimit { get; init; } = 2;

    /// <summary>Whether the run's result is the best checkpoint by metricForBestModel, which is saved when it is found.</summary>
    public bool LoadBestModelAtEnd { get; init; }

    /// <summary>
    /// What the best checkpoint is chosen by, and earlyStoppingPatience counts: "loss", the validation loss, or one of evalMetrics. Whether
    /// more or less is better follows from it.
    /// </summary>
    public string MetricForBestModel { get; init; } = CheckpointScore.Loss;

    /// <summary>
    /// Directory of the run; unset means runs/ and the run's name, to which the command line adds a number if it is taken.
    /// </summary>
    public string? OutputDir { get; init; }

    /// <summary>Name of the run; unset takes the recipe's or the model's name.</summary>
    public string? RunName { get; init; }

    /// <summary>Whether a run that is in outputDir already is replaced; otherwise it is an error.</summary>
    public bool OverwriteOutputDir { get; init; }

    /// <summary>Beginnings that the model continues while it trains.</summary>
    public IReadOnlyList<string> SamplePrompts { get; init; } = [];

    /// <summary>Steps between samples; 0 samples only at the end.</summary>
    public long SampleSteps { get; init; } = 250;

    /// <summary>Tokens of a sample.</summary>
    public int SampleMaxNewTokens { get; init; } = 100;

    /// <summary>Temperature of samples; 0 always takes the likeliest token.</summary>
    public double SampleTemperature { get; init; } = 0.8;

    /// <summary>Samples take the next token from this many likeliest ones; 0 from all.</summary>
    public int SampleTopK { get; init; } = 50;
}

/// <summary>Course of the learning rate after warm-up.</summary>
public enum LrSchedulerType
{
    /// <summary>Stays at its peak.</summary>
    Constant,

    /// <summary>Falls in a straight line.</summary>
    Linear,

    /// <summary>Falls along a cosine.</summary>
    Cosine,

    /// <summary>Falls along a cosine, jumps back to the peak, and so on.</summary>
    CosineWithRestarts,

    /// <summary>Falls with a power of the remaining share of steps.</summary>
    Polynomial,

    /// <summary>Falls with the inverse square root of the step; needs no end.</summary>
    InverseSqrt,

    /// <summary>Stays at its peak, then falls along a cosine in the last steps (WSD).</summary>
    WarmupStableDecay,
}

/// <summary>What a run learns.</summary>
public enum TrainingObjective
{
    /// <summary>The likelihood of what the task asks for: of what comes next, of masked tokens, of labels.</summary>
    CrossEntropy,

    /// <summary>Which of two answers is preferred: direct preference optimisation (Rafailov et al. 2023).</summary>
    Dpo,
}

/// <summary>Number formats of training.</summary>
public enum Precision
{
    /// <summary>fp32 throughout.</summary>
    Fp32,

    /// <summary>bf16 compute; master weights, optimizer state and gradient sums in fp32.</summary>
    Bf16,
}

/// <summary>What the backward pass computes again instead of keeping it (gradient checkpointing, Chen et al. 2016).</summary>
public enum GradientCheckpointing
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Norms and activations: cheap, and they take much memory.</summary>
    Cheap,

    /// <summary>Everything inside a block.</summary>
    Block,
}
