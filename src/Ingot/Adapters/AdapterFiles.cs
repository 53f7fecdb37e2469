using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Adapters;

/// <summary>
/// Adapters in the file format of Hugging Face's PEFT: adapter_config.json, and adapter_model.safetensors whose tensors are named as
/// the adapter's parameters with "base_model.model." in front.
/// </summary>
public static class AdapterFiles
{
    /// <summary>Name of the file of settings.</summary>
    public const string ConfigName = "adapter_config.json";

    /// <summary>Name of the file of weights.</summary>
    public const string WeightsName = "adapter_model.safetensors";

    private const string Prefix = "base_model.model.";

    // PEFT has none for masked language models.
    private static readonly Dictionary<ModelTask, string> TaskTypes = new()
    {
        [ModelTask.CausalLm] = "CAUSAL_LM",
        [ModelTask.Seq2seqLm] = "SEQ_2_SEQ_LM",
        [ModelTask.SequenceClassification] = "SEQ_CLS",
        [ModelTask.TokenClassification] = "TOKEN_CLS",
        [ModelTask.FeatureExtraction] = "FEATURE_EXTRACTION",
    };

    // PEFT lists for every classifier what it may be called, of which a model has one.
    private static readonly string[] ClassifierNames = ["classifier", "score"];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Whether a folder holds an adapter.</summary>
    public static bool IsAdapter(string folder) => File.Exists(Path.Combine(folder, ConfigName));

    /// <summary>adapter_config.json as text.</summary>
    /// <param name="model">The adapted model.</param>
    /// <param name="baseModel">base_model_name_or_path: where the base model is from; null if it has no name.</param>
    public static string ConfigText(AdaptedModel model, string? baseModel)
    {
        var (lora, layers) = (model.Lora, model.LinearLayers());
        // PEFT knows "all-linear", too, but writes down what it stands for.
        var targets = layers.Where(l => l.IsAdapted).Select(l => ShortestName(l, layers)).Distinct();
        return new JsonObject
        {
            ["alpha_pattern"] = new JsonObject(),
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = baseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = layers.Any(l => l.IsAdapted && l.IsInOut),
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["layers_pattern"] = null,
            ["layers_to_transform"] = null,
            ["lora_alpha"] = lora.Alpha == Math.Truncate(lora.Alpha) && lora.Alpha < 1e9 ? (int)lora.Alpha : lora.Alpha,
            ["lora_dropout"] = lora.Dropout,
            ["modules_to_save"] = lora.ModulesToSave.Count == 0 ? null : Array(lora.ModulesToSave),
            ["peft_type"] = "LORA",
            ["r"] = lora.Rank,
            ["rank_pattern"] = new JsonObject(),
            ["revision"] = null,
            ["target_modules"] = Array(targets),
            ["task_type"] = TaskTypes.GetValueOrDefault(model.Task),
            ["use_dora"] = lora.UseDora,
            ["use_rslora"] = lora.UseRslora,
        }.ToJsonString(Indented);
    }

    /// <summary>The adapter's weights, and those of modules that are trained as a whole, for a safetensors file.</summary>
    public static IEnumerable<SafetensorsSource> Weights(AdaptedModel model, ParameterStore store) =>
        ModelFiles.Weights(store, p => model.IsTrained(p.Name), Prefix);

    /// <summary>
    /// Whether a config.json lies beside the adapter: that of a classifier names its labels, for which adapter_config.json has no place.
    /// </summary>
    public static bool HasModelConfig(AdaptedModel model) => model.Task.IsClassification();

    /// <summary>Writes an adapter's files into a folder.</summary>
    public static void Save(string folder, AdaptedModel model, ParameterStore store, string? baseModel)
    {
        Directory.CreateDirectory(folder);
        List<CheckpointFile> files =
        [
            CheckpointFile.Safetensors(WeightsName, [.. Weights(model, store)]),
            CheckpointFile.Text(ConfigName, ConfigText(model, baseModel)),
        ];
        if (HasModelConfig(model))
            files.Add(CheckpointFile.Text(ModelFiles.ConfigName, ModelFiles.ConfigText(model)));
        foreach (var file in files)
            DurableFile.Write(Path.Combine(folder, file.Name), file.WriteTo);
    }

