using System.Text.Json;

namespace Ingot.Trainer;

/// <summary>What commands write to stdout, in the same form everywhere.</summary>
internal static class Text
{
    /// <summary>A size for people, in binary units.</summary>
    public static string Bytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return $"{value.ToString(unit == 0 ? "0" : "0.0")} {units[unit]}";
    }

    /// <summary>Writes one JSON value to stdout, indented.</summary>
    public static void WriteJson(Action<Utf8JsonWriter> write)
    {
        using Stream output = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true }))
        {
            write(writer);
        }

        output.WriteByte((byte)'\n');
    }
}
