using System.CommandLine;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>The options --kernel and --plugin of commands that take no recipe.</summary>
internal sealed class KernelOption
{
    private readonly Option<string[]> _kernel = new("--kernel")
    {
        Description = "Use other kernels than the defaults: attention=naive, or in certain layers h.0.attn/attention=naive.",
        HelpName = "op=variant",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string[]> _plugin = CreatePlugin();

    /// <summary>Adds both to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_kernel);
        command.Add(_plugin);
    }

    /// <summary>The option --plugin alone.</summary>
    public static Option<string[]> CreatePlugin() => new("--plugin")
    {
        Description = "Load kernels of your own: shared libraries (`ingot kernels new` begins one).",
        HelpName = "file",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Loads the plug-ins and gives back the kernels that were chosen, by op or layer/op.</summary>
    /// <exception cref="TrainingOptionsException">What is chosen is not of the form op=variant.</exception>
    /// <exception cref="IngotException">A plug-in cannot be loaded.</exception>
    public IReadOnlyDictionary<string, string> Read(ParseResult result)
    {
        KernelPlugins.Load(result.GetValue(_plugin) ?? []);
        var kernels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string text in result.GetValue(_kernel) ?? [])
        {
            if (text.Split('=', 2) is not [{ Length: > 0 } key, { Length: > 0 } variant])
            {
                throw new TrainingOptionsException([$"--kernel is \"{text}\", but must be op=variant or layer/op=variant, for example "
                    + $"attention=naive"]);
            }

            kernels[key.ToLowerInvariant()] = variant;
        }

        return kernels;
    }
}
