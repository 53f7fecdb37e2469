using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ingot.Generation;

/// <summary>generation_config.json, as Hugging Face's libraries read it.</summary>
internal static class GenerationConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static string Text(int? endOfText)
    {
        var json = new JsonObject { ["do_sample"] = true };
        if (endOfText is not null)
        {
            json["bos_token_id"] = endOfText;
            json["eos_token_id"] = endOfText;
        }

        return json.ToJsonString(Indented);
    }
}
