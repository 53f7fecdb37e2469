using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Pairs;
using Ingot.Tokenizers;

namespace Ingot.Explain;

/// <summary>
/// Looks inside a model while it reads a text: attention, what every layer would predict (logit lens), and what in the text spoke for a
/// prediction (attribution).
/// </summary>
/// <remarks>Not to be used by several threads at once.</remarks>
/// <example><code>
/// using var explainer = ModelExplainer.Load("runs/jargon/checkpoints/best", Device.Cpu);
/// var explanation = explainer.Explain("A hacker is");
/// ExplanationPage.Write("page.html", explanation);
/// </code></example>
public sealed class ModelExplainer : IDisposable
{
    /// <summary>Most tokens of a text, and of a source: more make pages that nobody can read.</summary>
    public const int MostTokens = 512;

    /// <summary>Most attention probabilities of an explanation.</summary>
    public const long MostProbabilities = 40_000_000;

    private readonly string _folder;
    private readonly ParameterStore _parameters;
    private readonly TokenTexts _texts;

    private ModelExplainer(string folder, ModelConfig model, ParameterStore parameters, Tokenizer tokenizer) =>
        (_folder, Model, _parameters, Tokenizer, _texts) = (folder, model, parameters, tokenizer, new TokenTexts(tokenizer));

    /// <summary>The model.</summary>
    public ModelConfig Model { get; }

    /// <summary>Its tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Loads the model of a folder.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="computeType">dtype of computations: F32 or Bf16.</param>
    /// <param name="adapter">Folder of an adapter that is merged into the weights; null for none.</param>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong, or tokenizer and model do not belong together.</exception>
    public static ModelExplainer Load(string folder, Device device, DType computeType = DType.F32, string? adapter = null)
    {
        if (adapter is null && AdapterFiles.IsAdapter(folder))
            (folder, adapter) = (AdapterFiles.FindBase(folder), folder);
        var tokenizer = Tokenizer.Load(folder);
        var (model, parameters) = adapter is null ? ModelFiles.LoadModel(folder, device, computeType, training: false)
            : AdapterFiles.LoadMerged(folder, adapter, device, computeType);
        if (tokenizer.VocabularySize <= model.VocabularySize)
            return new ModelExplainer(folder, model, parameters, tokenizer);
        parameters.Dispose();
        throw new InvalidDataException(
            $"{folder}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.VocabularySize}; they do not belong "
            + "together");
    }

