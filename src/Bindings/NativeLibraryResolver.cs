using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Ingot.Bindings;

/// <summary>
/// Finds and loads the native library. INGOT_LIBRARY, a file or a folder, decides alone if it is set; otherwise the library
/// lies beside the program or in its runtimes/RID/native.
/// </summary>
internal static unsafe class NativeLibraryResolver
{
    /// <summary>The environment variable that names the library or its folder.</summary>
    public const string EnvironmentVariable = "INGOT_LIBRARY";

    /// <summary>The library's file name on this system.</summary>
    public static string FileName { get; } =
        OperatingSystem.IsWindows() ? "ingot.dll" : OperatingSystem.IsMacOS() ? "libingot.dylib" : "libingot.so";

    /// <summary>For <see cref="NativeLibrary.SetDllImportResolver"/>.</summary>
    public static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == NativeMethods.LibraryName ? Load(Environment.GetEnvironmentVariable(EnvironmentVariable), DefaultFolders()) : 0;

    /// <summary>Loads the library and makes sure that it fits these bindings.</summary>
    /// <param name="named">The value of INGOT_LIBRARY; null or empty if it is not set.</param>
    /// <param name="folders">Where to look, in order, if it is not set.</param>
    /// <exception cref="IngotException">The library is not there, cannot be loaded, or does not fit.</exception>
    public static nint Load(string? named, IEnumerable<string> folders)
    {
        bool isNamed = !string.IsNullOrEmpty(named);
        IEnumerable<string> candidates = isNamed
            ? [Directory.Exists(named) ? Path.Combine(named, FileName) : named!]
            : folders.Select(folder => Path.Combine(folder, FileName));
        var failures = new StringBuilder();
        foreach (string candidate in candidates.Select(Path.GetFullPath).Distinct())
        {
            if (!File.Exists(candidate))
            {
                failures.Append($"\n  {candidate}: no such file");
                continue;
            }

            nint library;
            try
            {
                library = NativeLibrary.Load(candidate);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                failures.Append($"\n  {candidate}: {e.Message.ReplaceLineEndings(" ").Trim()}");
                continue;
            }

            CheckFit(library, candidate);
            return library;
        }

        throw new IngotException(Status.ErrorNotFound, isNamed
            ? $"{EnvironmentVariable} is set, but what it names cannot be loaded:{failures}\nName the library or its folder, or unset it."
            : $"Ingot's native library cannot be loaded. Tried:{failures}\n"
              + "Build it (cmake --preset release && cmake --build --preset release) and build again, "
              + $"or set {EnvironmentVariable} to it.");
    }

    private static string[] DefaultFolders() =>
        [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native")];

    private static void CheckFit(nint library, string path)
    {
        if (!NativeLibrary.TryGetExport(library, "ingot_abi_version", out nint abiVersion)
            || !NativeLibrary.TryGetExport(library, "ingot_header_hash", out nint headerHash))
        {
            throw new IngotException(Status.ErrorUnsupported,
                $"{path} is not Ingot's native library: it has no ingot_abi_version or ingot_header_hash.");
        }

        uint version = ((delegate* unmanaged<uint>)abiVersion)();
        ulong hash = ((delegate* unmanaged<ulong>)headerHash)();
        if (version != NativeConstants.AbiVersion || hash != NativeConstants.HeaderHash)
        {
            throw new IngotException(Status.ErrorUnsupported,
                $"{path} was built from another ingot.h (ABI {version}, hash {hash:x16}) than these bindings "
                + $"(ABI {NativeConstants.AbiVersion}, hash {NativeConstants.HeaderHash:x16}). Build the native library again "
                + "(cmake --build --preset release); if ingot.h has changed, first generate the bindings again (docs/bindings.md).");
        }
    }
}
