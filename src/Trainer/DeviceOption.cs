using System.CommandLine;
using Ingot.Bindings;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>The option --device of commands that take no recipe.</summary>
internal static class DeviceOption
{
    public static Option<string> Create() => new("--device")
    {
        Description = "Where to compute: cpu, cuda (the first GPU), cuda:1, or auto, a GPU if there is one.",
        DefaultValueFactory = _ => DeviceChoice.Auto,
        HelpName = "name",
    };

    /// <summary>The device of that name.</summary>
    /// <exception cref="TrainingOptionsException">It is no name of a device.</exception>
    /// <exception cref="IngotException">This machine has no such device.</exception>
    public static Device Find(string name) =>
        DeviceChoice.Problem(name) is { } problem ? throw new TrainingOptionsException([$"--device {problem}"]) : DeviceChoice.Find(name);
}
