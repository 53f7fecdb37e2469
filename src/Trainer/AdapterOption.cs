using System.CommandLine;

namespace Ingot.Trainer;

/// <summary>The option --adapter of commands that run a model.</summary>
internal static class AdapterOption
{
    public static Option<string?> Create() => new("--adapter")
    {
        Description = "An adapter on the model (LoRA): a folder with adapter_config.json, or a run that trained one.",
        HelpName = "dir",
    };

    /// <summary>The adapter's folder.</summary>
    public static string? Find(string? path) => path is null ? null : ModelFolder.Find(path);
}
