namespace Ingot.Trainer;

/// <summary>What `--model` takes: a run's directory is the name that users know; the model is in one of its checkpoints.</summary>
internal static class ModelFolder
{
    /// <summary>What the option says about itself.</summary>
    public const string Description = "A run's directory (its best checkpoint is taken, else the newest) or a model's folder.";

    /// <summary>The best checkpoint of a run, else its newest; a model's folder is itself.</summary>
    public static string Find(string path) =>
        Checkpoints.ModelFolder.Find(path, warning => Console.Error.WriteLine($"warning: {warning}"));
}
