using Ingot.Tokenizers;

namespace Ingot.Generation;

/// <summary>Makes text of tokens as they are written: whole characters, up to the first stop string.</summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="stop">Strings that end the text.</param>
/// <param name="skipSpecialTokens">Whether special tokens, such as that of a language, are left out.</param>
internal sealed class TextPieces(Tokenizer tokenizer, IReadOnlyList<string> stop, bool skipSpecialTokens = false)
{
    private readonly HashSet<int> _skipped =
        skipSpecialTokens ? [.. tokenizer.AddedTokens.Where(token => token.Special).Select(token => token.Id)] : [];

    private readonly IncrementalDecoder _decoder = new(tokenizer);
    private readonly StopStrings? _stops = stop.Count > 0 ? new StopStrings(stop) : null;

    /// <summary>Whether a stop string has come.</summary>
    public bool Stopped => _stops?.Found ?? false;

    /// <summary>The text that is certain with this token, often a word, sometimes nothing.</summary>
    public string Append(int token) => _skipped.Contains(token) ? "" : Cut(_decoder.Append(token));

    /// <summary>What is left at the end.</summary>
    public string Finish()
    {
        var rest = Stopped ? "" : Cut(_decoder.Finish());
        return Stopped ? rest : rest + _stops?.Finish();
    }

    /// <summary>Whether a stop string ends in the last of these tokens.</summary>
    public static bool HasStop(Tokenizer tokenizer, IReadOnlyList<string> stop, ReadOnlySpan<int> tokens)
    {
        if (stop.Count == 0)
            return false;
        // A token is a byte at least, a character four at most.
        var text = tokenizer.Decode(tokens[Math.Max(0, tokens.Length - (4 * stop.Max(s => s.Length)))..]);
        return stop.Any(s => text.Contains(s, StringComparison.Ordinal));
    }

    private string Cut(string piece) => _stops is null ? piece : _stops.Append(piece);
}
