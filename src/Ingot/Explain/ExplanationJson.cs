using System.Buffers.Binary;
using System.Text.Json;
using Ingot.Checkpoints;

namespace Ingot.Explain;

/// <summary>An explanation as JSON: everything that a page shows, for programs.</summary>
public static class ExplanationJson
{
    /// <summary>Writes the file; never half of it.</summary>
    /// <remarks>Probabilities of attention are nested lists [head][query][key].</remarks>
    public static void Write(string path, Explanation explanation) =>
        DurableFile.Write(path, stream => Write(stream, explanation, packed: false));

    /// <summary>Writes an object.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="explanation">What.</param>
    /// <param name="packed">
    /// Attention as base64 of 16-bit numbers, little-endian, probability · 65535: [head][query][key], of a decoder only the keys that a
    /// query sees.
    /// </param>
    internal static void Write(Stream stream, Explanation explanation, bool packed)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("model", explanation.Model);
        json.WriteString("modelType", explanation.ModelType);
        json.WriteString("task", explanation.Task);
        json.WriteString("precision", explanation.Precision);
        json.WriteNumber("ahead", explanation.Ahead);
        json.WriteString("method", JsonNamingPolicy.KebabCaseLower.ConvertName(explanation.Method.ToString()));
        Tokens(json, "tokens", explanation.Tokens);
        if (explanation.Source is { } source)
            Tokens(json, "source", source);
        Predictions(json, explanation.Predictions);
        Lens(json, explanation);
        if (explanation.Alignment is { } alignment)
            Numbers(json, "alignment", alignment, explanation.Source!.Count);
        Attention(json, explanation.Attention, packed);
        json.WriteEndObject();
    }

    private static void Tokens(Utf8JsonWriter json, string name, IReadOnlyList<ExplainedToken> tokens)
    {
        json.WriteStartArray(name);
        foreach (var token in tokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("text", token.Text);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Predictions(Utf8JsonWriter json, IReadOnlyList<ExplainedPrediction> predictions)
    {
        json.WriteStartArray("predictions");
        foreach (var (token, text, values) in predictions)
        {
            json.WriteStartObject();
            json.WriteNumber("token", token);
            json.WriteNumber("id", values.Target);
            json.WriteString("text", text);
            json.WriteNumber("logProbability", Rounded(values.LogProbability));
            json.WriteNumber("baseline", Rounded(values.Baseline));
            json.WriteNumber("sum", Rounded(values.Sum));
            Numbers(json, "tokens", values.Tokens);
            if (values.Source is { } source)
                Numbers(json, "source", source);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Layers of predictions: the likeliest, what really stands there and its rank; and the texts of all ids that occur.</summary>
    private static void Lens(Utf8JsonWriter json, Explanation explanation)
    {
        var ids = new SortedSet<int>();
        json.WriteStartArray("lens");
        foreach (var layer in explanation.Lens)
        {
            json.WriteStartArray();
            foreach (var reading in layer)
            {
                json.WriteStartObject();
                json.WriteStartArray("top");
                foreach (var prediction in reading.Top)
                    Prediction(prediction);
                json.WriteEndArray();
                if (reading.Actual is { } actual)
                {
                    json.WritePropertyName("actual");
                    Prediction(actual);
                    json.WriteNumber("rank", reading.Rank);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteStartObject("texts");
        foreach (var id in ids)
            json.WriteString(id.ToString(System.Globalization.CultureInfo.InvariantCulture), explanation.TextOf(id));
        json.WriteEndObject();

        void Prediction(Prediction prediction)
        {
            ids.Add(prediction.Id);
            json.WriteStartArray();
            json.WriteNumberValue(prediction.Id);
            json.WriteNumberValue(Rounded(prediction.Probability));
            json.WriteEndArray();
        }
    }

    private static void Attention(Utf8JsonWriter json, IReadOnlyList<AttentionMap> maps, bool packed)
    {
        json.WriteStartArray("attention");
        foreach (var map in maps)
        {
            json.WriteStartObject();
            json.WriteString("part", JsonNamingPolicy.CamelCase.ConvertName(map.Part.ToString()));
            json.WriteNumber("layer", map.Layer);
            json.WriteNumber("heads", map.Heads);
            json.WriteNumber("queries", map.Queries);
            json.WriteNumber("keys", map.Keys);
            if (packed)
            {
                json.WriteBase64String("probabilities", Pack(map));
            }
            else
            {
                json.WriteStartArray("probabilities");
                for (var head = 0; head < map.Heads; head++)
                {
                    json.WriteStartArray();
                    for (var query = 0; query < map.Queries; query++)
                    {
                        json.WriteStartArray();
                        foreach (var p in map.Row(head, query))
                            json.WriteNumberValue(p);
                        json.WriteEndArray();
                    }

                    json.WriteEndArray();
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
            json.Flush();
        }

        json.WriteEndArray();
    }

    private static byte[] Pack(AttentionMap map)
    {
        var causal = map.Part == AttentionPart.Decoder;
        var perHead = causal ? (long)map.Queries * (map.Queries + 1) / 2 : (long)map.Queries * map.Keys;
        var bytes = new byte[checked(2 * map.Heads * perHead)];
        var at = 0;
        for (var head = 0; head < map.Heads; head++)
        {
            for (var query = 0; query < map.Queries; query++)
            {
                foreach (var p in map.Row(head, query)[..(causal ? query + 1 : map.Keys)])
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), (ushort)Math.Round(p * 65535));
                    at += 2;
                }
            }
        }

        return bytes;
    }

    private static void Numbers(Utf8JsonWriter json, string name, IReadOnlyList<double> values, int columns = 0)
    {
        json.WriteStartArray(name);
        for (var i = 0; i < values.Count; i++)
        {
            if (columns > 0 && i % columns == 0)
                json.WriteStartArray();
            json.WriteNumberValue(Rounded(values[i]));
            if (columns > 0 && (i + 1) % columns == 0)
                json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    /// <summary>To fp32's seven digits; what is not finite, which JSON has no number for, is an error that says what it means.</summary>
    private static float Rounded(double value) => double.IsFinite(value) ? (float)value
        : throw new InvalidDataException($"a number is {value}: the model's weights or this precision give no finite probabilities (try "
            + "fp32)");
}
