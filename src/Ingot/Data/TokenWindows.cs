namespace Ingot.Data;

/// <summary>
/// Stretches of a token file as rows of a batch: the target of each token is the one behind it. With documents kept apart, each is a
/// segment whose positions begin at 0, and its last token has no target. A document ends where the file says so, and behind every
/// end-of-text token, for one file of text may hold many.
/// </summary>
internal sealed class TokenWindows(TokenFile tokens, int length, bool documentMask)
{
    private readonly int[] _window = new int[length + 1];

    /// <summary>Fills in a row of a batch that is clear.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="row">The row's number.</param>
    /// <param name="start">The place of the row's first token in the file.</param>
    /// <param name="count">How many tokens to take; one more must be there.</param>
    /// <returns>How many targets count.</returns>
    public int Fill(Batch batch, int row, long start, int count)
    {
        var window = _window.AsSpan(0, count + 1);
        tokens.Read(start, window);
        var targets = batch.Targets.Slice(row * batch.Length, count);
        window[..count].CopyTo(batch.Tokens[(row * batch.Length)..]);
        window[1..].CopyTo(targets);
        batch.RowLengths[row] = count;
        return documentMask ? count - Separate(batch, row, start, window) : count;
    }

    /// <summary>Numbers the documents and positions; how many targets are in another document than their token.</summary>
    private int Separate(Batch batch, int row, long start, ReadOnlySpan<int> window)
    {
        var count = window.Length - 1;
        var targets = Row(batch.Targets);
        var positions = Row(batch.Positions);
        var segments = Row(batch.Segments);
        var next = tokens.FirstDocumentFrom(start + 1);
        var (segment, position) = (0, 0);
        for (var i = 0; i < count; i++)
        {
            (positions[i], segments[i]) = (position++, segment);
            var ends = window[i] == tokens.EndOfTextId;
            for (; next < tokens.DocumentCount && tokens.DocumentStart(next) == start + i + 1; next++)
                ends = true;
            if (ends)
            {
                targets[i] = Batch.Ignore;
                (segment, position) = (segment + 1, 0);
            }
        }

        return targets.Count(Batch.Ignore);

        Span<int> Row(Span<int> values) => values.Slice(row * batch.Length, count);
    }
}
