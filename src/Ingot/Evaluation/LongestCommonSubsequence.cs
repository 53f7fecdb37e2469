namespace Ingot.Evaluation;

/// <summary>Longest common subsequences of words.</summary>
internal static class LongestCommonSubsequence
{
    /// <summary>How long they are.</summary>
    public static int Length(ReadOnlySpan<int> reference, ReadOnlySpan<int> candidate)
    {
        var row = new int[candidate.Length + 1];
        foreach (var word in reference)
        {
            var diagonal = 0;
            for (var j = 1; j < row.Length; j++)
            {
                var above = row[j];
                row[j] = word == candidate[j - 1] ? diagonal + 1 : Math.Max(above, row[j - 1]);
                diagonal = above;
            }
        }

        return row[^1];
    }

    /// <summary>Marks the words of the reference that are in one of them: the one that rouge_score finds.</summary>
    /// <exception cref="InvalidDataException">The two are so long that the table does not fit.</exception>
    public static void Mark(ReadOnlySpan<int> reference, ReadOnlySpan<int> candidate, Span<bool> marks)
    {
        var width = candidate.Length + 1L;
        if (width * (reference.Length + 1L) > 1 << 28)
        {
            throw new InvalidDataException(
                $"a line of {reference.Length} words against one of {candidate.Length} is too much for rougeLsum: "
                + "put each sentence into a line of its own");
        }

        var table = new int[width * (reference.Length + 1)];
        for (var i = 1; i <= reference.Length; i++)
        {
            var row = table.AsSpan((int)(i * width), (int)width);
            var above = table.AsSpan((int)((i - 1) * width), (int)width);
            for (var j = 1; j < row.Length; j++)
                row[j] = reference[i - 1] == candidate[j - 1] ? above[j - 1] + 1 : Math.Max(above[j], row[j - 1]);
        }

        for (int i = reference.Length, j = candidate.Length; i > 0 && j > 0;)
        {
            if (reference[i - 1] == candidate[j - 1])
            {
                marks[i - 1] = true;
                (i, j) = (i - 1, j - 1);
            }
            else if (table[(i * width) + j - 1] > table[((i - 1) * width) + j])
            {
                j--;
            }
            else
            {
                i--;
            }
        }
    }
}
