using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Checkpoints;

namespace Ingot.Lab;

/// <summary>Something that was timed again and again.</summary>
/// <param name="Group">
/// "step", "op", "kernel", "layer" or, where kernels were timed alone, "alone": entries are compared within their group.
/// </param>
/// <param name="Name">What it is.</param>
/// <param name="Calls">Calls of it in a step.</param>
/// <param name="Flops">Floating-point operations each time; 0 if not known.</param>
/// <param name="Bytes">Bytes each time; 0 if not known.</param>
/// <param name="Seconds">The times.</param>
public sealed record ProfileEntry(string Group, string Name, int Calls, double Flops, double Bytes, IReadOnlyList<double> Seconds)
{
    /// <summary>What the times say together.</summary>
    public Samples ToSamples() => new(Seconds);
}

/// <summary>A profile as a file of JSON, for <see cref="ProfileDiff"/> and other programs.</summary>
/// <param name="Format">"ingot-profile".</param>
/// <param name="Version">Version of this layout.</param>
/// <param name="What">What was profiled.</param>
/// <param name="Device">Where.</param>
/// <param name="MatmulFlops">The device's matmul rate, measured in the same run.</param>
/// <param name="Bandwidth">The device's memory bandwidth, bytes a second, measured in the same run.</param>
/// <param name="Entries">The times.</param>
public sealed record ProfileFile(
    string Format, int Version, string What, string Device, double MatmulFlops, double Bandwidth, IReadOnlyList<ProfileEntry> Entries)
{
    private const string FormatName = "ingot-profile";
    private const int CurrentVersion = 1;
    private const long MostBytes = 1L << 28;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>A new one.</summary>
    public static ProfileFile Create(string what, string device, Ceilings ceilings, IReadOnlyList<ProfileEntry> entries) =>
        new(FormatName, CurrentVersion, what, device, ceilings.MatmulFlops, ceilings.Bandwidth, entries);

    /// <summary>Writes it; never half of it.</summary>
    public void Write(string path) => DurableFile.Write(path, stream => JsonSerializer.Serialize(stream, this, Json));

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It is none, or of another version; the message names the file.</exception>
    public static ProfileFile Read(string path)
    {
        var length = new FileInfo(path).Length;
        if (length > MostBytes)
            throw new InvalidDataException($"{path} has {length:N0} bytes, too many for a profile");
        var bytes = File.ReadAllBytes(path);
        try
        {
            // The version first: the rest of another one may look different.
            using (var document = JsonDocument.Parse(bytes))
            {
                var root = document.RootElement;
                if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("format", out var format)
                    || !format.ValueEquals(FormatName))
                    throw new InvalidDataException($"{path} is no profile: `ingot profile … --output DIR` writes one, profile.json");
                if (!root.TryGetProperty("version", out var version) || !version.TryGetInt32(out var number) || number != CurrentVersion)
                {
                    throw new InvalidDataException($"{path} is a profile of version {version}, and this program reads version "
                        + $"{CurrentVersion}: "
                        + "profile again with this one");
                }
            }

            var profile = JsonSerializer.Deserialize<ProfileFile>(bytes, Json)!;
            return profile.Entries.FirstOrDefault(entry => entry.Seconds.Count == 0) is { } empty
                ? throw new InvalidDataException($"{path}: the entry \"{empty.Name}\" has no times")
                : profile;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is no profile: {e.Message}", e);
        }
    }
}
