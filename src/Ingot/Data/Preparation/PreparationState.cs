using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ingot.Checkpoints;
using Ingot.Data.Preparation.Readers;

namespace Ingot.Data.Preparation;

/// <summary>
/// Where a preparation stands, written whenever shards are complete; from there it goes on. Everything is in the folder .progress of the
/// output, which goes when the work is done.
/// </summary>
internal sealed class PreparationState
{
    private const string StateFile = "state.json";

    /// <summary>A hash of all that decides the result: options, and the input files' paths, sizes and times.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>The file that is read next.</summary>
    public int File { get; set; }

    /// <summary>Records of that file that are done.</summary>
    public long Record { get; set; }

    /// <summary>Documents in the file of signatures.</summary>
    public long Kept { get; set; }

    /// <summary>Hashes in the file of lines.</summary>
    public long Lines { get; set; }

    /// <summary>What has been counted.</summary>
    public required PreparationReport Report { get; init; }

    /// <summary>The folder of what is needed to go on.</summary>
    public static string FolderOf(string output) => Path.Combine(output, ".progress");

    /// <summary>The state of an output folder; null if nothing was begun there.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static PreparationState? Load(string output)
    {
        var path = Path.Combine(FolderOf(output), StateFile);
        if (!System.IO.File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<PreparationState>(System.IO.File.ReadAllBytes(path), PreparationReport.JsonOptions);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: damaged: {e.Message} Begin again with overwriteOutput.", e);
        }
    }

    /// <summary>Writes the state.</summary>
    public void Save(string output) => DurableFile.Write(
        Path.Combine(FolderOf(output), StateFile), stream => JsonSerializer.Serialize(stream, this, PreparationReport.JsonOptions));

    /// <summary>The fingerprint of options and files.</summary>
    public static string MakeFingerprint(JsonElement options, params IEnumerable<SourceFile>[] files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes("preparation 1\n" + options.GetRawText()));
        foreach (var file in files.SelectMany(list => list))
            hash.AppendData(Encoding.UTF8.GetBytes($"\n{Path.GetFullPath(file.Path)}\0{file.Length}\0{file.LastWriteTimeUtc.Ticks}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
