namespace Ingot.Checkpoints;

/// <summary>Finds the folder of a model by the name that users know it by.</summary>
public static class ModelFolder
{
    /// <summary>
    /// The folder itself, if it is a model's; of a run, its best checkpoint, or the newest where none was evaluated.
    /// </summary>
    /// <param name="path">A model's folder, or a run's.</param>
    /// <param name="warn">Told of checkpoints that are damaged and passed over.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The run has no checkpoint.</exception>
    public static string Find(string path, Action<string>? warn = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!Directory.Exists(path))
            throw new DirectoryNotFoundException($"{path}: no such directory: a model is a folder with {ModelFiles.ConfigName}, or a run");
        var checkpoints = Path.Combine(path, "checkpoints");
        if (!Directory.Exists(checkpoints))
            return path;
        var store = CheckpointStore.OpenReadOnly(checkpoints);
        var best = store.BestStep() is { } step ? store.Validate(step, out _) : null;
        return (best ?? store.FindLatestValid(warn ?? (_ => { })))?.Path
            ?? throw new FileNotFoundException($"{path}: the run has no checkpoint yet: train further, with `ingot train --resume {path}`");
    }
}
