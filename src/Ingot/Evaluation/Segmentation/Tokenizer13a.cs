namespace Ingot.Evaluation.Segmentation;

/// <summary>sacreBLEU's default, "13a": the tokens of NIST's mteval-v13a script, by which WMT's BLEU is computed.</summary>
internal sealed class Tokenizer13a : SegmentTokenizer
{
    /// <inheritdoc/>
    public override string Name => "13a";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer)
    {
        buffer.Clear();
        if (segment.IndexOfAny('\n', '&', '<') >= 0)
            segment = Unescape(segment.ToString());
        Mteval.Separate(segment, padded: true, buffer);
        return buffer.Span;
    }

    private static string Unescape(string text)
    {
        text = text.Replace("<skipped>", "", StringComparison.Ordinal).Replace("-\n", "", StringComparison.Ordinal).Replace('\n', ' ');
        return text.Contains('&', StringComparison.Ordinal)
            ? text.Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal)
                .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal)
            : text;
    }
}
