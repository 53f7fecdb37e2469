using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Checkpoints;

/// <summary>
/// What a complete checkpoint holds: every file's size and hash. It is the last file written into the folder, so that a folder without
/// one was never finished.
/// </summary>
/// <remarks>
/// The hash is XXH128. It guards against bad disks and cut-off copies, not against forgers, and it must cost nothing beside the disk: it
/// runs at the speed of memory on every CPU, where SHA-256 without SHA instructions (most servers before 2019) is slower than an NVMe
/// disk. <c>xxhsum -H2</c> prints the same value.
/// </remarks>
internal sealed record CheckpointManifest(
    int Version,
    long Step,
    DateTime CreatedUtc,
    double? EvalLoss,
    IReadOnlyList<CheckpointManifest.Entry> Files,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] CheckpointScore? Score = null)
{
    public const string FileName = "manifest.json";

    private const int CurrentVersion = 1;

    public sealed record Entry(string Name, long Bytes, string Xxh128);

    /// <summary>What the best checkpoint is chosen by: the score, or else the validation loss; null where it was not evaluated.</summary>
    [JsonIgnore]
    public CheckpointScore? Judgement => Score ?? (EvalLoss is { } loss ? CheckpointScore.OfLoss(loss) : null);

    public static CheckpointManifest Create(long step, double? evalLoss, CheckpointScore? score, IReadOnlyList<Entry> files) =>
        new(CurrentVersion, step, DateTime.UtcNow, evalLoss, files, score);

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, CheckpointJson.Default.CheckpointManifest);

    /// <summary>Reads a checkpoint's manifest.</summary>
    /// <returns>The manifest, or null and the reason why the folder cannot be trusted.</returns>
    public static (CheckpointManifest? Manifest, string Problem) Read(string folder, long step)
    {
        try
        {
            var bytes = File.ReadAllBytes(Path.Combine(folder, FileName));
            var manifest = JsonSerializer.Deserialize(bytes, CheckpointJson.Default.CheckpointManifest);
            if (manifest?.Files is not { Count: > 0 } files || files.Any(entry => entry?.Name is null || entry.Xxh128 is null))
                return (null, $"{FileName} is incomplete");
            if (manifest.Version != CurrentVersion)
                return (null, $"{FileName} is of version {manifest.Version}, this program reads {CurrentVersion}");
            return manifest.Step == step ? (manifest, "") : (null, $"{FileName} is of step {manifest.Step}");
        }
        catch (FileNotFoundException)
        {
            return (null, $"{FileName} is missing");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return (null, $"{FileName} cannot be read ({e.Message})");
        }
    }

    /// <summary>Compares every file with its size and hash.</summary>
    /// <returns>Null when all is well, else the first thing that is wrong.</returns>
    public string? Verify(string folder)
    {
        var buffer = new byte[1 << 20];
        foreach (var entry in Files)
        {
            try
            {
                var path = Path.Combine(folder, entry.Name);
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                if (stream.Length != entry.Bytes)
                    return $"{entry.Name} has {stream.Length:N0} bytes instead of {entry.Bytes:N0}";
                var hash = new XxHash128();
                for (int read; (read = stream.Read(buffer)) > 0;)
                    hash.Append(buffer.AsSpan(0, read));
                if (Format(hash) != entry.Xxh128)
                    return $"{entry.Name} is corrupt: its content does not match its hash";
            }
            catch (FileNotFoundException)
            {
                return $"{entry.Name} is missing";
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return $"{entry.Name} cannot be read ({e.Message})";
            }
        }

        return null;
    }

    public static string Format(XxHash128 hash) => Convert.ToHexStringLower(hash.GetCurrentHash());
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(CheckpointManifest))]
internal sealed partial class CheckpointJson : JsonSerializerContext;
