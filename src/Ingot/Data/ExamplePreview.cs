using Ingot.Tokenizers;

namespace Ingot.Data;

/// <summary>A stretch of an example's text.</summary>
/// <param name="Text">The text of its tokens.</param>
/// <param name="Learned">Whether the model learns to write them; otherwise it only reads them.</param>
public readonly record struct ExamplePiece(string Text, bool Learned);

/// <summary>An example as a model sees it: the text of its tokens, and which of them are learnt.</summary>
/// <param name="Source">Where it is from.</param>
/// <param name="Pieces">Its beginning, in stretches that are learnt or not, by turns.</param>
/// <param name="Tokens">How many tokens it has.</param>
/// <param name="LearnedTokens">How many of them are learnt.</param>
/// <param name="OmittedTokens">How many tokens at its end are not shown.</param>
public sealed record ExamplePreview(string Source, IReadOnlyList<ExamplePiece> Pieces, int Tokens, int LearnedTokens, int OmittedTokens)
{
    /// <summary>Shows an example.</summary>
    /// <param name="source">Where it is from.</param>
    /// <param name="example">The example.</param>
    /// <param name="tokenizer">What its tokens mean.</param>
    /// <param name="mostTokens">How many tokens are shown at most.</param>
    public static ExamplePreview Of(string source, TokenizedExample example, Tokenizer tokenizer, int mostTokens = 160)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var shown = Math.Min(example.Tokens.Count, mostTokens);
        var pieces = new List<ExamplePiece>();
        for (int start = 0, end; start < shown; start = end)
        {
            var learned = example.Learned[start];
            for (end = start + 1; end < shown && example.Learned[end] == learned; end++)
            {
            }

            pieces.Add(new ExamplePiece(tokenizer.Decode([.. example.Tokens.Skip(start).Take(end - start)]), learned));
        }

        return new ExamplePreview(
            source, pieces, example.Tokens.Count, example.Learned.Count(learned => learned), example.Tokens.Count - shown);
    }
}
