namespace Ingot.Data;

/// <summary>A pair of texts as an encoder-decoder learns it.</summary>
/// <param name="Source">What the encoder reads, the token that ends it included.</param>
/// <param name="Target">What the decoder writes, the token that ends it included.</param>
public sealed record SourceTarget(int[] Source, int[] Target)
{
    /// <summary>Lays the pair out in a row of a batch: the decoder reads the start and its target but the last token.</summary>
    /// <returns>How many targets count.</returns>
    internal int Fill(Batch batch, int row, int start)
    {
        Source.CopyTo(batch.Source[(row * batch.SourceLength)..]);
        batch.SourceLengths[row] = Source.Length;
        var tokens = batch.Tokens.Slice(row * batch.Length, Target.Length);
        tokens[0] = start;
        Target.AsSpan(..^1).CopyTo(tokens[1..]);
        Target.CopyTo(batch.Targets[(row * batch.Length)..]);
        batch.RowLengths[row] = Target.Length;
        return Target.Length;
    }

    /// <summary>An order in which pairs of about the same lengths come together.</summary>
    internal static IEnumerable<T> LongestFirst<T>(IEnumerable<T> items, Func<T, SourceTarget> pair) =>
        items.OrderByDescending(item => pair(item).Target.Length).ThenByDescending(item => pair(item).Source.Length);

    /// <summary>Checks that there are pairs, and that each has something and fits into a row.</summary>
    internal static void Check(string name, IReadOnlyList<SourceTarget> pairs, int sourceLength, int targetLength)
    {
        if (pairs.Count == 0)
            throw new ArgumentException($"{name}: there are no pairs");
        foreach (var (source, target) in pairs)
        {
            if (source.Length < 1 || source.Length > sourceLength || target.Length < 1 || target.Length > targetLength)
            {
                throw new ArgumentException($"{name}: a pair of {source.Length} and {target.Length} tokens does not fit into rows of "
                    + $"{sourceLength} and {targetLength}, or is empty");
            }
        }
    }

    /// <summary>Makes the batch one for these pairs, the longest of each side rounded up, and lays them out.</summary>
    /// <returns>How many targets count.</returns>
    internal static int FillAll(Batch batch, IReadOnlyList<SourceTarget> pairs, int start, int padToMultipleOf)
    {
        batch.Clear(ExampleRows.Pad(pairs.Max(p => p.Target.Length), padToMultipleOf, batch.MostLength),
            ExampleRows.Pad(pairs.Max(p => p.Source.Length), padToMultipleOf, batch.MostSourceLength));
        return pairs.Select((pair, row) => pair.Fill(batch, row, start)).Sum();
    }
}
