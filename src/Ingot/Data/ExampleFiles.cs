namespace Ingot.Data;

/// <summary>Texts that are examples by themselves, from files.</summary>
internal static class ExampleFiles
{
    /// <summary>What a file holds, or the first file of a folder.</summary>
    public static DataFormat Recognize(TextSource source) =>
        JsonTexts.IsNamed(source.Files[0].Path) ? JsonTexts.Recognize(source.Files[0].Path) : DataFormat.Text;

    /// <summary>
    /// The texts of all files: lines of text without empty ones, strings of a JSON array, or lines of JSON Lines.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is not what its name says; the message names file and place.</exception>
    public static IEnumerable<string> Read(TextSource source, CancellationToken ct = default) =>
        source.Files.SelectMany(file => Read(file.Path, ct)).Where(text => text.Length > 0);

    private static IEnumerable<string> Read(string path, CancellationToken ct) =>
        JsonTexts.IsNamedLines(path) ? JsonTexts.ReadLines(path, ct).Select(line => line.Text)
        : JsonTexts.IsNamed(path) ? JsonTexts.ReadArray(path)
        : TextLines.Read(path, ct).Select(line => System.Text.Encoding.UTF8.GetString(line.Span));
}
