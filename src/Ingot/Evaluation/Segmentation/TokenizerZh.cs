namespace Ingot.Evaluation.Segmentation;

/// <summary>sacreBLEU's "zh": each Chinese character is a token; the rest goes by the rules of "13a".</summary>
internal sealed class TokenizerZh : SegmentTokenizer
{
    // As sacreBLEU has them. Two of its ranges were meant for characters beyond U+FFFF, but are written with escapes of four digits, and
    // so are these: U+2001–2A6D, where there are dashes and quotation marks, and U+2F81–2FA1. Those beyond U+FFFF are not set apart.
    private static readonly (char First, char Last)[] Ranges =
    [
        ('\u2001', '\u2A6D'), ('\u2E80', '\u2EFF'), ('\u2F00', '\u2FDF'), ('\u2FF0', '\u2FFF'), ('\u3000', '\u303F'), ('\u3100', '\u312F'),
        ('\u31A0', '\u31BF'), ('\u31C0', '\u31EF'), ('\u3200', '\u32FF'), ('\u3300', '\u33FF'), ('\u3400', '\u4DB5'), ('\u4E00', '\u9FBB'),
        ('\uF900', '\uFA2D'), ('\uFA30', '\uFA6A'), ('\uFA70', '\uFAD9'), ('\uFE10', '\uFE1F'), ('\uFE30', '\uFE4F'), ('\uFF00', '\uFFEF'),
    ];

    /// <inheritdoc/>
    public override string Name => "zh";

    /// <inheritdoc/>
    public override ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer)
    {
        var apart = new CharBuffer();
        foreach (var c in PythonText.Trim(segment))
        {
            if (IsChinese(c))
            {
                apart.Add(' ');
                apart.Add(c);
                apart.Add(' ');
            }
            else
            {
                apart.Add(c);
            }
        }

        buffer.Clear();
        Mteval.Separate(apart.Span, padded: false, buffer);
        return buffer.Span;
    }

    private static bool IsChinese(char c)
    {
        if (c > '\u2000')
        {
            foreach (var (first, last) in Ranges)
            {
                if (c <= last)
                    return c >= first;
            }
        }

        return false;
    }
}
