using Ingot.Checkpoints;

namespace Ingot.Trainer;

/// <summary>What `--model` takes: a run's directory is the name that users know; the model is in one of its checkpoints.</summary>
internal static class ModelFolder
{
    /// <summary>What the option says about itself.</summary>
    public const string Description = "A run's directory (its best checkpoint is taken, else the newest) or a model's folder.";

    /// <summary>The best checkpoint of a run, else its newest; a model's folder is itself.</summary>
    public static string Find(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new DirectoryNotFoundException($"{path}: no such directory: name a run's directory or a model's folder");
        }

        string checkpoints = Path.Combine(path, "checkpoints");
        if (!Directory.Exists(checkpoints))
        {
            return path;
        }

        CheckpointStore store = CheckpointStore.OpenReadOnly(checkpoints);
        Checkpoint? best = store.BestStep() is { } step ? store.Validate(step, out _) : null;
        return (best ?? store.FindLatestValid(warning => Console.Error.WriteLine($"warning: {warning}")))?.Path
            ?? throw new FileNotFoundException($"{path}: the run has no checkpoint yet: train further, with `ingot train --resume {path}`");
    }
}
