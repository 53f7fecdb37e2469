using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ingot.Adapters;

/// <summary>Reads an adapter_config.json. What would change the result and is not known is an error rather than ignored.</summary>
internal sealed class AdapterConfig
{
    // Settings that PEFT has besides, with the values that mean nothing special.
    private static readonly (string Key, string[] Harmless)[] Unsupported =
    [
        ("bias", ["\"none\""]), ("rank_pattern", ["{}"]), ("alpha_pattern", ["{}"]), ("lora_bias", ["false"]), ("use_qalora", ["false"]),
        ("layer_replication", []), ("target_parameters", ["[]"]), ("trainable_token_indices", ["[]", "{}"]),
        ("alora_invocation_tokens", []),
        ("init_lora_weights", ["true", "false", "\"gaussian\"", "\"eva\"", "\"orthogonal\""]),
    ];

    private readonly JsonObject _json;

    /// <summary>Reads a folder's file.</summary>
    /// <exception cref="InvalidDataException">Its content is wrong; the message names file and key.</exception>
    public AdapterConfig(string folder)
    {
        Path = System.IO.Path.Combine(folder, AdapterFiles.ConfigName);
        if (!File.Exists(Path))
            throw new FileNotFoundException($"{folder} is no adapter: it has no {AdapterFiles.ConfigName}");
        try
        {
            _json = JsonNode.Parse(File.ReadAllBytes(Path)) as JsonObject ?? throw Bad("it is not a JSON object");
            // Keys that come twice are found out when the object is first used.
            _ = _json.Count;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw Bad(e.Message);
        }

        if (Text("peft_type") is var type && type != "LORA")
            throw Bad($"peft_type is {type ?? "missing"}; adapters of the type LORA can be loaded");
        foreach (var (key, harmless) in Unsupported)
        {
            if (_json[key] is { } value && !harmless.Contains(value.ToJsonString()))
                throw Bad($"{key} is {value.ToJsonString()}, which is not supported");
        }

        Lora = new LoraConfig
        {
            Rank = Number("r", 8) is var r && r == Math.Truncate(r) && r is >= 1 and <= int.MaxValue
                ? (int)r
                : throw Bad($"r is {r}, but must be 1 or more"),
            Alpha = Number("lora_alpha", 8),
            Dropout = Number("lora_dropout", 0),
            UseRslora = Flag("use_rslora"),
            UseDora = Flag("use_dora"),
            TargetModules = Names("target_modules", textIsExpression: true),
            ModulesToSave = Names("modules_to_save"),
        };
        (BaseModel, TaskType) = (Text("base_model_name_or_path"), Text("task_type"));
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The settings; target_modules are empty if the file gives an expression for them.</summary>
    public LoraConfig Lora { get; }

    /// <summary>base_model_name_or_path, or null.</summary>
    public string? BaseModel { get; }

    /// <summary>task_type, or null.</summary>
    public string? TaskType { get; }

    private string? Text(string key) => Read(key, null, JsonValueKind.String, "a string", v => v.GetString());

    private double Number(string key, double fallback) => Read(key, fallback, JsonValueKind.Number, "a number", v => v.GetDouble());

    private bool Flag(string key) => _json[key] is { } value && value.GetValueKind() == JsonValueKind.True
        || Read(key, false, JsonValueKind.False, "true or false", _ => false);

    private string[] Names(string key, bool textIsExpression = false)
    {
        if (textIsExpression && _json[key]?.GetValueKind() == JsonValueKind.String)
            return Text(key) == LoraConfig.AllLinear ? [LoraConfig.AllLinear] : [];
        return Read<string[]>(key, [], JsonValueKind.Array, "a list of strings", v =>
            [.. v.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.String
                ? e.GetString()!
                : throw Bad($"{key} holds {e.GetRawText()}, where names belong"))]);
    }

    private T Read<T>(string key, T fallback, JsonValueKind kind, string wanted, Func<JsonElement, T> convert)
    {
        if (_json[key] is not { } value)
            return fallback;
        return value.GetValueKind() == kind
            ? convert(JsonSerializer.SerializeToElement(value))
            : throw Bad($"{key} is {value.ToJsonString()}, where {wanted} belongs");
    }

    private InvalidDataException Bad(string problem) => new($"{Path}: {problem}");
}