    /// <summary>Explains what the model makes of a text.</summary>
    /// <param name="text">The text; for an encoder-decoder the source.</param>
    /// <param name="options">What, and how; null for the defaults.</param>
    /// <param name="progress">Told which part is under way, and how many are done of how many.</param>
    /// <param name="ct">Ends it before the next part.</param>
    /// <exception cref="ArgumentException">
    /// The text is too long or empty, or an option does not fit; the message names it and the way out.
    /// </exception>
    public Explanation Explain(string text, ExplainOptions? options = null, Action<string, int, int>? progress = null,
        CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= new ExplainOptions();
        CheckOptions(options);
        var task = Read(text, options);
        CheckLength(task.Input.Tokens.Count, "text");
        CheckLength(task.Input.Source?.Count ?? 1, "source");
        progress?.Invoke("attention", 0, 1);
        var reading = ForwardReader.Read(Model, _parameters, task.Input, layer => options.Layers?.Contains(layer) ?? true,
            MostProbabilities);
        ct.ThrowIfCancellationRequested();
        progress?.Invoke("logit lens", 0, 1);
        var lens = Lens(task, reading.HiddenStates, options.TopK, ct);
        var requests = Requests(task, lens, options, out var note);
        var predictions = new List<ExplainedPrediction>();
        if (requests.Count > 0)
        {
            using var program = new AttributionProgram(Model, _parameters, task.Input);
            foreach (var (position, target) in requests)
            {
                ct.ThrowIfCancellationRequested();
                progress?.Invoke("attribution", predictions.Count, requests.Count);
                predictions.Add(new ExplainedPrediction(position + Ahead, TextOf(target),
                    program.Attribute(position, target, options.Method, options.Steps, ct)));
            }
        }

        return new Explanation
        {
            Model = Name(),
            ModelType = Model.ModelType,
            Task = Model.Task.Name(),
            Precision = _parameters.ComputeType == DType.Bf16 ? "bf16" : "fp32",
            Tokens = Explained(task.Input.Tokens),
            Source = task.Input.Source is null ? null : Explained(task.Input.Source),
            Ahead = Ahead,
            Attention = reading.Attention,
            Lens = lens,
            TextOf = TextOf,
            Predictions = predictions,
            Method = options.Method,
            Alignment = Alignment(reading.Attention),
            Note = note,
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _parameters.Dispose();

    /// <summary>A text in the model's ids.</summary>
    /// <param name="Input">What the model reads.</param>
    /// <param name="Prompt">How many of its tokens were given; what follows is the target.</param>
    /// <param name="Next">The token behind the last, if it is known.</param>
    private sealed record Reading(ModelInput Input, int Prompt, int? Next = null);

    private int Ahead => Writes ? 1 : 0;

    private bool Writes => Model.Task is ModelTask.CausalLm or ModelTask.Seq2seqLm;

    /// <summary>The mean of the cross-attention, [tokens, source].</summary>
    internal static double[]? Alignment(IReadOnlyList<AttentionMap> maps)
    {
        var cross = maps.Where(map => map.Part == AttentionPart.Cross).Select(map => map.Mean()).ToList();
        return cross.Count == 0 ? null : [.. cross[0].Select((_, i) => cross.Average(mean => mean[i]))];
    }

    private void CheckOptions(ExplainOptions options)
    {
        var layers = Math.Max(Model.Layers, (Model as EncoderDecoderConfig)?.EncoderBlocks ?? 0);
        foreach (var layer in options.Layers ?? [])
        {
            if (layer < 0 || layer >= layers)
                throw new ArgumentException($"there is no layer {layer}: the model's are 0 to {layers - 1}");
        }

        if (options.Steps is < 1 or > 10_000)
            throw new ArgumentException($"{options.Steps} steps of integrated gradients: give 1 to 10000");
        if (options.TopK is < 1 or > 100)
            throw new ArgumentException($"the {options.TopK} likeliest tokens cannot be kept: give 1 to 100");
        if (options.TextPair is not null && Writes)
            throw new ArgumentException($"a {Model.ModelType} reads one text: pairs of texts are for encoders such as bert");
        if (Model is not EncoderDecoderConfig && (options.SourceLanguage ?? options.TargetLanguage) is not null)
            throw new ArgumentException("languages belong to models that translate between several; this one does not");
    }

    private void CheckLength(int count, string what)
    {
        var most = Math.Min(MostTokens, Model.MaxPositions);
        if (count == 0)
            throw new ArgumentException($"the {what} has no tokens: there is nothing to explain");
        if (count > most)
        {
            throw new ArgumentException($"the {what} has {count} tokens, and {most} are the most "
                + (most < MostTokens ? "that the model reads" : "that can be looked at") + ": give the part of it that matters");
        }
    }

    private Reading Read(string text, ExplainOptions options)
    {
        if (Model is EncoderDecoderConfig config)
            return ReadSource(config, text, options);
        if (Model.Task != ModelTask.CausalLm)
        {
            var encoding = Tokenizer.Tokenize(text, options.TextPair);
            return new Reading(new ModelInput(encoding.Ids, TokenTypes: encoding.TypeIds), encoding.Ids.Length);
        }

        var ids = Tokenizer.Tokenize(text).Ids;
        if (ids.Length == 0 && Tokenizer.EndOfTextId is { } end)
            ids = [end];
        return new Reading(new ModelInput([.. ids, .. Tokenizer.Encode(options.Target ?? "")]), ids.Length);
    }

    /// <summary>A source, and the target that is given or that the model writes, always with the likeliest token.</summary>
    private Reading ReadSource(EncoderDecoderConfig config, string text, ExplainOptions options)
    {
        var generation = (GenerationConfig.Load(_folder)?.Options ?? new GenerationOptions()) with
        {
            SourceLanguage = options.SourceLanguage,
            TargetLanguage = options.TargetLanguage,
            DoSample = false,
            NumBeams = 1,
            NumReturnSequences = 1,
        };
        var prompt = SourcePrompt.For(config, Tokenizer, generation, config.MaxPositions);
        var source = prompt.Encode(text);
        CheckLength(source.Length, "source");
        var (start, ends) = (prompt.Options.DecoderStartTokenId!.Value, prompt.Options.EosTokenIds!);
        int[] written;
        if (options.Target is { } target)
        {
            written = new PairEncoder(Tokenizer, ends[0]).EncodeTarget(target, prompt.Options.ForcedBosTokenId);
        }
        else
        {
            using var decoder = new Decoder(config, _parameters);
            var sequence = new Sequence([start], 0, Math.Min(prompt.Options.NewTokens(1), MostTokens - 1)) { Source = source };
            foreach (var _ in new SequenceWriter(decoder, prompt.Options, ends).Write([sequence], 1))
            {
            }

            written = [.. sequence.Tokens.Skip(1)];
            if (sequence.Ending == FinishReason.Stop && (written.Length == 0 || !ends.Contains(written[^1])))
                written = [.. written, ends[0]];
        }

        return written.Length > 0 && ends.Contains(written[^1])
            ? new Reading(new ModelInput([start, .. written[..^1]], source), 1, written[^1])
            : new Reading(new ModelInput([start, .. written], source), 1);
    }

    private LensReading[][] Lens(Reading task, IReadOnlyList<float[]> states, int topK, CancellationToken ct)
    {
        if (Model.Task == ModelTask.FeatureExtraction)
            return [];
        var count = Model.TargetsOf(1, task.Input.Tokens.Count);
        var rows = states.SelectMany(state => Enumerable.Range(0, count)
            .Select(n => (ReadOnlyMemory<float>)state.AsMemory(n * Model.Width, Model.Width))).ToList();
        var actual = Enumerable.Range(0, count).Select(n => Model.Task.IsClassification() ? null
            : n + Ahead < task.Input.Tokens.Count ? task.Input.Tokens[n + Ahead] : task.Next).ToList();
        var readings = LogitLens.Read(Model, _parameters, rows, [.. states.SelectMany(_ => actual)], topK, ct);
        return [.. readings.Chunk(count)];
    }

    /// <summary>Which predictions are attributed: where they are made, and of what.</summary>
    private List<(int Position, int Target)> Requests(Reading task, LensReading[][] lens, ExplainOptions options, out string? note)
    {
        note = null;
        var tokens = task.Input.Tokens;
        int Likeliest(int position) => lens[^1][position].Top[0].Id;
        switch (Model.Task)
        {
            case ModelTask.FeatureExtraction:
                note = "The model has no head: there are no predictions to read through it or to attribute.";
                return [];
            case ModelTask.SequenceClassification:
                return [(0, options.Target is { } label ? Label(label) : Likeliest(0))];
            case ModelTask.TokenClassification:
                if (options.Tokens is null)
                    note = "No token was chosen, and so no label is attributed.";
                return [.. (options.Tokens ?? []).Select(n =>
                    (Number(n, 0, tokens.Count - 1), options.Target is { } t ? Label(t) : Likeliest(n)))];
            case ModelTask.MaskedLm:
                var masked = Enumerable.Range(0, tokens.Count).Where(n => tokens[n] == Tokenizer.MaskId).ToList();
                if (options.Tokens is null && masked.Count == 0)
                    note = $"Nothing is masked ({Tokenizer.Roles.Mask}), and no token was chosen: nothing is attributed.";
                return [.. (options.Tokens ?? masked).Select(n => (Number(n, 0, tokens.Count - 1),
                    options.Target is { } t ? SingleToken(t) : masked.Contains(n) ? Likeliest(n) : tokens[n]))];
            default:
                var all = options.Tokens ?? (task.Input.Source is not null
                    ? [.. Enumerable.Range(1, task.Next is null ? Math.Max(1, tokens.Count - 1) : tokens.Count)]
                    : task.Prompt < tokens.Count ? [.. Enumerable.Range(task.Prompt, tokens.Count - task.Prompt)] : [tokens.Count]);
                return [.. all.Select(n => (Number(n, 1, tokens.Count) - 1, n < tokens.Count ? tokens[n] : task.Next ?? Likeliest(n - 1)))];
        }
    }

    private static int Number(int number, int first, int last) => number >= first && number <= last ? number
        : throw new ArgumentException($"there is no prediction of a token {number}: give {first} to {last}");

    private int Label(string text) => Model.Labels.ToList().IndexOf(text) is var id && id >= 0 ? id
        : throw new ArgumentException($"the model has no label '{text}'; it has {string.Join(", ", Model.Labels)}");

    private int SingleToken(string text)
    {
        // Behind a space a word may be one token where it is several without.
        var (plain, spaced) = (Tokenizer.Encode(text), Tokenizer.Encode(" " + text));
        return Tokenizer.TokenToId(text) ?? (plain.Length == 1 ? plain[0] : spaced.Length == 1 ? spaced[0]
            : throw new ArgumentException($"'{text}' is {plain.Length} tokens, and a mask stands for one"));
    }

    /// <summary>The folder's name; of a checkpoint the run's, too.</summary>
    private string Name()
    {
        var parts = Path.GetFullPath(_folder).Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
        return parts is [.., var run, "checkpoints", var step] ? $"{run}, {step}" : parts.LastOrDefault() ?? _folder;
    }

    private string TextOf(int id) => Model.Task.IsClassification() ? Model.Labels[id] : _texts[id];

    private ExplainedToken[] Explained(IReadOnlyList<int> ids) =>
        [.. ids.Select(id => new ExplainedToken(id, _texts[id], _texts.IsSpecial(id)))];
}
