namespace Ingot.Evaluation.Segmentation;

/// <summary>
/// The rules for western text of NIST's mteval-v13a, which the tokenizers "13a" and "zh" share: symbols stand alone; full stop and comma
/// do unless digits are on both sides; so does a hyphen after a digit.
/// </summary>
/// <remarks>
/// The original is four substitutions one after the other. Each takes what it matched out of its own further search, so that the second
/// of two full stops is judged by other rules than the first: in ",.5" the full stop stays with the digit. One pass here gives the same
/// tokens; the tests compare it with the substitutions.
/// </remarks>
internal static class Mteval
{
    private const byte Plain = 0, Symbol = 1, Stop = 2, Hyphen = 3, Digit = 4;

    private static readonly byte[] Kinds = MakeKinds();

    /// <summary>Appends the text with its tokens set apart.</summary>
    /// <param name="text">The text.</param>
    /// <param name="padded">Whether the rules see a space before and after the text.</param>
    /// <param name="output">Where to.</param>
    public static void Separate(ReadOnlySpan<char> text, bool padded, CharBuffer output)
    {
        var before = padded ? Plain : Digit; // Without anything before it, no rule for what follows a non-digit applies.
        var stopWasParted = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            var kind = c < Kinds.Length ? Kinds[c] : Plain;
            var part = kind switch
            {
                Symbol => true,
                Stop => IsParted(text, i, before, stopWasParted, padded, out stopWasParted),
                Hyphen => i > 0 && before == Digit,
                _ => false,
            };
            if (kind != Stop)
                stopWasParted = false;
            before = kind;
            if (part)
            {
                output.Add(' ');
                output.Add(c);
                output.Add(' ');
            }
            else
            {
                output.Add(c);
            }
        }
    }

    // A stop is parted as one that follows a non-digit, unless that was a stop parted by the same rule; or as one that a non-digit follows.
    private static bool IsParted(ReadOnlySpan<char> text, int i, byte before, bool afterParted, bool padded, out bool byWhatIsBefore)
    {
        byWhatIsBefore = before != Digit && !afterParted;
        return byWhatIsBefore || (i + 1 < text.Length ? !char.IsAsciiDigit(text[i + 1]) : padded);
    }

    private static byte[] MakeKinds()
    {
        var kinds = new byte[128];
        foreach (var (first, last) in new[] { ('{', '~'), ('[', '`'), (' ', '&'), ('(', '+'), (':', '@'), ('/', '/') })
            kinds.AsSpan(first, last - first + 1).Fill(Symbol);
        kinds.AsSpan('0', 10).Fill(Digit);
        kinds['.'] = kinds[','] = Stop;
        kinds['-'] = Hyphen;
        return kinds;
    }
}
