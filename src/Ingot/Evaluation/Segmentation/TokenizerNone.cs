namespace Ingot.Evaluation.Segmentation;

/// <summary>sacreBLEU's "none": what stands between white space is a token.</summary>
internal sealed class TokenizerNone : SegmentTokenizer
{
    /// <inheritdoc/>
    public override string Name => "none";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer) => segment;
}
