namespace Ingot.Evaluation.Segmentation;

/// <summary>
/// rouge_score's tokens: runs of the letters a to z and digits, in lower case. All else separates, so that nothing is left of text in
/// other scripts.
/// </summary>
internal sealed class TokenizerRouge : SegmentTokenizer
{
    /// <inheritdoc/>
    public override string Name => "rouge";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer)
    {
        buffer.Clear();
        foreach (var c in segment)
            buffer.Add(char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : ' ');
        return buffer.Span;
    }
}
