using System.Text;

namespace Ingot.Evaluation.Segmentation;

/// <summary>sacreBLEU's "char": every character is a token.</summary>
internal sealed class TokenizerChar : SegmentTokenizer
{
    /// <inheritdoc/>
    public override string Name => "char";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer)
    {
        buffer.Clear();
        foreach (var rune in segment.EnumerateRunes())
        {
            buffer.Add(rune);
            buffer.Add(' ');
        }

        return buffer.Span;
    }
}
