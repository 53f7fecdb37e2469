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
        var targets = lora.TargetModules.Contains(LoraConfig.AllLinear)
            ? layers.Select(l => l.Name[(l.Name.LastIndexOf('.') + 1)..]).Distinct()
            : lora.TargetModules;
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
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = lora.UseDora,
            ["use_rslora"] = lora.UseRslora,
        }.ToJsonString(Indented);
    }

    /// <summary>The adapter's weights, and those of modules that are trained as a whole, for a safetensors file.</summary>
    public static IEnumerable<SafetensorsSource> Weights(AdaptedModel model, ParameterStore store) =>
        ModelFiles.Weights(store, p => model.IsTrained(p.Name), Prefix);

    /// <summary>Writes an adapter's two files into a folder.</summary>
    public static void Save(string folder, AdaptedModel model, ParameterStore store, string? baseModel)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in new[]
                 {
                     CheckpointFile.Safetensors(WeightsName, [.. Weights(model, store)]),
                     CheckpointFile.Text(ConfigName, ConfigText(model, baseModel)),
                 })
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
        var all = new AdaptedModel(baseModel, config.Lora with { TargetModules = [LoraConfig.AllLinear] }).LinearLayers();
        if (adapted.FirstOrDefault(name => all.All(l => l.Name != name)) is { } foreign)
        {
            throw new InvalidDataException($"{file.Path} adapts '{foreign}', which the base model ({baseModel.ModelType}, "
                + $"{baseModel.Layers} layers) does not have as a linear layer: it was made for another base model{Named(config.BaseModel)}");
        }

        if (adapted.Count == 0)
            throw new InvalidDataException($"{file.Path} holds no tensor '{Prefix}….lora_A.weight': it is no LoRA adapter");
        var listed = config.Lora.TargetModules.Count > 0
            && all.Where(l => config.Lora.IsTarget(l.Name)).Select(l => l.Name).ToHashSet().SetEquals(adapted);
        var model = new AdaptedModel(
            baseModel, listed ? config.Lora : config.Lora with { TargetModules = [.. adapted.Order(StringComparer.Ordinal)] });
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
    /// <exception cref="InvalidDataException">A tensor is missing, too much, or of another shape or dtype; the message names it.</exception>
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
        using var tensors = ModelTensors.Open(baseFolder);
        var model = LoadModel(folder, tensors.Model);
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
