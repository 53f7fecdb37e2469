using System.Runtime.InteropServices;
using System.Text;

namespace Ingot.Tokenizers.Unicode;

/// <summary>
/// A text on its way through normalizers and pre-tokenizers: code points, each with the range of the original text (in code points too)
/// that it comes from. Immutable; slices share memory.
/// </summary>
internal sealed class AlignedText
{
    private readonly int[] _codePoints;
    private readonly Range[] _ranges;
    private readonly int _offset;

    private AlignedText(int[] codePoints, Range[] ranges, int offset, int length) =>
        (_codePoints, _ranges, _offset, Length) = (codePoints, ranges, offset, length);

    /// <summary>Code points.</summary>
    public int Length { get; }

    public ReadOnlySpan<int> CodePoints => _codePoints.AsSpan(_offset, Length);

    public int this[int index] => _codePoints[_offset + index];

    /// <summary>Takes a text as it is. A lone surrogate counts as U+FFFD.</summary>
    public static AlignedText Of(ReadOnlySpan<char> text)
    {
        var codePoints = Unicode.CodePoints.Of(text);
        var ranges = new Range[codePoints.Length];
        for (var i = 0; i < ranges.Length; i++)
        {
            ranges[i] = new Range(i, i + 1);
        }

        return new AlignedText(codePoints, ranges, 0, codePoints.Length);
    }

    /// <summary>Code points <paramref name="start"/> up to <paramref name="end"/>.</summary>
    public AlignedText Slice(int start, int end) =>
        start == 0 && end == Length ? this : new AlignedText(_codePoints, _ranges, _offset + start, end - start);

    /// <summary>Where in the original text these code points come from; not for an empty range.</summary>
    public (int Start, int End) OriginalRange(int start, int end) =>
        (_ranges[_offset + start].Start, _ranges[_offset + end - 1].End);

    /// <summary>Another text, whose code points come from this one's at the places given.</summary>
    public AlignedText With(List<(int CodePoint, int Source)> changed)
    {
        var codePoints = new int[changed.Count];
        var ranges = new Range[changed.Count];
        for (var i = 0; i < codePoints.Length; i++)
        {
            codePoints[i] = changed[i].CodePoint;
            ranges[i] = _ranges[_offset + changed[i].Source];
        }

        return new AlignedText(codePoints, ranges, 0, codePoints.Length);
    }

    /// <summary>Whether all is printable ASCII, which many normalizers leave alone.</summary>
    public bool IsPrintableAscii => !CodePoints.ContainsAnyExceptInRange(0x20, 0x7E);

    /// <summary>ASCII in lower case.</summary>
    public AlignedText ToLowerAscii()
    {
        if (!CodePoints.ContainsAnyInRange('A', 'Z'))
        {
            return this;
        }

        var codePoints = CodePoints.ToArray();
        foreach (ref var codePoint in codePoints.AsSpan())
        {
            codePoint += codePoint is >= 'A' and <= 'Z' ? 'a' - 'A' : 0;
        }

        return new AlignedText(codePoints, _ranges[_offset..(_offset + Length)], 0, Length);
    }

    /// <summary>The text with another code point in the place of one.</summary>
    public AlignedText With(int codePoint, int replacement)
    {
        var codePoints = CodePoints.ToArray();
        codePoints.AsSpan().Replace(codePoint, replacement);
        return new AlignedText(codePoints, _ranges[_offset..(_offset + Length)], 0, Length);
    }

    /// <summary>The text, which is not empty, with code points before it that count as part of the first.</summary>
    public AlignedText WithBefore(ReadOnlySpan<int> codePoints)
    {
        var ranges = new Range[codePoints.Length + Length];
        ranges.AsSpan(0, codePoints.Length).Fill(_ranges[_offset]);
        _ranges.AsSpan(_offset, Length).CopyTo(ranges.AsSpan(codePoints.Length));
        return new AlignedText([.. codePoints, .. CodePoints], ranges, 0, ranges.Length);
    }

    /// <summary>The text in UTF-8.</summary>
    public byte[] ToUtf8()
    {
        var utf8 = new byte[4 * Length];
        var count = 0;
        foreach (var codePoint in CodePoints)
        {
            count += new Rune(codePoint).EncodeToUtf8(utf8.AsSpan(count));
        }

        return utf8[..count];
    }

    public override string ToString() => Unicode.CodePoints.ToText(CodePoints);

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Range(int Start, int End);
}
