using System.Numerics;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Data.Preparation.Cleaning;

namespace Ingot.Data.Preparation;

/// <summary>A file that was read.</summary>
public sealed class FileReport
{
    /// <summary>Its path, as the input names it.</summary>
    public required string Path { get; init; }

    /// <summary>Its size in bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>Records in it.</summary>
    public long Records { get; set; }

    /// <summary>Documents of it that were kept.</summary>
    public long Kept { get; set; }
}

/// <summary>What a rule did.</summary>
public sealed class RuleReport
{
    /// <summary>The rule.</summary>
    public required string Name { get; init; }

    /// <summary>What it was set to: on, off or a limit.</summary>
    public required string Setting { get; init; }

    /// <summary>What it does.</summary>
    public required string Summary { get; init; }

    /// <summary>How often it did it.</summary>
    public required RuleTally Tally { get; init; }
}

/// <summary>A part of the output: training, validation or test.</summary>
public sealed class SplitReport
{
    /// <summary>Documents.</summary>
    public long Documents { get; set; }

    /// <summary>Bytes of their texts as UTF-8.</summary>
    public long Bytes { get; set; }

    /// <summary>Unicode code points of their texts.</summary>
    public long Characters { get; set; }

    /// <summary>Words: what stands between white space, and Chinese characters and kana by themselves.</summary>
    public long Words { get; set; }

    /// <summary>Tokens, without those between documents; null if no tokenizer was given.</summary>
    public long? Tokens { get; set; }

    /// <summary>Tokens (or words) of the longest document.</summary>
    public long Longest { get; set; }

    /// <summary>Documents by length in tokens, or in words without a tokenizer: item i counts lengths from 2^i on and below
    /// 2^(i+1).</summary>
    public List<long> Lengths { get; init; } = [];

    /// <summary>Files that were written.</summary>
    public List<string> Shards { get; init; } = [];

    internal void Add(DocumentSize size, bool hasTokens)
    {
        Documents++;
        Bytes += size.Bytes;
        Characters += size.Characters;
        Words += size.Words;
        if (hasTokens)
            Tokens = (Tokens ?? 0) + size.Tokens;
        var length = hasTokens ? size.Tokens : size.Words;
        Longest = Math.Max(Longest, length);
        var bucket = BitOperations.Log2((ulong)Math.Max(1, length));
        while (Lengths.Count <= bucket)
            Lengths.Add(0);
        Lengths[bucket]++;
    }
}

/// <summary>What a preparation read, removed, changed and wrote: report.json. It depends on input and options alone, not on the
/// machine.</summary>
public sealed class PreparationReport
{
    internal static readonly JsonSerializerOptions JsonOptions = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    /// <summary>Says what kind of file this is.</summary>
    public string Kind { get; init; } = "ingot data prepare";

    /// <summary>The options, as a recipe has them.</summary>
    public JsonElement Options { get; init; }

    /// <summary>Records that were read.</summary>
    public long Records { get; set; }

    /// <summary>Bytes of these records.</summary>
    public long RecordBytes { get; set; }

    /// <summary>Parts of the output that are not empty.</summary>
    public SortedDictionary<string, SplitReport> Splits { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Kept documents by guessed language (ISO 639-1; und is undetermined).</summary>
    public SortedDictionary<string, long> Languages { get; init; } = new(StringComparer.Ordinal);

    /// <summary>The rules, in the order in which they were applied.</summary>
    public List<RuleReport> Rules { get; init; } = [];

    /// <summary>The files that were read.</summary>
    public List<FileReport> Files { get; init; } = [];

    /// <summary>Documents that were kept.</summary>
    [JsonIgnore]
    public long Documents => Splits.Values.Sum(split => split.Documents);

    /// <summary>Bytes of text that were kept.</summary>
    [JsonIgnore]
    public long Bytes => Splits.Values.Sum(split => split.Bytes);

    /// <summary>Reads report.json.</summary>
    /// <exception cref="InvalidDataException">It is no such report.</exception>
    public static PreparationReport Load(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return JsonSerializer.Deserialize<PreparationReport>(stream, JsonOptions) ?? throw new JsonException("It is null.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not a report of a preparation: {e.Message}", e);
        }
    }

    /// <summary>Writes the report as JSON.</summary>
    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, JsonOptions);
}
