using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Checkpoints;

namespace Ingot.Lab;

/// <summary>
/// A step as a file in Chrome's Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open: one track of calls, one of
/// the layers that they belong to.
/// </summary>
public static class ChromeTrace
{
    private const int CallTrack = 1, LayerTrack = 2;

    /// <summary>Writes the last step that was measured; never half of it.</summary>
    public static void Write(string path, StepProfileResult profile) => DurableFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WriteString("displayTimeUnit", "ms");
        writer.WriteStartArray("traceEvents");
        Name(writer, "process_name", 0, $"{profile.What} on {profile.Device}");
        Name(writer, "thread_name", CallTrack, "calls");
        Name(writer, "thread_name", LayerTrack, "layers");
        foreach (var call in profile.Calls)
        {
            Begin(writer, call.Name, call.Part, CallTrack, call.Start, call.Length);
            writer.WriteStartObject("args");
            writer.WriteString("layer", call.Label);
            writer.WriteString("operands", call.Operands);
            writer.WriteNumber("GFLOP/s", Rate(call.Flops, call.Length));
            writer.WriteNumber("GB/s", Rate(call.Bytes, call.Length));
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        // Calls of a layer that follow each other are one piece.
        for (var first = 0; first < profile.Calls.Count;)
        {
            var last = first;
            while (last + 1 < profile.Calls.Count && profile.Calls[last + 1].Layer == profile.Calls[first].Layer
                && profile.Calls[last + 1].Part == profile.Calls[first].Part)
                last++;
            var (from, to) = (profile.Calls[first], profile.Calls[last]);
            Begin(writer, from.Layer, from.Part, LayerTrack, from.Start, to.Start + to.Length - from.Start);
            writer.WriteEndObject();
            first = last + 1;
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private static double Rate(double amount, double seconds) => seconds > 0 ? Math.Round(amount / seconds / 1e9, 3) : 0;

    // A complete event; times in microseconds.
    private static void Begin(Utf8JsonWriter writer, string name, string category, int track, double start, double seconds)
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("cat", category);
        writer.WriteString("ph", "X");
        writer.WriteNumber("ts", Math.Round(start * 1e6, 3));
        writer.WriteNumber("dur", Math.Round(seconds * 1e6, 3));
        writer.WriteNumber("pid", 1);
        writer.WriteNumber("tid", track);
    }

    private static void Name(Utf8JsonWriter writer, string what, int track, string name)
    {
        writer.WriteStartObject();
        writer.WriteString("name", what);
        writer.WriteString("ph", "M");
        writer.WriteNumber("pid", 1);
        writer.WriteNumber("tid", track);
        writer.WriteStartObject("args");
        writer.WriteString("name", name);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
