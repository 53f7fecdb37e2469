using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Where tokenizers and token files are kept from run to run.</summary>
internal static class DataCache
{
    /// <summary>INGOT_CACHE, or "ingot" in the user's cache.</summary>
    public static string Folder
    {
        get
        {
            if (Environment.GetEnvironmentVariable("INGOT_CACHE") is { Length: > 0 } chosen)
                return chosen;
            var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg
                ? xdg
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(cache, "ingot");
        }
    }

    /// <summary>Folder of token files.</summary>
    public static string TokensFolder => Path.Combine(Folder, "tokens");

    /// <summary>The tokenizer that is kept under a name; it is trained if there is none, or a damaged one.</summary>
    public static Tokenizer Tokenizer(string name, Func<Tokenizer> train)
    {
        var folder = Path.Combine(Folder, "tokenizers", name);
        try
        {
            if (Directory.Exists(folder))
                return Tokenizers.Tokenizer.Load(folder);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            Directory.Delete(folder, recursive: true);
        }

        var tokenizer = train();
        // Written beside its name and renamed: a kill leaves no half of it.
        var temporary = folder + ".partial";
        Directory.CreateDirectory(temporary);
        tokenizer.Save(temporary);
        Directory.Move(temporary, folder);
        return tokenizer;
    }

    /// <summary>Holds a lock file until disposed of; the kernel lets go of it with the process.</summary>
    public static FileStream WaitForTurn(string name, ITrainingObserver observer, CancellationToken ct)
    {
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(Folder, "locks")).FullName, name);
        for (var told = false; ; ct.WaitHandle.WaitOne(100))
        {
            ct.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException) when (File.Exists(path))
            {
                if (!told)
                    observer.OnWarning("another process is preparing the same text: waiting for it");
                told = true;
            }
        }
    }
}
