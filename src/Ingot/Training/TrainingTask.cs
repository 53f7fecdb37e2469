using Ingot.Adapters;
using Ingot.Checkpoints;
using Ingot.Models;
using Ingot.Models.Bert;

namespace Ingot.Training;

/// <summary>What a run trains a model for.</summary>
internal static class TrainingTask
{
    /// <summary>The task, and the labels of a classifier that has some already; those of a new one are found in the data.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="checkpoint">Folder of the checkpoint that is resumed; null for a new run.</param>
    /// <exception cref="TrainingOptionsException">
    /// An option does not go with the task, or a folder's model has no head and no task is named.
    /// </exception>
    public static (ModelTask Task, IReadOnlyList<string> Labels) Find(TrainingOptions options, string? checkpoint)
    {
        var (task, labels) = FindUnchecked(options, checkpoint);
        (options with { Task = task }).ThrowIfInvalid();
        return (task, labels);
    }

    private static (ModelTask Task, IReadOnlyList<string> Labels) FindUnchecked(TrainingOptions options, string? checkpoint)
    {
        if (checkpoint is null && !BaseModel.IsFolder(options.Model))
            return (options.Task ?? DefaultOf(options.Model), []);
        // The checkpoint of an adapter says what head its base gets.
        var model = checkpoint is not null && options.LoraRank > 0
            ? AdapterFiles.WithHead(checkpoint, ModelFiles.LoadConfig(AdapterFiles.FindBase(checkpoint)))
            : ModelFiles.LoadConfig(checkpoint ?? ModelFolder.Find(options.Model));
        var task = options.Task ?? model.Task;
        return task != ModelTask.FeatureExtraction
            ? (task, task == model.Task ? model.Labels : [])
            : throw new TrainingOptionsException([$"task is not set, and the {model.ModelType} in {options.Model} has no head: set it to "
                + "one of "
                + string.Join(", ", BertConfig.Tasks.Where(t => t != ModelTask.FeatureExtraction).Select(t => t.Name()))]);
    }

    /// <summary>"roberta" or "bert": the family of an encoder by its name, for its special tokens.</summary>
    public static string EncoderFamily(string model) =>
        model.Equals("roberta", StringComparison.OrdinalIgnoreCase) || Presets.Find(model) is BertConfig { Flavor: BertFlavor.Roberta }
            ? "roberta" : "bert";

    private static ModelTask DefaultOf(string model) =>
        Presets.Find(model)?.Task ?? model.ToUpperInvariant() switch
        {
            "BERT" or "ROBERTA" => ModelTask.MaskedLm,
            "MARIAN" or "M2M_100" => ModelTask.Seq2seqLm,
            _ => ModelTask.CausalLm,
        };
}
