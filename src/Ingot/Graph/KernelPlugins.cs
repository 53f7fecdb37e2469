using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>Loads plug-ins: shared libraries of kernels of a user's own.</summary>
public static class KernelPlugins
{
    private static readonly HashSet<string> Loaded = [];

    /// <summary>
    /// What is done with a plug-in's path before it is loaded; throws if it must not be. Whoever can start a process of its own may try
    /// there whether the plug-in keeps the rules.
    /// </summary>
    public static Action<string>? Guard { get; set; }

    /// <summary>Loads those that this process has not loaded yet; they stay loaded.</summary>
    /// <param name="paths">The libraries' files.</param>
    /// <exception cref="IngotException">
    /// One cannot be loaded, belongs to another version of the ABI, or brings a kernel that is there already; the message names it.
    /// </exception>
    public static void Load(IEnumerable<string> paths)
    {
        lock (Loaded)
        {
            foreach (var path in paths.Select(Path.GetFullPath))
            {
                if (Loaded.Contains(path))
                    continue;
                Guard?.Invoke(path);
                NativeRuntime.LoadPlugin(path);
                Loaded.Add(path);
            }
        }
    }
}
