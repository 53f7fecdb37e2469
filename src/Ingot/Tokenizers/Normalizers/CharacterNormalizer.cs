using System.Text;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Normalizers;

/// <summary>A normalizer that looks at one character at a time.</summary>
internal abstract class CharacterNormalizer : Normalizer
{
    public override bool GoesByChunks => true;

    /// <summary>Whether printable ASCII stays as it is.</summary>
    protected virtual bool KeepsAscii => false;

    public override AlignedText Apply(AlignedText text)
    {
        if (KeepsAscii && text.IsPrintableAscii)
        {
            return text;
        }

        var result = new List<(int, int)>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            Apply(text[i], i, result);
        }

        return text.With(result);
    }

    /// <summary>Appends what becomes of a character, with the place that it comes from.</summary>
    protected abstract void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result);

    /// <summary>Appends a character in lower case. The only one that becomes two is U+0130, capital I with a dot.</summary>
    protected static void AddLower(int codePoint, int source, List<(int CodePoint, int Source)> result)
    {
        if (codePoint == 0x130)
        {
            result.Add(('i', source));
            result.Add((0x307, source));
        }
        else
        {
            result.Add((Rune.ToLowerInvariant(new Rune(codePoint)).Value, source));
        }
    }
}

/// <summary>Lower case, character by character.</summary>
internal sealed class Lowercase : CharacterNormalizer
{
    public override string Type => "Lowercase";

    protected override void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result) =>
        AddLower(codePoint, source, result);
}

/// <summary>Removes combining marks. It needs decomposed text: NFD comes first.</summary>
internal sealed class StripAccents : CharacterNormalizer
{
    public override string Type => "StripAccents";

    protected override bool KeepsAscii => true;

    protected override void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result)
    {
        if (!CodePoints.IsMark(codePoint))
        {
            result.Add((codePoint, source));
        }
    }
}

/// <summary>SentencePiece's rules for machine translation: removes control characters, and makes spaces of rarer white space.</summary>
internal sealed class Nmt : CharacterNormalizer
{
    public override string Type => "Nmt";

    protected override bool KeepsAscii => true;

    protected override void Apply(int codePoint, int source, List<(int CodePoint, int Source)> result)
    {
        switch (codePoint)
        {
            case (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                break;
            case 0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                result.Add((' ', source));
                break;
            default:
                result.Add((codePoint, source));
                break;
        }
    }
}
