using Microsoft.Extensions.FileSystemGlobbing;
using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Ingot.Data.Preparation.Readers;

/// <summary>Finds the files that inputs name: files, folders, patterns. Each file once, those of an input in the ordinal order of their
/// paths.</summary>
internal static class InputFiles
{
    /// <summary>Finds them. Of folders and patterns, hidden and empty files are passed over.</summary>
    /// <exception cref="FileNotFoundException">An input names nothing.</exception>
    public static IReadOnlyList<SourceFile> Find(IEnumerable<string> inputs, InputFormat format)
    {
        var files = new List<SourceFile>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var input in inputs)
        {
            var before = files.Count;
            var found = false;
            foreach (var path in PathsOf(input))
            {
                found = true;
                var info = new FileInfo(path);
                info = (FileInfo?)info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
                if (!known.Add(Path.GetFullPath(path)) || (info.Length == 0 && path != input))
                    continue;
                files.Add(new SourceFile(path, info.Length, info.LastWriteTimeUtc,
                    format == InputFormat.Auto ? SourceFile.FormatOf(path) : format));
            }

            if (!found || (files.Count == before && !known.Contains(Path.GetFullPath(input)) && !IsPattern(input)))
            {
                throw new FileNotFoundException(
                    Directory.Exists(input) ? $"{input}: the folder holds no files with text in them."
                    : IsPattern(input) ? $"{input}: no file fits the pattern. Quote it, so that the shell leaves it alone; ** stands for "
                        + "folders."
                    : $"{input}: there is no such file or folder.",
                    input);
            }
        }

        return files;
    }

    private static bool IsPattern(string input) => input.AsSpan().IndexOfAny('*', '?') >= 0;

    private static IEnumerable<string> PathsOf(string input)
    {
        if (File.Exists(input))
            return [input];
        if (Directory.Exists(input))
            return FilesBelow(new DirectoryInfo(input), input).Order(StringComparer.Ordinal);
        if (!IsPattern(input))
            return [];
        // The folder before the first part with a star.
        var parts = input.Replace('\\', '/').Split('/');
        var first = Array.FindIndex(parts, IsPattern);
        var root = string.Join('/', parts[..first]);
        root = root.Length > 0 ? root : input.StartsWith('/') ? "/" : ".";
        if (!Directory.Exists(root))
            return [];
        var matcher = new Matcher(StringComparison.Ordinal).AddInclude(string.Join('/', parts[first..]));
        return matcher.Execute(new DirectoryInfoWrapper(new DirectoryInfo(root))).Files
            .Where(match => !match.Path.Split('/').Any(part => part.StartsWith('.')))
            .Select(match => root == "." && !input.StartsWith("./", StringComparison.Ordinal) ? match.Path : Path.Combine(root, match.Path))
            .Order(StringComparer.Ordinal);
    }

    // Links to folders are not followed, since they may lead round in a circle.
    private static IEnumerable<string> FilesBelow(DirectoryInfo folder, string name)
    {
        var options = new EnumerationOptions { AttributesToSkip = FileAttributes.Hidden, IgnoreInaccessible = false };
        foreach (var entry in folder.EnumerateFileSystemInfos("*", options))
        {
            var path = Path.Combine(name, entry.Name);
            if (entry is FileInfo)
            {
                yield return path;
            }
            else if (entry is DirectoryInfo below && entry.LinkTarget is null)
            {
                foreach (var deeper in FilesBelow(below, path))
                    yield return deeper;
            }
        }
    }
}
