namespace Ingot.Data;

/// <summary>Finds out what data holds.</summary>
internal static class DataFormats
{
    /// <summary>What a file holds, or the first file of a folder, as its name and its beginning show.</summary>
    public static DataFormat Recognize(TextSource source)
    {
        var path = source.Files[0].Path;
        return JsonTexts.IsNamed(path) ? JsonTexts.Recognize(path)
            : JsonTexts.HasExtension(path, ".yml") || JsonTexts.HasExtension(path, ".yaml") ? DataFormat.Chat
            : DataFormat.Text;
    }
}
