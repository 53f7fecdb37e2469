namespace Ingot.Data;

/// <summary>The lines of a file of UTF-8 text, one at a time, so that the file may be larger than the memory.</summary>
internal static class TextLines
{
    private const int LongestLine = 64 << 20;

    /// <summary>Reads the lines without their ends; gzip is unpacked on the way.</summary>
    /// <exception cref="InvalidDataException">The file is not UTF-8, is binary or damaged, or has a line of more than 64 MB.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(string path, CancellationToken ct = default)
    {
        using var reader = new TextFileReader(path);
        var buffer = new byte[2 * TextFileReader.BlockSize];
        var count = 0;
        var number = 1L;
        for (var more = true; more;)
        {
            ct.ThrowIfCancellationRequested();
            var searched = count;
            more = reader.Append(ref buffer, ref count);
            var start = 0;
            for (int end; (end = buffer.AsSpan(searched, count - searched).IndexOf((byte)'\n')) >= 0; number++)
            {
                end += searched;
                yield return buffer.AsMemory(start, end - start);
                start = searched = end + 1;
            }

            buffer.AsSpan(start, count - start).CopyTo(buffer);
            count -= start;
            if (count > LongestLine)
                throw new InvalidDataException($"{path}:{number}: the line has more than {LongestLine >> 20} MB. Break it.");
        }

        if (count > 0)
            yield return buffer.AsMemory(0, count);
    }
}