    /// <summary>Folder of the base model that an adapter names.</summary>
    /// <exception cref="InvalidDataException">It names none, or none that is on this machine; the message says how to name it.</exception>
    public static string FindBase(string folder)
    {
        var name = new AdapterConfig(folder).BaseModel;
        return Directory.Exists(name) ? name : throw new InvalidDataException($"{folder} is an adapter "
            + (name is null ? "that does not say for which model" : $"for the model {name}, which is not there")
            + ": name the base model's folder, and this one as the adapter");
    }

    /// <summary>
    /// A base model with the head that an adapter was trained with: that of its task_type. Labels are those of the config.json beside
    /// it or, if there is none, the base's or LABEL_0, LABEL_1 ... as many as the classifier has.
    /// </summary>
    /// <exception cref="InvalidDataException">The base model has no such head, or the adapter no classifier.</exception>
    public static ModelConfig WithHead(string folder, ModelConfig baseModel)
    {
        var config = new AdapterConfig(folder);
        var task = TaskTypes.FirstOrDefault(type => type.Value == config.TaskType, new(baseModel.Task, "")).Key;
        if (task == baseModel.Task && !task.IsClassification())
            return baseModel;
        try
        {
            return baseModel.ForTask(task, task.IsClassification() ? Labels(folder, task, baseModel) : []);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{config.Path}: task_type is {config.TaskType}, and {e.Message}", e);
        }
    }

    /// <summary>The base model with the adapter of a folder, whose weights are still to be loaded.</summary>
    /// <exception cref="FileNotFoundException">The folder lacks one of the two files.</exception>
    /// <exception cref="InvalidDataException">The adapter is of a kind that is not known, or made for another model.</exception>
    public static AdaptedModel LoadModel(string folder, ModelConfig baseModel)
    {
        var config = new AdapterConfig(folder);
        using var file = OpenWeights(folder);
        // What the file holds is what is adapted, however the settings say so: by names, an expression, or numbers of layers.
        var adapted = file.Tensors.Select(t => t.Name)
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(LoraLayers.A, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..^LoraLayers.A.Length]).ToHashSet();
        var lora = config.Lora;
        if (baseModel.Task.IsClassification())
        {
            var named = baseModel.DeclareParameters();
            lora = lora with
            {
                ModulesToSave = [.. lora.ModulesToSave.Distinct()
                    .Where(m => !ClassifierNames.Contains(m) || named.Any(p => LoraConfig.IsPartOf(p.Name, m)))],
            };
        }

        var all = new AdaptedModel(baseModel, lora with { TargetModules = [LoraConfig.AllLinear] }).LinearLayers();
        if (adapted.FirstOrDefault(name => all.All(l => l.Name != name)) is { } foreign)
        {
            throw new InvalidDataException($"{file.Path} adapts '{foreign}', which the base model ({baseModel.ModelType}, "
                + $"{baseModel.Layers} layers) does not have as a linear layer: it was made for another base "
                + $"model{Named(config.BaseModel)}");
        }

