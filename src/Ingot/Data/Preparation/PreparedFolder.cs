namespace Ingot.Data.Preparation;

/// <summary>A folder that <see cref="DataPreparation"/> wrote, as those see it who read it.</summary>
internal static class PreparedFolder
{
    /// <summary>Whether the folder holds prepared data.</summary>
    /// <exception cref="InvalidDataException">It does, but not yet all.</exception>
    public static bool IsOne(string path)
    {
        if (Directory.Exists(PreparationState.FolderOf(path)) && PreparationState.Load(path) is not null)
        {
            throw new InvalidDataException(
                $"{path} holds an unfinished preparation. Give the command `ingot data prepare` that began it again; it goes on where it "
                + "was.");
        }

        return File.Exists(Path.Combine(path, DataPreparation.ReportFile)) && Shards(path, Split.Train).Count > 0;
    }

    /// <summary>The shards of a part, in order.</summary>
    public static IReadOnlyList<string> Shards(string path, string split) =>
        [.. Directory.EnumerateFiles(path, split + "-*").Where(file => ShardWriter.IsShard(Path.GetFileName(file)))
            .Order(StringComparer.Ordinal)];
}
