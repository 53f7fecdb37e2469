using System.Text.Json;

namespace Ingot.Models;

/// <summary>What a model's head is for, under the names of Hugging Face's tasks and classes.</summary>
public enum ModelTask
{
    /// <summary>What comes next: one of the vocabulary behind every token.</summary>
    CausalLm,

    /// <summary>What stood where a token was masked: one of the vocabulary for every masked token.</summary>
    MaskedLm,

    /// <summary>A label for a whole sequence, or for a pair of them.</summary>
    SequenceClassification,

    /// <summary>A label for every token.</summary>
    TokenClassification,

    /// <summary>What a text becomes, its translation or its summary: one of the vocabulary behind every token of the target.</summary>
    Seq2seqLm,

    /// <summary>No head: hidden states, for embeddings.</summary>
    FeatureExtraction,
}

/// <summary>Names of tasks in config.json.</summary>
public static class ModelTasks
{
    private static readonly (ModelTask Task, string Suffix)[] Heads =
    [
        (ModelTask.CausalLm, "ForCausalLM"),
        (ModelTask.MaskedLm, "ForMaskedLM"),
        (ModelTask.SequenceClassification, "ForSequenceClassification"),
        (ModelTask.TokenClassification, "ForTokenClassification"),
        (ModelTask.Seq2seqLm, "ForConditionalGeneration"),
        (ModelTask.FeatureExtraction, "Model"),
    ];

    /// <summary>The task's name as options and messages have it: masked-lm, sequence-classification, and so on.</summary>
    public static string Name(this ModelTask task) => JsonNamingPolicy.KebabCaseLower.ConvertName(task.ToString());

    /// <summary>What Hugging Face's class for a task is called behind the family's name: ForMaskedLM, and so on.</summary>
    public static string ClassSuffix(this ModelTask task) => Heads.First(head => head.Task == task).Suffix;

    /// <summary>Whether the head chooses among <see cref="ModelConfig.Labels"/>.</summary>
    public static bool IsClassification(this ModelTask task) =>
        task is ModelTask.SequenceClassification or ModelTask.TokenClassification;

    /// <summary>Whether models for it write text.</summary>
    public static bool Writes(this ModelTask task) => task is ModelTask.CausalLm or ModelTask.Seq2seqLm;

    /// <summary>The task of a class such as BertForMaskedLM; null if it is not among <paramref name="supported"/>.</summary>
    public static ModelTask? Of(string className, params ReadOnlySpan<ModelTask> supported)
    {
        foreach (var task in supported)
        {
            if (className.EndsWith(task.ClassSuffix(), StringComparison.Ordinal))
                return task;
        }

        return null;
    }
}