        if (adapted.Count == 0)
            throw new InvalidDataException($"{file.Path} holds no tensor '{Prefix}….lora_A.weight': it is no LoRA adapter");
        var listed = lora.TargetModules.Count > 0
            && all.Where(l => lora.IsTarget(l.Name)).Select(l => l.Name).ToHashSet().SetEquals(adapted);
        var model = new AdaptedModel(
            baseModel, listed ? lora : lora with { TargetModules = [.. adapted.Order(StringComparer.Ordinal)] });
        try
        {
            model.Validate();
            return model;
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{config.Path}: {e.Message}", e);
        }
    }

    /// <summary>Fills the adapter's parameters, and those of modules that were trained as a whole.</summary>
    /// <exception cref="InvalidDataException">
    /// A tensor is missing, too much, or of another shape or dtype; the message names it.
    /// </exception>
    public static void LoadWeights(string folder, AdaptedModel model, ParameterStore store)
    {
        using var file = OpenWeights(folder);
        ModelFiles.LoadWeights(file, store, p => model.IsTrained(p.Name), Prefix,
            owner: $"an adapter of rank {model.Lora.Rank} on this base model");
    }

    /// <summary>A base model with an adapter merged into its weights: it computes as fast as the base.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong; the message names file and place.</exception>
    public static (ModelConfig Model, ParameterStore Parameters) LoadMerged(
        string baseFolder, string folder, Device device, DType computeType)
    {
        var (tensors, model) = Open(baseFolder, folder);
        using var _ = tensors;
        var store = new ParameterStore(device, model.DeclareParameters(), computeType, training: false);
        try
        {
            ModelFiles.Load(tensors, store);
            LoadWeights(folder, model, store);
            foreach (var layer in model.LinearLayers().Where(l => l.IsAdapted))
            {
                var weight = store.Read(layer.Name + ".weight");
                LoraWeights.Read(store, model.Lora, layer).Merge(weight);
                store.Write(layer.Name + ".weight", weight);
            }

            return (model.Base, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Opens a base model's folder with the head that an adapter was trained with, and the adapted model.</summary>
    internal static (ModelTensors Base, AdaptedModel Model) Open(string baseFolder, string folder)
    {
        var tensors = ModelTensors.Open(baseFolder, saved => WithHead(folder, saved));
        try
        {
            var model = LoadModel(folder, tensors.Model);
            return tensors.Missing.FirstOrDefault(name => !model.IsTrained(name)) is not { } missing ? (tensors, model)
                : throw new InvalidDataException($"{tensors.Path} has no tensor '{missing}', and {folder} does not bring it either: the "
                    + "adapter was trained beside random weights, or for another base model");
        }
        catch
        {
            tensors.Dispose();
            throw;
        }
    }

    private static IReadOnlyList<string> Labels(string folder, ModelTask task, ModelConfig baseModel)
    {
        if (File.Exists(Path.Combine(folder, ModelFiles.ConfigName)) && ModelFiles.LoadConfig(folder) is { } saved && saved.Task == task)
            return saved.Labels;
        var head = Prefix + baseModel.ForTask(task, ["LABEL_0", "LABEL_1"]).HeadWeight(new Graph()).Storage.Name;
        using var file = OpenWeights(folder);
        var count = file.TryGet(head, out var weight) ? weight.Shape[0] : 0;
        if (baseModel.Task == task && (count == 0 || count == baseModel.Labels.Count))
            return baseModel.Labels;
        return count > 0 ? [.. Enumerable.Range(0, checked((int)count)).Select(id => $"LABEL_{id}")]
            : throw new InvalidDataException($"{file.Path} has no tensor '{head}', and the base model is none for {task.Name()}: "
                + "there is no classifier");
    }

    /// <summary>The shortest end of an adapted layer's name that no layer without an adapter has.</summary>
    private static string ShortestName(LoraLayer layer, IReadOnlyList<LoraLayer> all)
    {
        var parts = layer.Name.Split('.');
        return Enumerable.Range(1, parts.Length).Select(count => string.Join('.', parts[^count..]))
            .First(name => !all.Any(l => !l.IsAdapted && LoraConfig.EndsWith(l.Name, name)));
    }

    private static SafetensorsFile OpenWeights(string folder)
    {
        var path = Path.Combine(folder, WeightsName);
        if (File.Exists(path))
            return SafetensorsFile.Open(path);
        throw new FileNotFoundException($"{folder} has no {WeightsName}" + (File.Exists(Path.Combine(folder, "adapter_model.bin"))
            ? ": adapter_model.bin is a pickle, which may run any code; have PEFT save the adapter as safetensors" : ""));
    }

    private static string Named(string? baseModel) => baseModel is null ? "" : $", {baseModel}";

    private static JsonArray Array(IEnumerable<string> texts) => [.. texts.Select(t => JsonValue.Create(t))];
}
